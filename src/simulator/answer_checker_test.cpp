// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The judge is judged: right answers in any cut pass, every kind of wrong one is named.
#include "simulator/answer_checker.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::simulator {
namespace {

const std::string request = R"({"max_tokens":5,"stream":true})";

std::string chunk(const nlohmann::json& delta, const nlohmann::json& finish = nullptr) {
    const nlohmann::json choice = {{"index", 0}, {"delta", delta}, {"finish_reason", finish}};
    const nlohmann::json object = {{"id", "chatcmpl-w"},
                                   {"object", "chat.completion.chunk"},
                                   {"choices", nlohmann::json::array({choice})}};
    return "data: " + object.dump() + "\n\n";
}

std::string text(std::uint32_t position) {
    return chunk({{"content", engine::MemoryAnswer::to(request).text(position)}});
}

std::string usage(std::uint32_t tokens) {
    const auto prompt = request.size() / 4 + 1;
    const nlohmann::json object = {{"id", "chatcmpl-w"},
                                   {"object", "chat.completion.chunk"},
                                   {"choices", nlohmann::json::array()},
                                   {"usage",
                                    {{"prompt_tokens", prompt},
                                     {"completion_tokens", tokens},
                                     {"total_tokens", prompt + tokens}}}};
    return "data: " + object.dump() + "\n\n";
}

const std::string role = chunk({{"role", "assistant"}, {"content", ""}});
const std::string finish = chunk(nlohmann::json::object(), "length");
const std::string done = "data: [DONE]\n\n";
const std::string error = "data: {\"error\":{\"code\":\"worker_preempted\",\"message\":\"m\"}}\n\n";

std::string whole() {
    std::string all = role;
    for (std::uint32_t i = 0; i < 5; ++i)
        all += text(i);
    return all + ": a comment\n\n" + finish + usage(5) + done;
}

AnswerChecker judge(const std::string& bytes, bool complete = true, std::size_t cut = 1000) {
    AnswerChecker checker(request, true);
    checker.head(200, false);
    for (std::size_t at = 0; at < bytes.size(); at += cut)
        checker.body(std::string_view(bytes).substr(at, cut));
    checker.end(complete);
    return checker;
}

std::string first_complaint(const std::string& bytes) {
    const AnswerChecker checker = judge(bytes);
    return checker.violations().empty() ? "" : checker.violations().front();
}

TEST(AnswerChecker, PassesTheRightAnswerHoweverItIsCut) {
    for (const std::size_t cut : {1, 2, 7, 100, 10'000}) {
        const AnswerChecker checker = judge(whole(), true, cut);
        EXPECT_TRUE(checker.violations().empty()) << checker.violations().front();
        EXPECT_EQ(checker.ended(), AnswerEnd::whole);
        EXPECT_EQ(checker.work(), "w");
        EXPECT_EQ(checker.tokens_received(), 5u);
    }
}

TEST(AnswerChecker, PassesWhatEndsOpenly) {
    EXPECT_EQ(judge(role + text(0) + error).ended(), AnswerEnd::error);
    EXPECT_TRUE(judge(role + text(0) + error).violations().empty());
    EXPECT_EQ(judge(role + text(0), false).ended(), AnswerEnd::broken);
    EXPECT_EQ(judge(role + text(0), false).tokens_received(), 1u);
}

TEST(AnswerChecker, SeesWhatIsSkippedRepeatedOrCut) {
    EXPECT_NE(first_complaint(role + text(0) + text(2) + error).find("instead of"),
              std::string::npos);
    EXPECT_NE(first_complaint(role + text(0) + text(0) + error).find("instead of"),
              std::string::npos);
    EXPECT_NE(first_complaint(role + text(0) + finish + usage(5) + done).find("finished after"),
              std::string::npos);
    EXPECT_NE(first_complaint(role + text(0)).find("cut silently"), std::string::npos);
    EXPECT_NE(first_complaint(role + text(0) + done).find("without finish_reason"),
              std::string::npos);
    EXPECT_NE(first_complaint(whole() + text(0)).find("after the last"), std::string::npos);
}

TEST(AnswerChecker, SeesWrongCounts) {
    std::string bytes = whole();
    bytes.replace(bytes.find(usage(5)), usage(5).size(), usage(6));
    EXPECT_NE(first_complaint(bytes).find("6 completion tokens"), std::string::npos);
    bytes = whole();
    bytes.erase(bytes.find(usage(5)), usage(5).size());
    EXPECT_NE(first_complaint(bytes).find("usage was asked for"), std::string::npos);
}

TEST(AnswerChecker, WantsRefusalsToBeOpen) {
    AnswerChecker checker(request, true);
    checker.head(503, false);
    checker.body("{\"error\":{\"code\":\"no_capacity\",\"message\":\"m\"}}");
    checker.end(true);
    EXPECT_EQ(checker.ended(), AnswerEnd::refused);
    ASSERT_EQ(checker.violations().size(), 1u);
    EXPECT_NE(checker.violations()[0].find("Retry-After"), std::string::npos);
}

}  // namespace
}  // namespace idlewatt::simulator
