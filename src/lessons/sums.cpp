// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>
#include <utility>

#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

constexpr int addend_max = 99;

constexpr std::array additions = {"What is {a} + {b}?",     "What is {a} plus {b}?",
                                  "How much is {a} + {b}?", "How much is {a} plus {b}?",
                                  "Add {a} and {b}.",       "Please add {a} and {b}.",
                                  "{a} + {b} = ?",          "Can you add {a} and {b}?"};
constexpr std::array subtractions = {"What is {a} - {b}?",     "What is {a} minus {b}?",
                                     "How much is {a} - {b}?", "How much is {a} minus {b}?",
                                     "Take {b} from {a}.",     "Please take {b} from {a}.",
                                     "{a} - {b} = ?",          "Can you take {b} from {a}?"};

}  // namespace

Lesson sum_lesson(base::Prng& prng) {
    int a = draw(0, addend_max, prng);
    int b = draw(0, addend_max, prng);
    const bool adds = prng.below(2) == 0;
    if (!adds && a < b)
        std::swap(a, b);
    const std::string task = std::to_string(a) + (adds ? " + " : " - ") + std::to_string(b);
    const auto& patterns = adds ? additions : subtractions;
    const std::string_view pattern = patterns[draw(patterns, prng)];
    Lesson lesson;
    lesson.turns = {filled(pattern, {{"a", std::to_string(a)}, {"b", std::to_string(b)}})};
    lesson.answer = task + " = " + std::to_string(adds ? a + b : a - b) + ".";
    lesson.held_out = holds_out(task);
    return lesson;
}

}  // namespace idlewatt::lessons
