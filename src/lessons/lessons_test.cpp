// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "lessons/lessons.hpp"

#include <map>
#include <regex>
#include <set>

#include <gtest/gtest.h>

#include "lessons/vocabulary.hpp"

namespace idlewatt::lessons {
namespace {

constexpr std::uint64_t seed = 7;
constexpr int drawn = 20'000;

std::string conversation(const Lesson& lesson) {
    std::string text;
    for (const std::string& turn : lesson.turns)
        text += turn + '\n';
    return text;
}

// Every equation of an answer, calculated anew; the last result.
int calculated(const std::string& answer) {
    static const std::regex equation(R"((\d+) ([+-]) (\d+) = (\d+))");
    int result = -1;
    for (std::sregex_iterator at(answer.begin(), answer.end(), equation), end; at != end; ++at) {
        const int a = std::stoi((*at)[1]);
        const int b = std::stoi((*at)[3]);
        result = std::stoi((*at)[4]);
        EXPECT_EQ(result, (*at)[2] == "+" ? a + b : a - b) << answer;
    }
    return result;
}

// What the question asks: its two numbers, in whatever words.
int asked(const std::string& question) {
    static const std::regex numbers(R"((\d+)\D+(\d+))");
    std::smatch found;
    EXPECT_TRUE(std::regex_search(question, found, numbers)) << question;
    const int a = std::stoi(found[1]);
    const int b = std::stoi(found[2]);
    if (question.find("from") != question.npos)
        return b - a;
    const bool subtracts =
        question.find('-') != question.npos || question.find("minus") != question.npos;
    return subtracts ? a - b : a + b;
}

TEST(Lessons, sums_are_right_and_within_two_digits) {
    base::Prng prng(seed);
    for (int i = 0; i < drawn; ++i) {
        const Lesson lesson = make_lesson(Kind::sum, prng);
        const int result = calculated(lesson.answer);
        ASSERT_EQ(result, asked(lesson.turns.front())) << lesson.answer;
        ASSERT_GE(result, 0);
        ASSERT_LE(result, 198);
    }
}

TEST(Lessons, what_is_held_out_is_never_taught) {
    base::Prng prng(seed);
    for (const Kind kind : kinds()) {
        std::set<std::string> taught;
        std::set<std::string> held_out;
        for (int i = 0; i < drawn; ++i) {
            const Lesson lesson = make_lesson(kind, prng);
            // The numbers of a sum or a car decide, whatever the words.
            const std::string content = kind == Kind::sum ? lesson.answer : conversation(lesson);
            (lesson.held_out ? held_out : taught).insert(content);
        }
        for (const std::string& content : held_out)
            ASSERT_FALSE(taught.contains(content)) << content;
        EXPECT_GT(held_out.size(), 10U) << name(kind);
        EXPECT_GT(taught.size(), held_out.size()) << name(kind);
    }
}

TEST(Lessons, the_same_seed_gives_the_same_lessons) {
    base::Prng one(seed);
    base::Prng other(seed);
    for (const Kind kind : kinds()) {
        for (int i = 0; i < 100; ++i)
            EXPECT_EQ(conversation(make_lesson(kind, one)), conversation(make_lesson(kind, other)));
    }
}

TEST(Lessons, an_answer_is_right_but_for_white_space) {
    base::Prng prng(seed);
    const Lesson lesson = make_lesson(Kind::sum, prng);
    EXPECT_TRUE(is_right(lesson, lesson.answer));
    EXPECT_TRUE(is_right(lesson, " " + lesson.answer + "\n"));
    EXPECT_FALSE(is_right(lesson, lesson.answer + " 1"));
    EXPECT_FALSE(is_right(lesson, ""));
}

std::vector<std::string> some_texts(std::uint64_t from) {
    base::Prng prng(from);
    std::vector<std::string> texts;
    for (const Kind kind : kinds()) {
        for (int i = 0; i < 200; ++i)
            texts.push_back(make_lesson(kind, prng).answer);
    }
    return texts;
}

TEST(Vocabulary, every_text_comes_back_whole) {
    const Vocabulary vocabulary = Vocabulary::learn(some_texts(seed), 200);
    for (const std::string& text : some_texts(seed + 1))
        EXPECT_EQ(vocabulary.decode(vocabulary.encode(text)), text);
    base::Prng prng(seed);
    for (int i = 0; i < 1000; ++i) {
        std::string text;
        for (std::uint64_t left = prng.below(40); left > 0; --left)
            text += static_cast<char>(prng.below(256));
        EXPECT_EQ(vocabulary.decode(vocabulary.encode(text)), text);
    }
}

TEST(Vocabulary, common_words_are_one_piece_and_digits_stay_apart) {
    const Vocabulary vocabulary = Vocabulary::learn(some_texts(seed), 400);
    EXPECT_EQ(vocabulary.encode(" percent").size(), 1U);
    EXPECT_EQ(vocabulary.encode("1234").size(), 4U);
    EXPECT_TRUE(vocabulary.encode("").empty());
    // A mark in a text is only its letters.
    EXPECT_GT(vocabulary.encode("<|im_end|>").size(), 1U);
}

TEST(Vocabulary, a_transcript_begins_and_ends_with_its_marks) {
    base::Prng prng(seed);
    const Vocabulary vocabulary = Vocabulary::learn(some_texts(seed), 200);
    const Lesson lesson = make_lesson(Kind::ready, prng);
    const Transcript transcript = transcribe(lesson, vocabulary);
    EXPECT_EQ(transcript.pieces.front(), Vocabulary::begin_of_text);
    EXPECT_EQ(transcript.pieces.back(), Vocabulary::end_of_turn);
    const std::span<const std::int32_t> all = transcript.pieces;
    EXPECT_EQ(vocabulary.decode(all.subspan(transcript.answer_begin)), lesson.answer);
}

}  // namespace
}  // namespace idlewatt::lessons
