// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Makes short English conversations about parked cars, with the one right answer to each: what the
// demonstration's own model learns from, is examined with, and is asked in the demonstration. Pure:
// the same generator gives the same lessons everywhere.
//
// One lesson in held_out_of is held out: no lesson with the same content is ever taught, whatever
// its wording (sums: the same numbers; a car: the same charge and reserve), or, where a content is
// one of a closed list, no lesson with the same content in the same words.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/prng.hpp"

namespace idlewatt::lessons {

enum class Kind {
    sum,      // 12 + 7
    reason,   // what a reason's name means, how it ends, what it does to running work
    ready,    // may this car work?
    charge,   // how much charge is to spare, how much energy a battery holds
    talk,     // greetings, names, thanks
    unknown,  // what it was not taught, which it says
};

inline constexpr std::uint64_t held_out_of = 8;

struct Lesson {
    Kind kind = Kind::talk;
    std::vector<std::string>
        turns;  // user and assistant in turn; the first and last are the user's
    std::string answer;
    bool held_out = false;
};

[[nodiscard]] std::span<const Kind> kinds();
[[nodiscard]] std::string_view name(Kind kind);

[[nodiscard]] Lesson make_lesson(Kind kind, base::Prng& prng);
// Until one is drawn that is held out, or is not.
[[nodiscard]] Lesson make_lesson(Kind kind, bool held_out, base::Prng& prng);

// Whether a reply is the right answer; white space at its ends does not count.
[[nodiscard]] bool is_right(const Lesson& lesson, std::string_view reply);

}  // namespace idlewatt::lessons
