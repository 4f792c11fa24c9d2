// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_summary.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;

TEST(Quantile, IsAlwaysAMeasuredValue) {
    EXPECT_EQ(quantile({}, 0.5), 0.0);
    EXPECT_EQ(quantile({7}, 0.01), 7.0);
    EXPECT_EQ(quantile({3, 1, 2}, 0.5), 2.0);
    EXPECT_EQ(quantile({4, 3, 2, 1}, 0.5), 2.0);
    std::vector<double> hundred;
    for (int i = 100; i >= 1; --i)
        hundred.push_back(i);
    EXPECT_EQ(quantile(hundred, 0.99), 99.0);
    EXPECT_EQ(quantile(hundred, 1.0), 100.0);
    hundred.push_back(1000);
    EXPECT_EQ(quantile(hundred, 0.99), 100.0);
}

TEST(DemoSummary, HasEveryMemberThatChecksRead) {
    DemoResult result;
    result.vehicles = 6;
    result.traffic_time = base::seconds(10);
    result.gateway.requests_started = 20;
    result.gateway.requests_completed = 18;
    result.gateway.migrations = 3;
    result.gateway.migration_gaps_ms = {10, 20, 30.04};
    result.comparison.tokens = {1000, 1, 2};
    result.recalls_ms = {4, 5};
    result.receipts_signed = 21;
    result.receipts_acknowledged = 20;
    const Json expected = Json::parse(R"({
        "vehicles": 6,
        "requests": {"started": 20, "completed": 18, "failed": 0, "failed_no_capacity": 0,
                     "rejected": 0},
        "tokens": {"delivered": 1000, "lost": 1, "duplicated": 2},
        "migrations": 3, "migration_gap_ms": {"p50": 20.0, "p99": 30.0, "max": 30.0},
        "recalls": 2, "recall_ms": {"p50": 4.0, "p99": 5.0, "max": 5.0},
        "tokens_per_second": 100.0,
        "receipts": {"signed": 21, "acknowledged": 20}})");
    EXPECT_EQ(Json::parse(summary_json(result)), expected);
    EXPECT_EQ(summary_json(result).find('\n'), std::string::npos);

    const Json empty = Json::parse(summary_json({}));
    EXPECT_EQ(empty["tokens_per_second"], 0.0);
    EXPECT_EQ(empty["recall_ms"]["max"], 0.0);
}

TEST(DemoSummary, TellsPeopleWhatIsWrong) {
    DemoResult result;
    EXPECT_EQ(summary_text(result).find("WRONG"), std::string::npos);
    result.comparison.foreign_bytes = 3;
    const std::string text = summary_text(result);
    EXPECT_NE(text.find("WRONG     3 bytes of text that no engine said"), std::string::npos)
        << text;
}

}  // namespace
}  // namespace idlewatt::cli
