// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Somebody gets in while the car answers: the engine is gone within 50 ms of the signal at the
// p99, no token comes from it after that, and the answer goes on elsewhere.
#include <cstdio>
#include <map>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "chat_client.hpp"
#include "demo_process.hpp"
#include "engine/tap.hpp"

namespace idlewatt::test {
namespace {

constexpr double recall_p99_ms_max = 50.0;
constexpr std::uint32_t questions = 5;

Question question_number(std::uint32_t number) {
    Question question;
    question.text = "Round " + std::to_string(number % questions);
    question.max_tokens = 120;
    question.more_fields = ",\"ignore_eos\":true";
    return question;
}

// What a car's engine said for an answer: all of it, and what came after a time.
struct Said {
    std::size_t frames = 0;
    std::size_t frames_after = 0;
};

Said said_for(const DemoProcess& demo, const std::string& vehicle, const cli::AnswerRecord& record,
              base::WallTime time) {
    const auto frames = engine::read_tap(demo.folder() + "/state/vehicles/" + vehicle + "/tap.bin");
    EXPECT_TRUE(frames) << frames.error().message;
    const std::string work = std::string(cli::work_id_of(record)) + "-";
    Said said;
    for (const engine::TapFrame& frame : frames ? *frames : std::vector<engine::TapFrame>{}) {
        if (frame.direction != engine::TapDirection::from_engine || !frame.label.starts_with(work))
            continue;
        ++said.frames;
        if (frame.at > time)
            ++said.frames_after;
    }
    return said;
}

TEST(SurvivesRecall, TheEngineIsGoneAndTheAnswerGoesOn) {
    DemoProcess demo({.vehicles = 3});
    demo.wait_until_ready();
    base::Prng prng(5);
    const std::uint32_t count = rounds(10);
    std::map<std::string, std::string> references;
    std::uint32_t differ = 0;
    std::vector<double> gone_ms;
    std::vector<double> pauses_ms;
    for (std::uint32_t i = 0; i < count; ++i) {
        const Question question = question_number(i);
        if (!references.contains(question.text))
            references[question.text] = undisturbed(demo, question);
        ChatAnswer answer(demo, question);
        ASSERT_TRUE(answer.wait_for_text(references[question.text].size() * (2 + prng.below(80)) /
                                         question.max_tokens));
        const std::string vehicle = demo.serving_vehicle();
        ASSERT_FALSE(vehicle.empty());
        const int engine = demo.engine_pid(vehicle);
        ASSERT_GT(engine, 1);
        ASSERT_TRUE(process_runs(engine));
        // The clock starts before the order leaves, so it counts HTTP and NATS as well.
        const base::Instant began = demo.loop().now();
        demo.signal(vehicle, "{\"occupied\":true}");
        while (process_runs(engine) && demo.loop().now() - began < base::seconds(30)) {
        }
        const base::WallTime gone_at = demo.loop().wall_now();
        gone_ms.push_back((demo.loop().now() - began).milliseconds());
        ASSERT_TRUE(answer.wait_for_end());
        EXPECT_TRUE(answer.whole()) << answer.record().error_message;
        const Said said = said_for(demo, vehicle, answer.record(), gone_at);
        EXPECT_GT(said.frames, 0U);
        EXPECT_EQ(said.frames_after, 0U) << "a token of an engine that was gone";
        const std::string& expected = references[question.text];
        if (answer.record().text != expected) {
            ++differ;
            std::printf("round %u: '%s' instead of '%s'\n", i, answer.record().text.c_str(),
                        expected.c_str());
        }
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
    // Ties of two tokens may fall otherwise after the prefill elsewhere.
    EXPECT_LE(differ, (count + 49) / 50);
    EXPECT_LE(quantile_of(gone_ms, 0.99), bar_ms(recall_p99_ms_max));
}

}  // namespace
}  // namespace idlewatt::test
