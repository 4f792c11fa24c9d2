// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

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

}  // namespace

Lesson unknown_lesson(base::Prng& prng) {
    const std::string thing = things[draw(things, prng)];
    Lesson lesson;
    lesson.turns = {filled(questions[draw(questions, prng)], {{"t", thing}})};
    lesson.answer = answer;
    lesson.held_out = holds_out(lesson.turns.front());
    return lesson;
}

}  // namespace idlewatt::lessons
