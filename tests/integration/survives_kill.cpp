// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers at temperature 0 whose car is killed at a random moment: what was sent stays, and the
// whole equals the undisturbed answer. For F32 that is demanded (at most 1 in 100 may differ, from
// a token on whose two best log-probabilities are closer than 0.02); for F16 and Q8_0 the rate is
// printed, since their prefill and decode differ by more than that.
#include <cmath>
#include <cstdio>
#include <fstream>
#include <map>

#include <signal.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "chat_client.hpp"
#include "demo_process.hpp"

namespace idlewatt::test {
namespace {

constexpr double tie_log_probability = 0.02;
constexpr double pause_p50_ms_max = 200.0;
constexpr double pause_p99_ms_max = 1000.0;

Question question_number(std::uint32_t number) {
    Question question;
    question.text = "Question " + std::to_string(number % 10) + ": what does the car do now?";
    question.max_tokens = 120;
    question.more_fields = ",\"ignore_eos\":true";
    return question;
}

struct Tally {
    std::uint32_t rounds = 0;
    std::uint32_t equal = 0;
    std::uint32_t not_hit = 0;  // the answer had ended before the kill
    std::vector<double> pauses_ms;
    std::vector<double> pauses_beyond_prefill_ms;
};

std::size_t common_prefix(const std::string& a, const std::string& b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

// Between the two best tokens that an engine has for the place behind this text.
double gap_of_the_best_two(DemoProcess& demo, const std::string& question,
                           const std::string& text) {
    const std::string vehicle = demo.vehicles().front().announcement.vehicle.value;
    const std::string socket = demo.folder() + "/state/vehicles/" + vehicle + "/socket/engine.sock";
    const nlohmann::json body{
        {"prompt", "<|im_start|>user\n" + question + "<|im_end|>\n<|im_start|>assistant\n" + text},
        {"n_predict", 1},
        {"temperature", 0},
        {"n_probs", 2}};
    const std::string request = demo.folder() + "/gap.json";
    std::ofstream(request) << body.dump();
    const std::string command =
        "curl -s --unix-socket " + socket + " -d @" + request + " http://engine/completion";
    FILE* const pipe = popen(command.c_str(), "r");
    std::string answer;
    for (int c = std::fgetc(pipe); c != EOF; c = std::fgetc(pipe))
        answer += static_cast<char>(c);
    pclose(pipe);
    const auto json = nlohmann::json::parse(answer, nullptr, false);
    const auto path = nlohmann::json::json_pointer("/completion_probabilities/0/top_logprobs");
    if (!json.is_object() || !json.contains(path))
        return INFINITY;
    const auto& best = json.at(path);
    return best.at(0).at("logprob").get<double>() - best.at(1).at("logprob").get<double>();
}

class Killer {
public:
    explicit Killer(engine::WeightType weights)
        : demo_({.vehicles = 3, .model = test_model(weights)}) {
        demo_.wait_until_ready();
    }

    // One answer, one kill -9 of its car's agent or engine.
    void round(std::uint32_t number, base::Prng& prng, Tally& tally) {
        const Question question = question_number(number);
        if (!references_.contains(question.text)) {
            references_[question.text] = undisturbed(demo_, question);
        }
        const std::string& expected = references_[question.text];
        ChatAnswer answer(demo_, question);
        // In text and not in pieces, which may hold some tokens each.
        const std::size_t said =
            expected.size() * (2 + prng.below(question.max_tokens * 3 / 4)) / question.max_tokens;
        ASSERT_TRUE(answer.wait_for_text(said)) << answer.record().error_message;
        const std::string vehicle = demo_.serving_vehicle();
        const std::string before = answer.record().text;
        if (vehicle.empty()) {
            ++tally.not_hit;
        } else {
            const bool agent = prng.chance(0.5);
            ASSERT_NO_FATAL_FAILURE(signal_process(
                agent ? demo_.agent_pid(vehicle) : demo_.engine_pid(vehicle), SIGKILL));
        }
        ASSERT_TRUE(answer.wait_for_end());
        const cli::AnswerRecord& record = answer.record();
        ASSERT_TRUE(answer.whole()) << record.error_code << ' ' << record.error_message;
        ASSERT_TRUE(record.text.starts_with(before)) << "what was sent was taken back";
        ++tally.rounds;
        if (record.text == expected) {
            ++tally.equal;
        } else {
            const std::size_t at = common_prefix(record.text, expected);
            std::printf("round %u differs from character %zu on: '%s' / '%s'\n", number, at,
                        record.text.substr(at, 24).c_str(), expected.substr(at, 24).c_str());
            // The cut may lie inside a token; its beginning is behind the last space.
            const std::string same = expected.substr(0, expected.rfind(' ', at));
            demo_.wait_until_ready(base::seconds(20));
            const double gap = gap_of_the_best_two(demo_, question.text, same);
            std::printf("  its two best log-probabilities differ by %.4f\n", gap);
            if (gap >= tie_log_probability)
                ++without_a_tie_;
        }
        if (!vehicle.empty()) {
            const double pause_ms = cli::longest_pause_of(record).milliseconds();
            tally.pauses_ms.push_back(pause_ms);
            tally.pauses_beyond_prefill_ms.push_back(
                pause_ms - demo_.prefill_ms_of_second_attempt(record.request_id));
        }
    }

    [[nodiscard]] DemoProcess& demo() { return demo_; }
    [[nodiscard]] std::size_t without_a_tie() const { return without_a_tie_; }

private:
    DemoProcess demo_;
    std::map<std::string, std::string> references_;
    std::size_t without_a_tie_ = 0;
};

Tally run(engine::WeightType weights, const char* name, std::uint32_t count, Killer& killer) {
    base::Prng prng(static_cast<std::uint64_t>(weights) + 42);
    Tally tally;
    for (std::uint32_t i = 0; i < count; ++i) {
        killer.round(i, prng, tally);
        if (::testing::Test::HasFatalFailure())
            return tally;
        // Two or more cars stay ready: the killed one comes back before the next round.
        killer.demo().wait_until_ready(base::seconds(20));
        if (::testing::Test::HasFatalFailure())
            return tally;
    }
    std::printf("%s: %u kills (%u too late), %u of %u answers equal to the undisturbed one\n", name,
                tally.rounds - tally.not_hit, tally.not_hit, tally.equal, tally.rounds);
    print_quantiles(std::string(name) + ": longest pause", tally.pauses_ms);
    print_quantiles(std::string(name) + ": the same beyond the prefill",
                    tally.pauses_beyond_prefill_ms);
    EXPECT_LE(tally.not_hit, (count + 9) / 10) << "the answers are too short to be caught";
    return tally;
}

TEST(SurvivesKill, AnswersOfAnF32ModelAreEqual) {
    const std::uint32_t count = rounds(8);
    Killer killer(engine::WeightType::f32);
    const Tally tally = run(engine::WeightType::f32, "F32", count, killer);
    EXPECT_EQ(tally.rounds, count);
    EXPECT_LE(tally.rounds - tally.equal, count / 100);
    EXPECT_EQ(killer.without_a_tie(), 0U);
    EXPECT_LE(quantile_of(tally.pauses_beyond_prefill_ms, 0.5), bar_ms(pause_p50_ms_max));
    EXPECT_LE(quantile_of(tally.pauses_beyond_prefill_ms, 0.99), bar_ms(pause_p99_ms_max));
}

TEST(SurvivesKill, AnswersOfAnF16ModelAreNeverContradicted) {
    const std::uint32_t count = std::min(rounds(3), 50U);
    Killer killer(engine::WeightType::f16);
    EXPECT_EQ(run(engine::WeightType::f16, "F16", count, killer).rounds, count);
}

TEST(SurvivesKill, AnswersOfAQ8ModelAreNeverContradicted) {
    const std::uint32_t count = std::min(rounds(3), 50U);
    Killer killer(engine::WeightType::q8_0);
    EXPECT_EQ(run(engine::WeightType::q8_0, "Q8_0", count, killer).rounds, count);
}

}  // namespace
}  // namespace idlewatt::test
