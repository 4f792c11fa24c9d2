// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo_summary.hpp"

#include <sstream>

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
    result.answers_checked = 17;
    result.answers_correct = 16;
    result.recalls_ms = {4, 5};
    result.receipts_signed = 21;
    result.receipts_acknowledged = 20;
    const Json expected = Json::parse(R"({
        "vehicles": 6,
        "requests": {"started": 20, "completed": 18, "failed": 0, "failed_no_capacity": 0,
                     "rejected": 0},
        "tokens": {"delivered": 1000, "lost": 1, "duplicated": 2},
        "answers": {"checked": 17, "correct": 16},
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

TEST(DemoSummary, TellsPeopleWhatHappened) {
    DemoResult result;
    result.traffic_time = base::seconds(10);
    result.gateway.requests_started = result.gateway.requests_completed = 1412;
    result.gateway.migrations = 14;
    result.gateway.migration_gaps_ms = {20, 48.4, 1234};
    result.comparison.tokens = {18'220, 0, 0};
    result.answers_checked = 1412;
    result.answers_correct = 1409;
    result.recalls_ms = {4, 5, 12};
    result.receipts_signed = result.receipts_acknowledged = 1;
    EXPECT_EQ(summary_text(result),
              R"(Answered 1,412 questions. 1,409 of 1,412 checked answers were right.
14 times an answer lost its car in the middle and went on in another one, after
  a pause of 48 ms (median), 1.2 s at most.
Tokens lost 0, duplicated 0, of 18,220 (1,822 a second): what left the engines
  compared with what reached the clients.
3 times a car was needed or in doubt: its engine was gone after 5 ms (median),
  12 ms at most.
1 receipt signed, 1 acknowledged.
)");
}

TEST(DemoSummary, SaysWhyNotAllWereAnswered) {
    DemoResult result;
    result.gateway.requests_started = 10;
    result.gateway.requests_completed = 6;
    result.gateway.requests_failed = 1;
    result.gateway.requests_failed_no_capacity = 2;
    result.gateway.requests_cancelled = 1;
    result.gateway.requests_rejected = 3;
    const std::string text = summary_text(result);
    EXPECT_TRUE(
        text.starts_with("Answered 6 of 13 questions: 1 failed, 2 found no car, 1 were "
                         "given up by those\n  who asked, 3 were refused.\n"))
        << text;
    // Nothing is claimed of what did not happen.
    EXPECT_EQ(text.find("right"), std::string::npos) << text;
    EXPECT_NE(text.find("No answer lost its car.\nTokens"), std::string::npos) << text;
    EXPECT_NE(text.find("No car was needed"), std::string::npos) << text;
}

TEST(DemoSummary, TellsPeopleWhatIsWrong) {
    DemoResult result;
    EXPECT_EQ(summary_text(result).find("WRONG"), std::string::npos);
    result.comparison.foreign_bytes = 3;
    result.comparison.tokens.lost = 2;
    const std::string text = summary_text(result);
    EXPECT_NE(text.find("\nWRONG     3 bytes of text that no engine said"), std::string::npos)
        << text;
    EXPECT_NE(text.find("\nWRONG     2 tokens lost"), std::string::npos) << text;
}

TEST(DemoSummary, ShowsSomeAnswersThatWereNotRightOnce) {
    DemoResult result;
    for (const char* question : {"1 + 1?", "1 + 1?", "2 + 2?", "3 + 3?", "4 + 4?"})
        result.wrong_answers.push_back({question, "\x1b[2J9.", "2."});
    const std::string text = summary_text(result);
    std::size_t shown = 0;
    for (std::size_t at = 0; (at = text.find("Not right: ", at)) != std::string::npos; ++at)
        ++shown;
    EXPECT_EQ(shown, wrong_answers_shown_max);
    EXPECT_NE(text.find(R"(Not right: "2 + 2?" was answered "\u001b[2J9.", not "2.")"),
              std::string::npos)
        << text;
}

TEST(DemoSummary, IsReadableOnAnyTerminal) {
    DemoResult result;
    result.wrong_answers.push_back({std::string(2'000, 'x'), "y", "z"});
    std::istringstream lines(summary_text(result));
    for (std::string line; std::getline(lines, line);)
        EXPECT_TRUE(line.size() < 80 || (line.find("xxx…") != line.npos && line.size() < 180))
            << line;
}

}  // namespace
}  // namespace idlewatt::cli
