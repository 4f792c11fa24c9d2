// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "lessons/lessons.hpp"

#include <array>

#include "base/assert.hpp"
#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

struct Subject {
    Kind kind;
    std::string_view name;
    Lesson (*make)(base::Prng&);
};

constexpr std::array subjects = {
    Subject{Kind::sum, "sum", sum_lesson},       Subject{Kind::reason, "reason", reason_lesson},
    Subject{Kind::ready, "ready", ready_lesson}, Subject{Kind::charge, "charge", charge_lesson},
    Subject{Kind::talk, "talk", talk_lesson},    Subject{Kind::unknown, "unknown", unknown_lesson},
};

constexpr std::array all_kinds = {Kind::sum,    Kind::reason, Kind::ready,
                                  Kind::charge, Kind::talk,   Kind::unknown};

const Subject& subject(Kind kind) {
    const Subject& found = subjects.at(static_cast<std::size_t>(kind));
    IDLEWATT_ASSERT(found.kind == kind);
    return found;
}

std::string_view trimmed(std::string_view text) {
    constexpr std::string_view white = " \t\r\n";
    const std::size_t begin = text.find_first_not_of(white);
    if (begin == text.npos)
        return {};
    return text.substr(begin, text.find_last_not_of(white) - begin + 1);
}

}  // namespace

std::span<const Kind> kinds() {
    return all_kinds;
}

std::string_view name(Kind kind) {
    return subject(kind).name;
}

Lesson make_lesson(Kind kind, base::Prng& prng) {
    Lesson lesson = subject(kind).make(prng);
    lesson.kind = kind;
    IDLEWATT_ASSERT(lesson.turns.size() % 2 == 1 && !lesson.answer.empty());
    return lesson;
}

Lesson make_lesson(Kind kind, bool held_out, base::Prng& prng) {
    for (;;) {
        Lesson lesson = make_lesson(kind, prng);
        if (lesson.held_out == held_out)
            return lesson;
    }
}

bool is_right(const Lesson& lesson, std::string_view reply) {
    return trimmed(reply) == lesson.answer;
}

std::string filled(std::string_view pattern, std::initializer_list<Filling> fillings) {
    std::string text;
    while (!pattern.empty()) {
        const std::size_t open = pattern.find('{');
        text += pattern.substr(0, open);
        if (open == pattern.npos)
            break;
        const std::size_t close = pattern.find('}', open);
        IDLEWATT_ASSERT(close != pattern.npos);
        const std::string_view wanted = pattern.substr(open + 1, close - open - 1);
        bool found = false;
        for (const Filling& filling : fillings) {
            if (filling.name == wanted) {
                text += filling.text;
                found = true;
            }
        }
        IDLEWATT_ASSERT(found);
        pattern.remove_prefix(close + 1);
    }
    return text;
}

bool holds_out(std::string_view content) {
    // FNV-1a, then a mixer: its low bits alone are weak.
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : content)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return base::Prng(hash).below(held_out_of) == 0;
}

}  // namespace idlewatt::lessons
