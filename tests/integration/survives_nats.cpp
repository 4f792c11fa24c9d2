// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// nats-server is killed and started again in mid-stream: streams go on from the last
// acknowledgement on the same car; they are not restarted.
#include <cstdio>
#include <memory>

#include <signal.h>

#include <gtest/gtest.h>

#include "chat_client.hpp"
#include "demo_process.hpp"

namespace idlewatt::test {
namespace {

TEST(SurvivesNats, StreamsGoOnWithoutANewAttempt) {
    DemoProcess demo({.vehicles = 3});
    demo.wait_until_ready();
    Question question;
    question.max_tokens = 600;
    question.more_fields = ",\"ignore_eos\":true";
    ChatAnswer reference(demo, question);
    ASSERT_TRUE(reference.wait_for_end());
    ASSERT_TRUE(reference.whole());
    std::vector<double> pauses_ms;
    for (std::uint32_t round = 0; round < rounds(3); ++round) {
        const std::uint64_t attempts_before = demo.figures().attempts;
        std::vector<std::unique_ptr<ChatAnswer>> answers;
        for (int i = 0; i < 3; ++i)
            answers.push_back(std::make_unique<ChatAnswer>(demo, question));
        for (const auto& answer : answers)
            ASSERT_TRUE(answer->wait_for_pieces(10));
        const int nats = demo.pid_of("nats.pid");
        ASSERT_NO_FATAL_FAILURE(signal_process(nats, SIGKILL));
        for (const auto& answer : answers) {
            ASSERT_TRUE(answer->wait_for_end());
            EXPECT_TRUE(answer->whole()) << answer->record().error_message;
            EXPECT_EQ(answer->record().text, reference.record().text);
            pauses_ms.push_back(cli::longest_pause_of(answer->record()).milliseconds());
        }
        EXPECT_NE(demo.pid_of("nats.pid"), nats);
        const auto attempts = demo.figures().attempts - attempts_before;
        std::printf("nats-server killed: 3 answers in %lu attempts\n",
                    static_cast<unsigned long>(attempts));
        EXPECT_EQ(attempts, 3U);
        demo.wait_until_ready(base::seconds(20));
        if (HasFatalFailure())
            return;
    }
    print_quantiles("nats-server killed: longest pause", pauses_ms);
}

}  // namespace
}  // namespace idlewatt::test
