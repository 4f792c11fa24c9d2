// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <set>
#include <string_view>

#include <nlohmann/json.hpp>

#include "base/assert.hpp"

namespace idlewatt::cli {

namespace {

using Json = nlohmann::ordered_json;

double rounded(double value) {
    return std::round(value * 10) / 10;
}

double tokens_per_second(const DemoResult& result) {
    const double seconds = result.traffic_time.seconds();
    return seconds > 0 ? static_cast<double>(result.comparison.tokens.delivered) / seconds : 0.0;
}

Json quantiles(const std::vector<double>& values) {
    return {{"p50", rounded(quantile(values, 0.50))},
            {"p99", rounded(quantile(values, 0.99))},
            {"max", rounded(quantile(values, 1.0))}};
}

// With commas: people read it.
std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) {
        at -= 3;
        digits.insert(at, ",");
    }
    return digits;
}

std::string count(std::uint64_t number, std::string_view thing) {
    return grouped(number) + ' ' + std::string(thing) + (number == 1 ? "" : "s");
}

std::string milliseconds_text(double milliseconds) {
    std::array<char, 32> text{};
    if (milliseconds < 1000) {
        std::snprintf(text.data(), text.size(), "%.0f ms", milliseconds);
    } else {
        std::snprintf(text.data(), text.size(), "%.1f s", milliseconds / 1000);
    }
    return text.data();
}

std::string answered_line(const DemoResult& result) {
    const wire::GatewayFigures& gateway = result.gateway;
    std::string out = "Answered " + grouped(gateway.requests_completed);
    const std::array others{
        std::pair{gateway.requests_failed, " failed"},
        std::pair{gateway.requests_failed_no_capacity, " found no car"},
        std::pair{gateway.requests_cancelled, " were given up by those who asked"},
        std::pair{gateway.requests_rejected, " were refused"}};
    std::uint64_t all = gateway.requests_started + gateway.requests_rejected;
    std::string why;
    for (const auto& [number, what] : others) {
        if (number > 0)
            why += (why.empty() ? ": " : ", ") + grouped(number) + what;
    }
    all = std::max(all, gateway.requests_completed);
    if (all > gateway.requests_completed)
        out += " of " + count(all, "question") + why + ".";
    else
        out += gateway.requests_completed == 1 ? " question." : " questions.";
    if (result.answers_checked > 0) {
        out += ' ' + grouped(result.answers_correct) + " of " + grouped(result.answers_checked) +
               " checked answers were right.";
    }
    return out + '\n';
}

std::string moved_line(const wire::GatewayFigures& gateway) {
    if (gateway.migrations == 0)
        return "No answer lost its car.\n";
    std::string out = count(gateway.migrations, "time") +
                      " an answer lost its car in the middle and went on in another one";
    const std::vector<double>& gaps = gateway.migration_gaps_ms;
    if (!gaps.empty()) {
        out += ", after a pause of " + milliseconds_text(quantile(gaps, 0.5)) + " (median), " +
               milliseconds_text(quantile(gaps, 1.0)) + " at most";
    }
    return out + ".\n";
}

std::string recalls_line(const std::vector<double>& recalls_ms) {
    if (recalls_ms.empty())
        return "No car was needed while its engine ran.\n";
    return count(recalls_ms.size(), "time") +
           " a car was needed or in doubt: its engine was gone after " +
           milliseconds_text(quantile(recalls_ms, 0.5)) + " (median), " +
           milliseconds_text(quantile(recalls_ms, 1.0)) + " at most.\n";
}

// Long lines are broken between words, so that they can be read on any terminal.
std::string folded(std::string_view text) {
    constexpr std::size_t columns = 79;
    std::string out;
    std::size_t used = 0;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of(" \n"), text.size());
        if (used > 2 && used + 1 + end > columns) {
            out += "\n  ";
            used = 2;
        } else if (used > 0) {
            out += ' ';
            ++used;
        }
        out += text.substr(0, end);
        used += end;
        if (end < text.size() && text[end] == '\n') {
            out += '\n';
            used = 0;
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return out;
}

