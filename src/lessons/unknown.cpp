// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>
#include <cctype>

#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

constexpr std::string_view answer =
    "I do not know that. I only know parked cars, charge and small sums.";

constexpr std::array questions = {"Who is {t}?",
                                  "Where is {t}?",
                                  "Tell me about {t}.",
                                  "Do you like {t}?",
                                  "What do you think of {t}?",
                                  "Write a poem about {t}.",
                                  "Write a story about {t}.",
                                  "How do I get to {t}?",
                                  "How old is {t}?",
                                  "When was {t} built?",
                                  "Can you draw {t}?",
                                  "How do I cook {t}?",
                                  "Sing a song about {t}.",
                                  "Why is {t} so big?",
                                  "Who made {t}?"};

constexpr std::array things = {
    "the moon",      "the sea",     "Paris",    "London",      "Tokyo",        "a cat",
    "a dog",         "an elephant", "football", "chess",       "the weather",  "music",
    "the president", "the queen",   "Rome",     "a tree",      "a bird",       "the stars",
    "history",       "love",        "a dragon", "the king",    "coffee",       "tea",
    "bread",         "soup",        "a river",  "a mountain",  "the internet", "a robot",
    "Berlin",        "Madrid",      "New York", "a train",     "a ship",       "an aeroplane",
    "winter",        "summer",      "a horse",  "mathematics", "a book",       "the sun"};

constexpr std::array openings = {
    "What's the", "Why is the",  "Why do",      "Can you",      "Could you please",
    "Please",     "Tell me",     "How do I",    "How many",     "Is the",
    "Are there",  "Should I",    "I want to",   "Give me",      "Who was the",
    "When does",  "Where can I", "Do you know", "Translate:",   "Explain why",
    "What if",    "Which",       "Let us",      "I think that", "Summarise the"};

constexpr std::array words = {
    "sky",     "blue",     "capital", "of",       "France",  "the",      "a",        "best",
    "way",     "to",       "cook",    "rice",     "people",  "live",     "in",       "world",
    "car",     "cars",     "charge",  "battery",  "percent", "owner",    "electric", "Tesla",
    "drive",   "park",     "km",      "charger",  "plug",    "recipe",   "for",      "cake",
    "word",    "with",     "letter",  "code",     "Python",  "function", "that",     "prints",
    "weather", "tomorrow", "today",   "joke",     "about",   "cats",     "dogs",     "and",
    "old",     "young",    "house",   "computer", "phone",   "language", "German",   "French",
    "English", "text",     "write",   "read",     "book",    "story",    "poem",     "song",
    "music",   "film",     "actor",   "game",     "team",    "win",      "lose",     "money",
    "bank",    "price",    "stock",   "market",   "buy",     "sell",     "shop",     "food",
    "drink",   "water",    "fire",    "earth",    "air",     "planet",   "star",     "moon",
    "sun",     "light",    "dark",    "night",    "day",     "week",     "month",    "year",
    "time",    "history",  "war",     "peace",    "king",    "queen",    "country",  "city",
    "town",    "street",   "school",  "teacher",  "student", "learn",    "know",     "think",
    "feel",    "love",     "hate",    "happy",    "sad",     "good",     "bad",      "big",
    "small",   "fast",     "slow",    "new",      "number",  "list",     "ten",      "three",
    "facts",   "meaning",  "life",    "is",       "are",     "was",      "will",     "be",
    "do",      "does",     "not",     "my",       "your",    "his",      "her",      "our",
    "from",    "at",       "on",      "by",       "or"};

constexpr std::array sums_beyond = {"What is {a} {s} {b}?", "How much is {a} {s} {b}?",
                                    "{a} {s} {b}", "{a}{s}{b}", "{a} {s} {b} = ?"};
constexpr std::array signs_known = {"+", "-"};
constexpr std::array signs_unknown = {"*", "/", "times", "x", "divided by"};

std::string typed_at_random(base::Prng& prng) {
    std::string word;
    for (int letters = draw(1, 9, prng); letters > 0; --letters)
        word +=
            static_cast<char>(prng.below(20) == 0 ? draw('!', '~', prng) : draw('a', 'z', prng));
    return word;
}

// What people type: openings, words of any kind, with and without a mark at the end.
std::string some_sentence(base::Prng& prng) {
    std::string text;
    if (prng.below(3) != 0)
        text = openings[draw(openings, prng)];
    for (int count = draw(text.empty() ? 2 : 1, 8, prng); count > 0; --count) {
        text += text.empty() ? "" : " ";
        text += prng.below(5) == 0 ? typed_at_random(prng) : words[draw(words, prng)];
    }
    constexpr std::string_view ends = "?.! ";
    const char end = ends[prng.below(ends.size())];
    if (end != ' ')
        text += end;
    if (prng.below(3) == 0)
        text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
    return text;
}

// Numbers of more than two digits, and what is neither added nor taken away.
std::string some_sum_beyond(base::Prng& prng) {
    const bool large = prng.below(2) == 0;
    const int a = large ? draw(100, 99'999, prng) : draw(0, 99, prng);
    const int b = draw(0, prng.below(2) == 0 ? 99 : 9'999, prng);
    const std::string sign = large && prng.below(2) == 0 ? signs_known[draw(signs_known, prng)]
                                                         : signs_unknown[draw(signs_unknown, prng)];
    return filled(sums_beyond[draw(sums_beyond, prng)],
                  {{"a", std::to_string(a)}, {"s", sign}, {"b", std::to_string(b)}});
}

}  // namespace

Lesson unknown_lesson(base::Prng& prng) {
    Lesson lesson;
    switch (prng.below(6)) {
        case 0:
        case 1:
            lesson.turns = {filled(questions[draw(questions, prng)],
                                   {{"t", std::string(things[draw(things, prng)])}})};
            break;
        case 2:
            lesson.turns = {some_sum_beyond(prng)};
            break;
        default:
            lesson.turns = {some_sentence(prng)};
    }
    lesson.answer = answer;
    lesson.held_out = holds_out(lesson.turns.front());
    return lesson;
}

}  // namespace idlewatt::lessons
