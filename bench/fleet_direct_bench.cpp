// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the way through gateway, NATS and agent costs: a fleet asked through its gateway against the
// very same engines asked directly, by turns.
//
// Both sides are asked by the same client code, the same questions in the same streamed form, at
// temperature 0 and with the same number of tokens. Directly means the socket of the engine that
// serves in the car: the same process, sandbox, threads and (lowest) scheduling class. The agents
// run on meanwhile, idle. Prompts are not cached on either side, so that both prefill all of them.
// Clients keep their connections. All runs on this machine's cores, clients included, so what the
// fleet's processes need is taken from the engines when those fill all cores.
//
// Time per token is that from the first to the last of an answer; tokens may come some at a time.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/asio_loop.hpp"
#include "engine/random_model.hpp"
#include "figures.hpp"
#include "running_fleet.hpp"
#include "timed_clients.hpp"

namespace idlewatt {
namespace {

namespace fs = std::filesystem;

constexpr const char* demo_model = "models/valet/valet.gguf";
constexpr std::uint64_t model_seed = 7;
constexpr base::Duration pause = base::milliseconds(100);  // receipts are on their way

// Llama 3.2 1B but for its vocabulary, which is small here.
engine::RandomModelShape one_billion() {
    engine::RandomModelShape shape;
    shape.layers = 16;
    shape.width = 2048;
    shape.heads = 32;
    shape.key_value_heads = 8;
    shape.feed_forward = 8192;
    shape.weights = engine::WeightType::q8_0;
    return shape;
}

// A model file, written where there is none.
struct Model {
    Model(const std::string& name, const engine::RandomModelShape& shape)
        : path(std::string(IDLEWATT_BINARY_DIR) + "/bench/" + name), own(true) {
        const auto written = engine::write_random_model(path, shape, model_seed);
        if (!written)
            failure = written.error().message;
    }
    explicit Model(std::string file) : path(std::move(file)) {}
    ~Model() {
        std::error_code ignored;
        if (own)
            fs::remove(path, ignored);
    }
    Model(const Model&) = delete;
    Model& operator=(const Model&) = delete;

    const std::string path;
    const bool own = false;
    std::string failure;
};

// The one that `idlewatt demo` serves.
std::unique_ptr<Model> model_of_the_demo() {
    const std::string file = std::string(IDLEWATT_SOURCE_DIR) + "/" + demo_model;
    if (fs::exists(file))
        return std::make_unique<Model>(file);
    return std::make_unique<Model>("demo.gguf", engine::RandomModelShape{});
}

struct Plan {
    std::uint32_t vehicles = 2;
    std::uint32_t clients_per_vehicle = 2;
    std::uint32_t questions = 4;  // of each client, in each round
    std::uint32_t tokens = 128;   // of each answer
    std::uint32_t rounds = 7;
};

std::string question(std::uint32_t number, std::uint32_t tokens) {
    // With a seed no car uses its cache of prompts.
    return R"({"model":"bench","stream":true,"stream_options":{"include_usage":true},)"
           R"("temperature":0,"seed":1,"cache_prompt":false,"ignore_eos":true,"max_tokens":)" +
           std::to_string(tokens) + R"(,"messages":[{"role":"user","content":"Hello )" +
           std::to_string(100 + number) + R"("}]})";
}

std::vector<TimedClient> clients(const RunningFleet& fleet, const Plan& plan, bool direct) {
    std::vector<TimedClient> clients(plan.vehicles * plan.clients_per_vehicle);
    for (std::uint32_t i = 0; i < clients.size(); ++i) {
        if (direct)
            clients[i].door.socket_path = fleet.engine_socket(i % plan.vehicles);
        else
            clients[i].door = {{}, fleet.port(), fleet.api_key()};
        for (std::uint32_t q = 0; q < plan.questions; ++q)
            clients[i].bodies.push_back(question(i * plan.questions + q, plan.tokens));
    }
    return clients;
}

// Empty: they are as they should be.
std::string complaint(const std::vector<TimedAnswer>& answers, const Plan& plan) {
    for (const TimedAnswer& answer : answers) {
        if (!answer.failure.empty())
            return answer.failure;
        if (answer.tokens != plan.tokens)
            return std::to_string(answer.tokens) + " tokens";
    }
    const std::size_t expected = std::size_t{plan.vehicles} * plan.clients_per_vehicle;
    return answers.size() == expected * plan.questions ? "" : "answers are missing";
}