void add_doubts(const ComparisonResult& comparison, std::string& out) {
    const std::array doubts{
        std::pair{comparison.tokens.lost, "tokens lost"},
        std::pair{comparison.tokens.duplicated, "tokens said twice"},
        std::pair{comparison.foreign_bytes, "bytes of text that no engine said"},
        std::pair{comparison.wrong_resumes, "answers went on from other tokens than had been said"},
        std::pair{comparison.cut_short, "answers given out as whole that no engine had ended"},
        std::pair{comparison.usage_differs, "answers with a wrong count of tokens"},
        std::pair{comparison.unreadable, "answers that could not be judged"}};
    for (const auto& [number, what] : doubts) {
        if (number > 0)
            out += "WRONG     " + std::to_string(number) + ' ' + what + '\n';
    }
}

// Nothing that a model said can steer a terminal or fill it.
std::string as_json_text(std::string text) {
    constexpr std::size_t bytes_max = 160;
    if (text.size() > bytes_max)
        text = text.substr(0, bytes_max) + "…";
    return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

// Each question once.
void add_wrong_answers(const std::vector<WrongAnswer>& answers, std::string& out) {
    std::set<std::string_view> shown;
    for (const WrongAnswer& answer : answers) {
        if (shown.size() >= wrong_answers_shown_max || !shown.insert(answer.question).second)
            continue;
        out += "Not right: " + as_json_text(answer.question) + " was answered " +
               as_json_text(answer.answered) + ", not " + as_json_text(answer.right) + '\n';
    }
    std::set<std::string_view> all;
    for (const WrongAnswer& answer : answers)
        all.insert(answer.question);
    if (all.size() > shown.size())
        out += "And " + std::to_string(all.size() - shown.size()) + " other questions.\n";
}

}  // namespace

double quantile(std::vector<double> values, double share) {
    IDLEWATT_ASSERT(share > 0 && share <= 1);
    if (values.empty())
        return 0.0;
    const auto rank =
        static_cast<std::size_t>(std::ceil(share * static_cast<double>(values.size()) - 1e-9));
    const std::size_t index = std::clamp<std::size_t>(rank, 1, values.size()) - 1;
    std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(index),
                     values.end());
    return values[index];
}

std::string summary_json(const DemoResult& result) {
    const wire::GatewayFigures& gateway = result.gateway;
    const TokenTally& tokens = result.comparison.tokens;
    Json json;
    json["vehicles"] = result.vehicles;
    json["requests"] = {{"started", gateway.requests_started},
                        {"completed", gateway.requests_completed},
                        {"failed", gateway.requests_failed},
                        {"failed_no_capacity", gateway.requests_failed_no_capacity},
                        {"rejected", gateway.requests_rejected}};
    json["tokens"] = {
        {"delivered", tokens.delivered}, {"lost", tokens.lost}, {"duplicated", tokens.duplicated}};
    json["answers"] = {{"checked", result.answers_checked}, {"correct", result.answers_correct}};
    json["migrations"] = gateway.migrations;
    json["migration_gap_ms"] = quantiles(gateway.migration_gaps_ms);
    json["recalls"] = result.recalls_ms.size();
    json["recall_ms"] = quantiles(result.recalls_ms);
    json["tokens_per_second"] = rounded(tokens_per_second(result));
    json["receipts"] = {{"signed", result.receipts_signed},
                        {"acknowledged", result.receipts_acknowledged}};
    return json.dump();
}

std::string summary_text(const DemoResult& result) {
    const TokenTally& tokens = result.comparison.tokens;
    std::string out = answered_line(result);
    out += moved_line(result.gateway);
    out += "Tokens lost " + grouped(tokens.lost) + ", duplicated " + grouped(tokens.duplicated) +
           ", of " + grouped(tokens.delivered) + " (" +
           grouped(static_cast<std::uint64_t>(std::llround(tokens_per_second(result)))) +
           " a second): what left the engines compared with what reached the clients.\n";
    out += recalls_line(result.recalls_ms);
    out += count(result.receipts_signed, "receipt") + " signed, " +
           grouped(result.receipts_acknowledged) + " acknowledged.\n";
    add_wrong_answers(result.wrong_answers, out);
    out = folded(out);
    add_doubts(result.comparison, out);
    return out;
}

}  // namespace idlewatt::cli
