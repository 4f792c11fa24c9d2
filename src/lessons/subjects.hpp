// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One function for each kind of lesson. Internal to the module.
#pragma once

#include <cstddef>
#include <initializer_list>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "lessons/lessons.hpp"

namespace idlewatt::lessons {

// One of a list; the index too, for contents.
template <class List>
std::size_t draw(const List& list, base::Prng& prng) {
    return static_cast<std::size_t>(prng.below(std::size(list)));
}

inline int draw(int first, int last, base::Prng& prng) {
    return first + static_cast<int>(prng.below(static_cast<std::uint64_t>(last - first + 1)));
}

// Puts what is given for {a}, {b} and so on.
struct Filling {
    std::string_view name;
    std::string text;
};
[[nodiscard]] std::string filled(std::string_view pattern, std::initializer_list<Filling> fillings);

// Whether what has this content is held out: by a hash that is the same everywhere.
[[nodiscard]] bool holds_out(std::string_view content);

// As one does it in the head, first the tens and then the rest: "92 - 50 = 42, 42 - 5 = 37".
// So each step is one that a small model can learn from a few hundred examples.
[[nodiscard]] std::string worked_out(int a, char sign, int b);

[[nodiscard]] Lesson sum_lesson(base::Prng& prng);
[[nodiscard]] Lesson reason_lesson(base::Prng& prng);
[[nodiscard]] Lesson ready_lesson(base::Prng& prng);
[[nodiscard]] Lesson charge_lesson(base::Prng& prng);
[[nodiscard]] Lesson talk_lesson(base::Prng& prng);
[[nodiscard]] Lesson unknown_lesson(base::Prng& prng);

}  // namespace idlewatt::lessons
