// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>
#include <utility>

#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

constexpr int addend_max = 99;

constexpr std::array additions = {"What is {a} + {b}?",
                                  "What is {a} plus {b}?",
                                  "How much is {a} + {b}?",
                                  "How much is {a} plus {b}?",
                                  "Add {a} and {b}.",
                                  "Please add {a} and {b}.",
                                  "{a} + {b} = ?",
                                  "Can you add {a} and {b}?",
                                  "{a}+{b}",
                                  "{a} + {b}",
                                  "what is {a}+{b}?",
                                  "how much is {a} + {b}",
                                  "{a}+{b}=?",
                                  "{a} plus {b}"};
constexpr std::array subtractions = {"What is {a} - {b}?",
                                     "What is {a} minus {b}?",
                                     "How much is {a} - {b}?",
                                     "How much is {a} minus {b}?",
                                     "Take {b} from {a}.",
                                     "Please take {b} from {a}.",
                                     "{a} - {b} = ?",
                                     "Can you take {b} from {a}?",
                                     "{a}-{b}",
                                     "{a} - {b}",
                                     "what is {a}-{b}?",
                                     "how much is {a} - {b}",
                                     "{a}-{b}=?",
                                     "{a} minus {b}"};

int applied(int a, char sign, int b) {
    return sign == '+' ? a + b : a - b;
}

std::string equation(int a, char sign, int b) {
    return std::to_string(a) + ' ' + sign + ' ' + std::to_string(b) + " = " +
           std::to_string(applied(a, sign, b));
}

}  // namespace

std::string worked_out(int a, char sign, int b) {
    const int units = b % 10;
    const int tens = b - units;
    if (tens == 0 || units == 0)
        return equation(a, sign, b);
    return equation(a, sign, tens) + ", " + equation(applied(a, sign, tens), sign, units);
}

Lesson sum_lesson(base::Prng& prng) {
    int a = draw(0, addend_max, prng);
    int b = draw(0, addend_max, prng);
    const bool adds = prng.below(2) == 0;
    if (!adds && a < b)
        std::swap(a, b);
    const char sign = adds ? '+' : '-';
    const auto& patterns = adds ? additions : subtractions;
    const std::string_view pattern = patterns[draw(patterns, prng)];
    Lesson lesson;
    lesson.turns = {filled(pattern, {{"a", std::to_string(a)}, {"b", std::to_string(b)}})};
    const std::string result = equation(a, sign, b);
    const std::string working = worked_out(a, sign, b);
    lesson.answer = working == result ? result + '.' : working + ". So " + result + '.';
    lesson.held_out = holds_out(std::to_string(a) + ' ' + sign + ' ' + std::to_string(b));
    return lesson;
}

}  // namespace idlewatt::lessons
