// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A car that hangs: SIGSTOP of the agent or of the engine. Answers go on elsewhere within 3 s, and
// what wakes up late (SIGCONT) with its part of a running answer is ignored.
#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <signal.h>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "chat_client.hpp"
#include "demo_process.hpp"

namespace idlewatt::test {
namespace {

constexpr double stop_pause_ms_max = 3000.0;
constexpr base::Duration stopped_for = base::seconds(2);

std::string undisturbed_answer(DemoProcess& demo, const Question& question) {
    ChatAnswer answer(demo, question);
    EXPECT_TRUE(answer.wait_for_end());
    EXPECT_TRUE(answer.whole());
    return answer.record().text;
}

TEST(SurvivesStop, AnswersGoOnElsewhere) {
    DemoProcess demo({.vehicles = 3});
    demo.wait_until_ready();
    base::Prng prng(6);
    Question question;
    question.max_tokens = 500;
    question.more_fields = ",\"ignore_eos\":true";
    const std::string expected = undisturbed_answer(demo, question);
    const std::uint32_t count = rounds(3);
    for (const bool stop_agent : {true, false}) {
        std::vector<double> pauses_ms;
        std::uint32_t equal = 0;
        std::uint32_t woke_in_stream = 0;
        for (std::uint32_t i = 0; i < count; ++i) {
            ChatAnswer answer(demo, question);
            ASSERT_TRUE(
                answer.wait_for_text(expected.size() * (2 + prng.below(60)) / question.max_tokens));
            const std::string vehicle = demo.serving_vehicle();
            ASSERT_FALSE(vehicle.empty());
            const int pid = stop_agent ? demo.agent_pid(vehicle) : demo.engine_pid(vehicle);
            ASSERT_NO_FATAL_FAILURE(signal_process(pid, SIGSTOP));
            // Long enough that another car has the answer; then both would speak.
            demo.loop().run_for(stopped_for);
            woke_in_stream += answer.ended() ? 0 : 1;
            if (stop_agent) {
                ASSERT_NO_FATAL_FAILURE(signal_process(pid, SIGCONT));
            } else {
                // Its agent has ended an engine that hangs so long.
                ASSERT_GT(pid, 1);
                ASSERT_TRUE(kill(pid, SIGCONT) == 0 || errno == ESRCH);
            }
            ASSERT_TRUE(answer.wait_for_end());
            EXPECT_TRUE(answer.whole()) << answer.record().error_message;
            pauses_ms.push_back(cli::longest_pause_of(answer.record()).milliseconds());
            if (answer.record().text == expected)
                ++equal;
            demo.wait_until_ready(base::seconds(20));
            if (HasFatalFailure())
                return;
        }
        const std::string who = stop_agent ? "agent" : "engine";
        print_quantiles("SIGSTOP of the " + who + ": longest pause", pauses_ms);
        std::printf("SIGSTOP of the %s: %u of %u answers equal to the undisturbed one\n",
                    who.c_str(), equal, count);
        EXPECT_GE(woke_in_stream + (count + 9) / 10, count) << "the answers are too short";
        EXPECT_LE(*std::ranges::max_element(pauses_ms), bar_ms(stop_pause_ms_max));
        EXPECT_GE(equal + count / 50, count);
    }
}

}  // namespace
}  // namespace idlewatt::test
