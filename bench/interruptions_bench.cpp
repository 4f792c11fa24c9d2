// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients and owners feel when a car is needed or dies in the middle of an answer: a fleet of
// real processes, as in tests/integration.
//
//   recall         from the moment before the signal is sent over HTTP to the end of the engine's
//                  process, while it answers
//   migration gap  the longest pause of an answer whose agent or engine is killed with -9, without
//                  the time that the next engine says its prefill took
#include <cstdio>
#include <optional>
#include <string>
#include <vector>

#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <benchmark/benchmark.h>
#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/prng.hpp"
#include "chat_client.hpp"
#include "cli/answer_record.hpp"
#include "demo_process.hpp"
#include "figures.hpp"

namespace idlewatt {
namespace {

constexpr std::uint32_t recalls = 40;
constexpr std::uint32_t kills = 20;
constexpr double recall_p99_ms_max = 20.0;
constexpr double gap_p50_ms_max = 100.0;
constexpr std::uint32_t answer_tokens = 60;
constexpr base::Duration gone_max = base::seconds(10);

// Says when a process ends, without looking again and again.
class Ending {
public:
    Ending(base::AsioLoop& loop, int pid)
        : descriptor_(loop.context(), static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {
        descriptor_.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                               [this, &loop](const boost::system::error_code& error) {
                                   if (!error)
                                       at_ = loop.now();
                               });
    }
    [[nodiscard]] const std::optional<base::Instant>& at() const { return at_; }

private:
    boost::asio::posix::stream_descriptor descriptor_;
    std::optional<base::Instant> at_;
};

test::Question question_number(std::uint32_t number) {
    test::Question question;
    question.text = "Round " + std::to_string(number) + ": what does the car do now?";
    question.max_tokens = answer_tokens;
    question.more_fields = ",\"ignore_eos\":true";
    return question;
}

// The car that answers, once the answer has got somewhere; empty: it got nowhere.
std::string car_in_mid_answer(test::DemoProcess& demo, test::ChatAnswer& answer, base::Prng& prng) {
    if (!answer.wait_for_text(8 + prng.below(answer_tokens)))
        return {};
    return demo.serving_vehicle();
}

bool ended_whole(test::ChatAnswer& answer) {
    return answer.wait_for_end() && answer.whole();
}

std::string compared(const std::vector<double>& values_ms, const char* of) {
    char text[96];
    std::snprintf(text, sizeof text, "%zu %s, p50 %.1f ms, most %.1f ms", values_ms.size(), of,
                  test::quantile_of(values_ms, 0.5), test::quantile_of(values_ms, 1.0));
    return text;
}

void recall(benchmark::State& state) {
    for (auto _ : state) {
        test::DemoProcess demo({.vehicles = 3});
        demo.wait_until_ready();
        base::Prng prng(5);
        std::vector<double> gone_ms;
        for (std::uint32_t i = 0; i < recalls; ++i) {
            test::ChatAnswer answer(demo, question_number(i));
            const std::string car = car_in_mid_answer(demo, answer, prng);
            if (car.empty())
                return state.SkipWithError("no car answers");
            const Ending ending(demo.loop(), demo.engine_pid(car));
            const base::Instant began = demo.loop().now();
            demo.signal(car, R"({"occupied":true})");
            if (!demo.wait_for([&] { return ending.at().has_value(); }, gone_max))
                return state.SkipWithError("an engine runs on in a car that is needed");
            gone_ms.push_back((*ending.at() - began).milliseconds());
            if (!ended_whole(answer))
                return state.SkipWithError("an answer did not survive a recall");
            demo.signal(car, R"({"occupied":false})");
            demo.wait_until_ready();
        }
        report({"interruptions", "recall: signal sent over HTTP to engine gone, p99",
                test::quantile_of(gone_ms, 0.99), "ms", compared(gone_ms, "recalls"),
                recall_p99_ms_max, Better::lower});
    }
}

void migration(benchmark::State& state) {
    for (auto _ : state) {
        test::DemoProcess demo({.vehicles = 3});
        demo.wait_until_ready();
        base::Prng prng(6);
        std::vector<double> gaps_ms;
        for (std::uint32_t i = 0; i < kills; ++i) {
            test::ChatAnswer answer(demo, question_number(i));
            const std::string car = car_in_mid_answer(demo, answer, prng);
            const int pid = i % 2 == 0 ? demo.engine_pid(car) : demo.agent_pid(car);
            if (car.empty() || pid <= 1 || ::kill(pid, SIGKILL) != 0)
                return state.SkipWithError("no car answers");
            if (!ended_whole(answer))
                return state.SkipWithError("an answer did not survive its car");
            gaps_ms.push_back(cli::longest_pause_of(answer.record()).milliseconds() -
                              demo.prefill_ms_of_second_attempt(answer.record().request_id));
            demo.wait_until_ready();
        }
        report({"interruptions", "migration gap beyond the prefill, median",
                test::quantile_of(gaps_ms, 0.5), "ms", compared(gaps_ms, "kills"), gap_p50_ms_max,
                Better::lower});
    }
}

BENCHMARK(recall)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(migration)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
