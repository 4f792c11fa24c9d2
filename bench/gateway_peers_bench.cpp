// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a short answer costs a gateway, beside what passing one on costs nginx and haproxy, and
// beside Portkey's gateway, all in one run on two cores, in rounds that take turns.
//
//   client   wrk, one thread, 32 connections that are kept alive, POST /v1/chat/completions
//   nginx, haproxy, Portkey   one worker, thread or process each; behind it a stub (nginx) that
//            says the same answer to everybody, as many bytes as Idlewatt's
//   Idlewatt the gateway program as it is, with one fixed key; behind it a stub, too: it speaks
//            NATS's protocol and says what a car with an in-memory engine says (stub_car.hpp)
//   fleet    the same program with a real NATS server and a real car's agent, which signs its
//            receipts and has no disk, and an in-memory engine
//
// What is measured has one core for itself; what stands before and behind it shares the other. So
// the bars compare the gateway program with a proxy program, each with a stub behind it. They are
// not told for `fleet`, where NATS and the car share their core with the client: there it is the
// car that is full. nginx and haproxy pass bytes on: they look at no key, read no question, count
// no token. `one core` is what the measured process could do by its CPU time for one answer.
#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "bench_cell.hpp"
#include "cli/files.hpp"
#include "cli/processes.hpp"
#include "figures.hpp"
#include "stub_car.hpp"

namespace idlewatt {
namespace {

constexpr int cores = 2;
constexpr int rounds = 3;
constexpr int clients = 32;
constexpr int seconds_each = 4;
constexpr long answer_tokens = 4;
constexpr base::Duration patience = base::seconds(30);
constexpr double bar_of_nginx = 0.4;
constexpr double bar_of_portkey = 20.0;

std::string first_line_of(const std::string& command) {
    std::array<char, 1024> line{};
    FILE* const pipe = ::popen(command.c_str(), "r");
    if (pipe == nullptr)
        return {};
    std::string text;
    if (std::fgets(line.data(), line.size(), pipe) != nullptr)
        text = line.data();
    ::pclose(pipe);
    while (!text.empty() && text.back() == '\n')
        text.pop_back();
    return text;
}

const std::string peers = std::string(IDLEWATT_SOURCE_DIR) + "/bench/peers";

std::string bench_program(const std::string& name) {
    return first_line_of(std::string(IDLEWATT_SOURCE_DIR) + "/tools/bench-programs " + name);
}

std::string question() {
    std::string text = R"({"model":"memory","messages":[{"role":"system","content":"You answer in )"
                       R"(a few words."},{"role":"user","content":"What is the time of day at )"
                       R"(which most cars stand still?"}],"max_tokens":)" +
                       std::to_string(answer_tokens);
    return text + "}";
}

// As long as Idlewatt's.
std::string stub_answer() {
    return R"({"id":"chatcmpl-01a205b69423250f6a08ad11d5a0c44d","object":"chat.completion",)"
           R"("created":1795392181,"model":"memory","system_fingerprint":"fp_5e3d0c1b","choices":)"
           R"([{"index":0,"message":{"role":"assistant","content":" night night night night",)"
           R"("refusal":null},"logprobs":null,"finish_reason":"length"}],"usage":{)"
           R"("prompt_tokens":24,"completion_tokens":4,"total_tokens":28,)"
           R"("prompt_tokens_details":{"cached_tokens":0},)"
           R"("completion_tokens_details":{"reasoning_tokens":0}}})";
}

struct Measured {
    double per_second = 0.0;
    double p50_ms = 0.0;
    double p99_ms = 0.0;
    double cpu_us = 0.0;  // of the process that is measured, for one answer
    double failed = 0.0;
};

// One that answers, and the process that is measured.
struct Target {
    std::string name;
    int port = 0;
    int pid = 0;
    std::string key = "none";
    std::string custom_host{};  // Portkey: where the request goes
    std::vector<Measured> series{};
};

class Stage {
public:
    Stage(base::AsioLoop& loop, int measured_core, int other_core)
        : loop_(loop), measured_core_(measured_core), other_core_(other_core) {}

    // A configuration of bench/peers with these words filled in; its path.
    std::string fill_in(const std::string& file, const std::string& name,
                        const std::map<std::string, std::string>& words) {
        std::ifstream in(peers + "/" + file);
        std::stringstream all;
        all << in.rdbuf();
        std::string text = all.str();
        for (const auto& [word, value] : words) {
            for (std::size_t at = 0; (at = text.find(word, at)) != text.npos; at += value.size())
                text.replace(at, word.size(), value);
        }
        const std::string path = folder_.path + "/" + name + ".conf";
        std::ofstream(path) << text;
        return path;
    }

