// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Somebody gets in while the car answers: the engine is gone within 50 ms of the signal at the
// p99, no token comes from it after that, and the answer goes on elsewhere.
#include <cstdio>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "chat_client.hpp"
#include "demo_process.hpp"

namespace idlewatt::test {
namespace {

constexpr double recall_p99_ms_max = 50.0;

TEST(SurvivesRecall, TheEngineIsGoneAndTheAnswerGoesOn) {
    DemoProcess demo({.vehicles = 3});
    demo.wait_until_ready();
    base::Prng prng(5);
    const std::uint32_t count = rounds(10);
    std::vector<double> gone_ms;
    std::vector<double> pauses_ms;
    for (std::uint32_t i = 0; i < count; ++i) {
        Question question;
        question.text = "Round " + std::to_string(i);
        question.max_tokens = 120;
        question.more_fields = ",\"ignore_eos\":true";
        ChatAnswer answer(demo, question);
        ASSERT_TRUE(answer.wait_for_pieces(2 + prng.below(80)));
        const std::string vehicle = demo.serving_vehicle();
        ASSERT_FALSE(vehicle.empty());
        const int engine = demo.engine_pid(vehicle);
        ASSERT_TRUE(process_runs(engine));
        // The clock starts before the order leaves, so it counts HTTP and NATS as well.
        const base::Instant began = demo.loop().now();
        demo.signal(vehicle, "{\"occupied\":true}");
        while (process_runs(engine) && demo.loop().now() - began < base::seconds(5)) {
        }
        gone_ms.push_back((demo.loop().now() - began).milliseconds());
        ASSERT_TRUE(answer.wait_for_end());
        EXPECT_TRUE(answer.whole()) << answer.record().error_message;
        pauses_ms.push_back(cli::longest_pause_of(answer.record()).milliseconds());
        for (const wire::VehicleRow& row : demo.vehicles()) {
            if (row.announcement.vehicle.value == vehicle) {
                EXPECT_EQ(row.reason, core::Reason::occupied);
                EXPECT_EQ(row.active_requests, 0U);
            }
        }
        EXPECT_FALSE(process_runs(demo.engine_pid(vehicle)));
        demo.signal(vehicle, "{\"occupied\":false}");
        demo.wait_until_ready(base::seconds(20));
        if (HasFatalFailure())
            return;
    }
    print_quantiles("recall: engine gone after the signal was sent", gone_ms);
    print_quantiles("recall: longest pause", pauses_ms);
    EXPECT_LE(quantile_of(gone_ms, 0.99), recall_p99_ms_max);
}

}  // namespace
}  // namespace idlewatt::test
