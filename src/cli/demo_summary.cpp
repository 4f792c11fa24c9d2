// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_summary.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

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

std::string milliseconds_line(const std::vector<double>& values) {
    if (values.empty())
        return "none";
    std::array<char, 96> text{};
    std::snprintf(text.data(), text.size(), "median %.1f ms, p99 %.1f ms, longest %.1f ms",
                  quantile(values, 0.50), quantile(values, 0.99), quantile(values, 1.0));
    return text.data();
}

std::string count(std::uint64_t number, std::string_view thing) {
    return std::to_string(number) + ' ' + std::string(thing) + (number == 1 ? "" : "s");
}

void add_doubts(const ComparisonResult& comparison, std::string& out) {
    const std::array doubts{
        std::pair{comparison.foreign_bytes, "bytes of text that no engine said"},
        std::pair{comparison.wrong_resumes, "answers went on from other tokens than had been said"},
        std::pair{comparison.cut_short, "answers given out as whole that no engine had ended"},
        std::pair{comparison.usage_differs, "answers with a wrong count of tokens"},
        std::pair{comparison.unreadable, "answers that could not be judged"}};
    for (const auto& [number, what] : doubts) {
        if (number > 0)
            out += "  WRONG     " + std::to_string(number) + ' ' + what + '\n';
    }
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
    const wire::GatewayFigures& gateway = result.gateway;
    const ComparisonResult& comparison = result.comparison;
    std::array<char, 32> rate{};
    std::snprintf(rate.data(), rate.size(), "%.1f", tokens_per_second(result));
    std::string out = count(result.vehicles, "car") + ", " +
                      count(gateway.requests_started, "answer") +
                      " begun: " + std::to_string(gateway.requests_completed) + " completed, " +
                      std::to_string(gateway.requests_failed) + " failed, " +
                      std::to_string(gateway.requests_failed_no_capacity) + " without a car, " +
                      std::to_string(gateway.requests_cancelled) + " given up by the client; " +
                      std::to_string(gateway.requests_rejected) + " refused\n";
    out += "  tokens    " + std::to_string(comparison.tokens.delivered) + " delivered (" +
           rate.data() + " tokens/s), " + std::to_string(comparison.tokens.lost) + " lost, " +
           std::to_string(comparison.tokens.duplicated) +
           " duplicated, as the engines' sockets and the clients tell\n";
    out += "  moved     " + count(gateway.migrations, "answer") +
           " to another car; pause: " + milliseconds_line(gateway.migration_gaps_ms) + '\n';
    out += "  recalls   " + std::to_string(result.recalls_ms.size()) +
           "; signal to engine gone: " + milliseconds_line(result.recalls_ms) + '\n';
    out += "  receipts  " + std::to_string(result.receipts_signed) + " signed, " +
           std::to_string(result.receipts_acknowledged) + " acknowledged\n";
    add_doubts(comparison, out);
    return out;
}

}  // namespace idlewatt::cli