    // The pid.
    int start(const std::string& name, std::vector<std::string> argv, bool is_measured) {
        const OnCore pinned(is_measured ? measured_core_ : other_core_);
        base::SpawnOptions spawn;
        spawn.argv = std::move(argv);
        spawn.environment = {{"LD_LIBRARY_PATH", bench_program("libraries")},
                             {"NODE_ENV", "production"}};
        spawn.output_file = folder_.path + "/" + name + ".log";
        auto child = base::ChildProcess::spawn(loop_, spawn, [](int) {});
        if (!child)
            return 0;
        children_.push_back(std::move(*child));
        return children_.back()->pid();
    }

    // Empty: wrk said nothing.
    std::optional<Measured> ask(const Target& target, int seconds) {
        const OnCore pinned(other_core_);
        base::SpawnOptions spawn;
        spawn.argv = {"wrk",
                      "-t1",
                      "-c" + std::to_string(clients),
                      "-d" + std::to_string(seconds),
                      "--timeout",
                      "10",
                      "--latency",
                      "-s",
                      peers + "/ask.lua",
                      "http://127.0.0.1:" + std::to_string(target.port) + "/v1/chat/completions"};
        spawn.environment = {{"ASK_BODY", question()}, {"ASK_KEY", target.key}};
        if (!target.custom_host.empty())
            spawn.environment.emplace_back("ASK_CUSTOM_HOST", target.custom_host);
        spawn.output_file = folder_.path + "/wrk.log";
        std::ofstream(spawn.output_file, std::ios::trunc);
        bool ended = false;
        const double cpu = cpu_seconds(target.pid);
        const auto child = base::ChildProcess::spawn(loop_, spawn, [&ended](int) { ended = true; });
        if (!child || !cli::run_until(
                          loop_, [&ended] { return ended; }, base::seconds(seconds) + patience))
            return std::nullopt;
        const double cpu_used = cpu_seconds(target.pid) - cpu;
        std::ifstream said(spawn.output_file);
        for (std::string line; std::getline(said, line);) {
            double requests = 0.0;
            double duration_us = 0.0;
            Measured measured;
            if (std::sscanf(line.c_str(), "figures %lf %lf %lf %lf %lf", &requests, &duration_us,
                            &measured.p50_ms, &measured.p99_ms, &measured.failed) != 5)
                continue;
            if (requests == 0.0)
                return std::nullopt;
            measured.p50_ms /= 1e3;
            measured.p99_ms /= 1e3;
            measured.per_second = requests / (duration_us / 1e6);
            measured.cpu_us = cpu_used * 1e6 / requests;
            return measured;
        }
        return std::nullopt;
    }

    [[nodiscard]] const std::string& folder() const { return folder_.path; }
    [[nodiscard]] int measured_core() const { return measured_core_; }

private:
    Folder folder_;
    base::AsioLoop& loop_;
    int measured_core_;
    int other_core_;
    std::vector<std::unique_ptr<base::ChildProcess>> children_;
};

int free_port() {
    return cli::free_port().value();
}

std::vector<Target> start_peers(Stage& stage) {
    const std::string stub = std::to_string(free_port());
    const std::string nginx = bench_program("nginx");
    const auto filled = [&](const std::string& file, const std::string& name, int port) {
        return stage.fill_in(file, name,
                             {{"@UPSTREAM_PORT@", stub},
                              {"@PORT@", std::to_string(port)},
                              {"@FOLDER@", stage.folder()},
                              {"@NAME@", name},
                              {"@ANSWER@", stub_answer()}});
    };
    stage.start(
        "stub",
        {nginx, "-p", stage.folder(), "-c", filled("stub.conf", "stub", std::atoi(stub.c_str()))},
        false);
    std::vector<Target> targets;
    Target proxy{"nginx", free_port()};
    proxy.pid = stage.start(
        "nginx", {nginx, "-p", stage.folder(), "-c", filled("nginx.conf", "nginx", proxy.port)},
        true);
    targets.push_back(proxy);
    Target haproxy{"haproxy", free_port()};
    haproxy.pid = stage.start("haproxy",
                              {bench_program("haproxy"), "-db", "-q", "-f",
                               filled("haproxy.cfg", "haproxy", haproxy.port)},
                              true);
    targets.push_back(haproxy);
    Target portkey{"Portkey", free_port()};
    portkey.custom_host = "http://127.0.0.1:" + stub + "/v1";
    portkey.pid = stage.start("portkey",
                              {"node", "--import", peers + "/loopback.mjs",
                               peers + "/node_modules/@portkey-ai/gateway/build/start-server.js",
                               "--headless", "--port=" + std::to_string(portkey.port)},
                              true);
    targets.push_back(portkey);
    return targets;
}

double median(std::vector<double> values) {
    std::sort(values.begin(), values.end());
    return values.empty() ? 0.0 : values[values.size() / 2];
}

