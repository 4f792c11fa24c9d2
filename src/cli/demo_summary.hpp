// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a demo found, as the JSON object that outside checks read and as lines for people. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "cli/answer_comparison.hpp"
#include "cli/traffic_questions.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::cli {

struct DemoResult {
    std::uint32_t vehicles = 0;
    base::Duration traffic_time;  // from the first question to the last answer
    wire::GatewayFigures gateway;
    ComparisonResult comparison;
    std::uint64_t answers_checked = 0;  // whole answers to questions with one right answer
    std::uint64_t answers_correct = 0;
    std::vector<WrongAnswer> wrong_answers;
    std::vector<double> recalls_ms;  // from the signal to the end of the engine, each
    std::uint64_t receipts_signed = 0;
    std::uint64_t receipts_acknowledged = 0;
};

// The smallest value that at least the share of all values does not exceed (the nearest-rank
// definition: always a value that was measured). 0 for no values.
[[nodiscard]] double quantile(std::vector<double> values, double share);

[[nodiscard]] std::string summary_json(const DemoResult& result);
inline constexpr std::size_t wrong_answers_shown_max = 3;
// In words, one sentence a line; loud where something is wrong. Without the findings about single
// answers.
[[nodiscard]] std::string summary_text(const DemoResult& result);

}  // namespace idlewatt::cli
