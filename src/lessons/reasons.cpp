// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>

#include "core/reason.hpp"
#include "lessons/subjects.hpp"

namespace idlewatt::lessons {

namespace {

using core::ReasonInfo;
using core::ReasonKind;

constexpr std::array meanings = {"What does {r} mean?",
                                 "My car says {r}. What does it mean?",
                                 "Why does my car say {r}?",
                                 "Explain {r}.",
                                 "What is {r}?",
                                 "My car shows {r}. Why?",
                                 "Please explain {r} to me.",
                                 "The car is idle and says {r}. Why?"};
constexpr std::array ends = {"How does {r} end?",
                             "What ends {r}?",
                             "Who can end {r}?",
                             "My car says {r}. How does it end?",
                             "What has to happen after {r}?",
                             "When does {r} end?"};
constexpr std::array stops = {"Is {r} a recall or a drain?", "What happens to the work at {r}?",
                              "What does {r} do to running work?",
                              "Does {r} stop the work at once?"};

std::string end_of(const ReasonInfo& reason) {
    return "It ends by: " + std::string(reason.cleared_by) + ".";
}

std::string effect_of(const ReasonInfo& reason) {
    switch (reason.kind) {
        case ReasonKind::recall:
            return "It is a recall: the work stops at once and goes on in another car.";
        case ReasonKind::drain:
            return "It is a drain: the car hands over its work and takes no more.";
        case ReasonKind::service:
            return "Neither: it tells the state of the service.";
    }
    return {};
}

}  // namespace

Lesson reason_lesson(base::Prng& prng) {
    const auto table = core::reason_table();
    const ReasonInfo& reason = table[draw(table, prng)];
    Lesson lesson;
    std::string_view pattern;
    switch (prng.below(4)) {
        case 0:
            pattern = ends[draw(ends, prng)];
            lesson.answer = end_of(reason);
            break;
        case 1:
            pattern = stops[draw(stops, prng)];
            lesson.answer = effect_of(reason);
            break;
        default:
            pattern = meanings[draw(meanings, prng)];
            lesson.answer = reason.sentence;
    }
    lesson.turns = {filled(pattern, {{"r", std::string(reason.name)}})};
    lesson.held_out = holds_out(lesson.turns.front());
    return lesson;
}

}  // namespace idlewatt::lessons
