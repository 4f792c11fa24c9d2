// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the demonstration's clients ask. Pure: the same generator gives the same questions.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/prng.hpp"
#include "lessons/lessons.hpp"

namespace idlewatt::cli {

enum class TrafficSubject {
    notes,    // long answers to anything; any model can, none is right or wrong
    lessons,  // what Valet was taught, with contents that it was never taught
};

struct TrafficQuestionOptions {
    TrafficSubject subject = TrafficSubject::notes;
    double streamed_share = 0.85;  // of the questions; the others wait for the whole answer
    // Notes only. Sampled: with temperature 0.7 and a seed; the others with 0.
    double sampled_share = 0.5;
    std::uint32_t max_tokens_min = 24;
    std::uint32_t max_tokens_max = 160;
};

// More than any lesson's answer needs.
inline constexpr std::uint32_t lesson_answer_tokens_max = 64;

struct TrafficQuestion {
    std::string prompt;  // the last turn
    std::string body;    // of a request for a chat completion
    bool streamed = false;
    std::optional<lessons::Lesson> lesson;  // with the one right answer
};

// To a lesson.
struct WrongAnswer {
    std::string question;
    std::string answered;
    std::string right;
};

[[nodiscard]] TrafficQuestion make_traffic_question(const TrafficQuestionOptions& options,
                                                    base::Prng& prng);

}  // namespace idlewatt::cli