double median_of(const Target& target, double Measured::*what) {
    std::vector<double> values;
    for (const Measured& measured : target.series)
        values.push_back(measured.*what);
    return median(values);
}

// Round by round: what disturbs one disturbs its neighbours.
double ratio(const Target& ours, const Target& other, double Measured::*what) {
    std::vector<double> values;
    for (std::size_t i = 0; i < ours.series.size() && i < other.series.size(); ++i)
        values.push_back(ours.series[i].*what / other.series[i].*what);
    return median(values);
}

std::string number(double value, int digits = 0) {
    std::array<char, 32> text{};
    std::snprintf(text.data(), text.size(), "%.*f", digits, value);
    return text.data();
}

std::string others(const std::vector<Target>& targets, double Measured::*what, int digits) {
    std::string text;
    for (const Target& target : targets) {
        if (target.name != "Idlewatt" && target.name != "fleet")
            text += (text.empty() ? "" : ", ") + target.name + " " +
                    number(median_of(target, what), digits);
    }
    return text;
}

void report_all(const std::vector<Target>& targets) {
    const auto find = [&](const std::string& name) {
        return *std::ranges::find(targets, name, &Target::name);
    };
    const Target nginx = find("nginx");
    const Target portkey = find("Portkey");
    const auto told = [&](const Target& ours, const std::string& group) {
        report({group, "answers a second, 32 clients", median_of(ours, &Measured::per_second),
                "1/s", others(targets, &Measured::per_second, 0), std::nullopt, Better::higher});
        report({group, "time of an answer, p50", median_of(ours, &Measured::p50_ms), "ms",
                others(targets, &Measured::p50_ms, 2), std::nullopt, Better::lower});
        report({group, "time of an answer, p99", median_of(ours, &Measured::p99_ms), "ms",
                others(targets, &Measured::p99_ms, 2), std::nullopt, Better::lower});
        report({group, "CPU of the gateway for one answer", median_of(ours, &Measured::cpu_us),
                "µs", others(targets, &Measured::cpu_us, 1), std::nullopt, Better::lower});
        report({group, "by that, answers a second of one core",
                1e6 / median_of(ours, &Measured::cpu_us), "1/s",
                "nginx " + number(1e6 / median_of(nginx, &Measured::cpu_us)) + ", Portkey " +
                    number(1e6 / median_of(portkey, &Measured::cpu_us)),
                std::nullopt, Better::higher});
    };
    const Target ours = find("Idlewatt");
    told(ours, "gateway, a stub behind it");
    report({"gateway, a stub behind it", "answers a second, of nginx's",
            ratio(ours, nginx, &Measured::per_second), "", "nginx, a stub behind it", bar_of_nginx,
            Better::higher});
    report({"gateway, a stub behind it", "answers a second, of Portkey's",
            ratio(ours, portkey, &Measured::per_second), "", "Portkey, a stub behind it",
            bar_of_portkey, Better::higher});
    told(find("fleet"), "gateway, NATS and a car behind it");
}

void peers_in_turn(benchmark::State& state) {
    const std::vector<int> usable = confine_to(cores);
    if (usable.size() < cores)
        return state.SkipWithError("this needs two cores");
    for (auto _ : state) {
        base::AsioLoop loop;
        Stage stage(loop, usable[0], usable[1]);
        std::vector<Target> targets = start_peers(stage);
        const OnCore rest(usable[1]);
        const StubCar stub({bench_model, answer_tokens, usable[1]});
        CellOptions options;
        options.slots = 2 * clients;
        options.first_token_time = options.token_time = {};
        options.gateway_core = usable[0];
        const Folder fleet_folder;
        const Cell fleet(loop, fleet_folder.path, options);
        options.stub_url = stub.url();
        const Folder folder;
        const Cell cell(loop, folder.path, options);
        targets.push_back({"Idlewatt", cell.port, cell.gateway->pid(), cell.api_key});
        targets.push_back({"fleet", fleet.port, fleet.gateway->pid(), fleet.api_key});
        loop.run_for(base::seconds(3));  // announcements; Portkey loads
        for (Target& target : targets) {
            if (!stage.ask(target, 1))
                return state.SkipWithError(
                    (target.name + " gives no answer; run `make bench`").c_str());
        }
        for (int round = 0; round < rounds; ++round) {
            for (Target& target : targets) {
                const auto measured = stage.ask(target, seconds_each);
                if (!measured || measured->failed > 0)
                    return state.SkipWithError((target.name + " did not answer all").c_str());
                target.series.push_back(*measured);
            }
        }
        report_all(targets);
    }
}

BENCHMARK(peers_in_turn)->Iterations(1)->Unit(benchmark::kSecond);

}  // namespace
}  // namespace idlewatt