double tokens_per_second(const std::vector<TimedAnswer>& answers) {
    base::Instant begin = answers.front().asked_at;
    base::Instant end = answers.front().last_at;
    double tokens = 0.0;
    for (const TimedAnswer& answer : answers) {
        begin = std::min(begin, answer.asked_at);
        end = std::max(end, answer.last_at);
        tokens += answer.tokens;
    }
    return tokens / (end - begin).seconds();
}

double median(std::vector<double> values) {
    const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
    std::nth_element(values.begin(), middle, values.end());
    return *middle;
}

// Both ways by turns, the first one changing; the first round warms up and is not told. False: one
// was not as it should be.
using Taken = std::function<void(const std::vector<TimedAnswer>& through,
                                 const std::vector<TimedAnswer>& direct)>;
bool by_turns(benchmark::State& state, const std::string& model, const Plan& plan,
              const Taken& take) {
    base::AsioLoop loop;
    RunningFleet fleet(loop, {model, plan.vehicles, plan.clients_per_vehicle});
    if (const auto started = fleet.start(); !started) {
        state.SkipWithError(started.error().message.c_str());
        return false;
    }
    for (std::uint32_t round = 0; round <= plan.rounds; ++round) {
        std::vector<TimedAnswer> answers[2];
        for (const bool second : {false, true}) {
            const bool direct = second == (round % 2 == 0);
            answers[direct] = ask_all(loop, clients(fleet, plan, direct));
            loop.run_for(pause);
            const std::string wrong = complaint(answers[direct], plan);
            if (!wrong.empty()) {
                state.SkipWithError(((direct ? "directly: " : "through: ") + wrong).c_str());
                return false;
            }
        }
        if (round > 0)
            take(answers[0], answers[1]);
    }
    return true;
}

void compare_rates(benchmark::State& state, const std::string& what, const std::string& model,
                   const Plan& plan, double bar) {
    std::vector<double> ratios;
    std::vector<double> directly;
    const bool good = by_turns(state, model, plan, [&](const auto& through, const auto& direct) {
        directly.push_back(tokens_per_second(direct));
        ratios.push_back(tokens_per_second(through) / directly.back());
        std::printf("  round: directly %.0f tokens/s, through the gateway %.3f of it\n",
                    directly.back(), ratios.back());
    });
    if (!good)
        return;
    char compared[96];
    std::snprintf(compared, sizeof compared, "the engines directly: %.0f tokens/s",
                  median(directly));
    report({"fleet",
            "tokens/s through the gateway ÷ directly, " + what + ", " +
                std::to_string(plan.vehicles) + " cars, " +
                std::to_string(plan.vehicles * plan.clients_per_vehicle) + " streams",
            median(ratios), "", compared, bar, Better::higher});
}

void rate_one_billion(benchmark::State& state) {
    for (auto _ : state) {
        const Model model("one-billion.gguf", one_billion());
        if (!model.failure.empty())
            return state.SkipWithError(model.failure.c_str());
        compare_rates(state, "1B in Q8_0", model.path, {.questions = 1, .tokens = 24, .rounds = 5},
                      0.97);
    }
}

void rate_demo(benchmark::State& state) {
    for (auto _ : state)
        compare_rates(state, "the demo's model", model_of_the_demo()->path, {}, 0.85);
}

double per_token_ms(const TimedAnswer& answer) {
    return (answer.last_at - answer.first_at).milliseconds() / (answer.tokens - 1);
}

void added_time(benchmark::State& state) {
    const Plan plan{
        .vehicles = 1, .clients_per_vehicle = 1, .questions = 20, .tokens = 32, .rounds = 10};
    for (auto _ : state) {
        std::vector<double> first[2];
        std::vector<double> next[2];
        const auto model = model_of_the_demo();
        const bool good =
            by_turns(state, model->path, plan, [&](const auto& through, const auto& direct) {
                for (const bool directly : {false, true}) {
                    for (const TimedAnswer& answer : directly ? direct : through) {
                        first[directly].push_back(
                            (answer.first_at - answer.asked_at).milliseconds());
                        next[directly].push_back(per_token_ms(answer));
                    }
                }
            });
        if (!good)
            return;
        const auto tell = [](const std::string& what, const std::vector<double>* ms, double bar) {
            char compared[64];
            std::snprintf(compared, sizeof compared, "the engine directly: %.2f ms", median(ms[1]));
            report({"fleet", what + " that the way through the gateway adds, one client, median",
                    median(ms[0]) - median(ms[1]), "ms", compared, bar, Better::lower});
        };
        tell("time to the first token", first, 0.7);
        tell("time per token", next, 0.15);
    }
}

BENCHMARK(added_time)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(rate_demo)->Iterations(1)->Unit(benchmark::kSecond);
BENCHMARK(rate_one_billion)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
