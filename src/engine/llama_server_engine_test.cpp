// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only real processes can show: ends by kill -9, hangs, a dead agent, the sandbox's walls.
#include "engine/llama_server_engine.hpp"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <thread>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "engine/completion.hpp"
#include "engine/contract_check.hpp"
#include "engine/http_response.hpp"
#include "engine/llama_server_fixture_test.hpp"
#include "engine/syscall_filter.hpp"
#include "engine/tap.hpp"

namespace idlewatt::engine {
namespace {

constexpr base::Duration engine_patience = base::seconds(60);

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
}

std::string status_line(int pid, const std::string& key) {
    std::istringstream all(read_file("/proc/" + std::to_string(pid) + "/status"));
    std::string line;
    while (std::getline(all, line)) {
        if (line.starts_with(key + ":"))
            return line.substr(line.find_first_not_of(" \t", key.size() + 1));
    }
    return {};
}

bool is_gone(int pid) {
    const std::string state = status_line(pid, "State");
    return state.empty() || state[0] == 'Z' || state[0] == 'X';
}

class LlamaServerEngineTest : public ::testing::Test {
protected:
    std::unique_ptr<LlamaServerFixture> fixture = std::make_unique<LlamaServerFixture>();
    std::vector<Status> statuses;

    void restart_with(const std::function<void(LlamaServerOptions&)>& change) {
        fixture.reset();
        fixture = std::make_unique<LlamaServerFixture>(change);
    }
    [[nodiscard]] Condition condition() const {
        return statuses.empty() ? Condition::idle : statuses.back().condition;
    }
    bool wait_for(Condition wanted) {
        return run_until([&] { return condition() == wanted; });
    }
    bool run_until(const std::function<bool()>& holds) {
        return fixture->run_until(holds, engine_patience);
    }
    void launch() {
        fixture->engine->on_status([this](const Status& status) { statuses.push_back(status); });
        fixture->engine->start();
    }
    void start() {
        launch();
        ASSERT_TRUE(wait_for(Condition::ready)) << statuses.back().failure;
    }
    StreamId ask(Answer& answer, std::uint32_t max_tokens, core::ResumePoint resume = {},
                 const std::string& label = "label") {
        return fixture->engine->generate({greedy_request(max_tokens), std::move(resume), label},
                                         answer.handler());
    }
    bool finish(const Answer& answer) {
        return run_until([&] { return answer.end.has_value(); });
    }
    // Ready with another process than the one of this number.
    [[nodiscard]] bool is_back_after(int pid) const {
        const int now = fixture->engine_pid();
        return condition() == Condition::ready && now > 1 && now != pid;
    }
    [[nodiscard]] double ms_since(base::Instant begin) const {
        return (fixture->loop.now() - begin).milliseconds();
    }
};

TEST_F(LlamaServerEngineTest, ThePidFileNamesTheEngineItself) {
    start();
    const int pid = fixture->engine_pid();
    ASSERT_GT(pid, 1);
    EXPECT_NE(read_file("/proc/" + std::to_string(pid) + "/cmdline").find("llama-server"),
              std::string::npos);
    bool gone = false;
    fixture->engine->kill([&] { gone = true; });
    ASSERT_TRUE(run_until([&] { return gone; }));
    EXPECT_NE(::kill(pid, 0), 0) << "not even a zombie may stay";
    EXPECT_EQ(errno, ESRCH);
    EXPECT_EQ(fixture->engine_pid(), 0);
}

TEST_F(LlamaServerEngineTest, TheSandboxHoldsItApart) {
    start();
    const int pid = fixture->engine_pid();
    const std::string proc = "/proc/" + std::to_string(pid);
    EXPECT_EQ(status_line(pid, "CapEff"), "0000000000000000");
    EXPECT_EQ(status_line(pid, "CapBnd"), "0000000000000000");
    EXPECT_EQ(status_line(pid, "NoNewPrivs"), "1");
    EXPECT_EQ(status_line(pid, "Seccomp"), "2");
    for (const char* name : {"net", "pid", "mnt", "ipc", "uts"}) {
        EXPECT_NE(std::filesystem::read_symlink(proc + "/ns/" + name),
                  std::filesystem::read_symlink(std::string("/proc/self/ns/") + name))
            << name;
    }
    const std::string root = proc + "/root/";
    // Only the loopback device; nothing of the host's files but the bundle, the model, the socket.
    std::istringstream devices(read_file(proc + "/net/dev"));
    std::string device;
    int device_count = 0;
    while (std::getline(devices, device)) {
        if (device.find(':') == std::string::npos)
            continue;
        ++device_count;
        EXPECT_EQ(device.substr(0, device.find(':')).find_first_not_of(" lo"), std::string::npos)
            << device;
    }
    EXPECT_EQ(device_count, 1);
    EXPECT_FALSE(std::filesystem::exists(root + "home"));
    EXPECT_FALSE(std::filesystem::exists(root + fixture->folder));
    EXPECT_TRUE(std::filesystem::exists(root + "model.gguf"));
    const std::string mounts = read_file(proc + "/mounts");
    const std::size_t model = mounts.find(" /model.gguf ");
    ASSERT_NE(model, std::string::npos);
    EXPECT_NE(mounts.substr(model, 80).find(" ro"), std::string::npos);
    EXPECT_EQ(read_file(proc + "/environ").find("HOME=/root"), std::string::npos);
    for (const auto& task : std::filesystem::directory_iterator(proc + "/task")) {
        const int thread = std::stoi(task.path().filename());
        EXPECT_TRUE(::sched_getscheduler(thread) == SCHED_IDLE ||
                    ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)) == 19);
    }
    const std::string limits = read_file(proc + "/limits");
    EXPECT_NE(limits.find("Max core file size        0"), std::string::npos) << limits;
}

// The filter of the engine on a child of ours: threads start, user namespaces do not.
TEST(SyscallFilter, LetsThreadsStartButNoUserNamespace) {
    const int fd = make_syscall_filter();
    ASSERT_GE(fd, 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        std::array<sock_filter, 512> code{};
        const ssize_t size = ::read(fd, code.data(), sizeof code);
        sock_fprog program{static_cast<unsigned short>(size / 8), code.data()};
        if (::prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
            ::prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
            ::_exit(1);
        }
        if (::syscall(SYS_clone, CLONE_NEWUSER | SIGCHLD, 0, 0, 0, 0) >= 0 || errno != EPERM)
            ::_exit(2);
        if (::syscall(SYS_clone3, nullptr, 0) >= 0 || errno != ENOSYS)
            ::_exit(3);
        if (::unshare(CLONE_NEWUSER) == 0 || errno != EPERM)
            ::_exit(4);
        bool ran = false;
        std::thread([&] { ran = true; }).join();
        ::_exit(ran ? 0 : 5);
    }
    ::close(fd);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0) << "exit code " << WEXITSTATUS(status);
}

TEST_F(LlamaServerEngineTest, AKilledEngineIsSeenAtOnceAndComesBack) {
    start();
    for (int round = 0; round < 3; ++round) {
        Answer answer;
        ask(answer, 4000);
        ASSERT_TRUE(run_until([&] { return answer.pieces.size() > 5; }));
        const int pid = fixture->engine_pid();
        const base::Instant begin = fixture->loop.now();
        ASSERT_EQ(::kill(pid, SIGKILL), 0);
        ASSERT_TRUE(finish(answer));
        EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
        const double seen_ms = ms_since(begin);
        ASSERT_TRUE(run_until([&] { return is_back_after(pid); }));
        std::printf("killed: stream ended after %.1f ms, ready again after %.1f ms\n", seen_ms,
                    ms_since(begin));
        EXPECT_LT(seen_ms, 1000.0);
        EXPECT_LT(ms_since(begin), 5000.0);
        EXPECT_NE(fixture->engine_pid(), pid);
        EXPECT_NE(::kill(pid, 0), 0);
        Answer next;
        ask(next, 10);
        ASSERT_TRUE(finish(next));
        EXPECT_EQ(next.end->kind, StreamEnd::Kind::finished) << next.end->failure;
    }
}

TEST_F(LlamaServerEngineTest, AStoppedEngineIsEndedAndComesBack) {
    start();
    for (const bool working : {true, false}) {
        Answer answer;
        const int pid = fixture->engine_pid();
        if (working) {
            ask(answer, 4000);
            ASSERT_TRUE(run_until([&] { return answer.pieces.size() > 5; }));
        }
        const base::Instant begin = fixture->loop.now();
        ASSERT_EQ(::kill(pid, SIGSTOP), 0);
        if (working) {
            ASSERT_TRUE(finish(answer));
            EXPECT_EQ(answer.end->kind, StreamEnd::Kind::engine_failed);
        }
        ASSERT_TRUE(run_until([&] { return is_back_after(pid); }));
        std::printf("stopped %s: ready again after %.0f ms\n", working ? "at work" : "idle",
                    ms_since(begin));
        EXPECT_NE(::kill(pid, 0), 0);
    }
}

TEST_F(LlamaServerEngineTest, AKilledGuardOrSandboxLeavesNoEngine) {
    start();
    for (const bool guard : {true, false}) {
        const int pid = fixture->engine_pid();
        const int sandbox = std::stoi(status_line(pid, "PPid"));
        const int target = guard ? std::stoi(status_line(sandbox, "PPid")) : sandbox;
        ASSERT_EQ(::kill(target, SIGKILL), 0);
        ASSERT_TRUE(run_until([&] { return is_gone(pid) && is_back_after(pid); }));
        // Orphans of a killed guard come to whoever adopts; here that is us.
        while (::waitpid(pid, nullptr, WNOHANG) > 0) {
        }
        while (::waitpid(sandbox, nullptr, WNOHANG) > 0) {
        }
    }
}

// Another process plays the agent and is killed or stopped: its engine must not outlive it.
TEST_F(LlamaServerEngineTest, TheGuardEndsAnEngineWhoseAgentIsKilledOrStopped) {
    for (const int signal : {SIGKILL, SIGSTOP}) {
        const pid_t agent = ::fork();
        ASSERT_GE(agent, 0);
        if (agent == 0) {
            LlamaServerFixture other(
                [&](LlamaServerOptions& options) { options.run_dir = fixture->folder + "/other"; });
            other.engine->start();
            other.loop.run_for(base::minutes(5));
            ::_exit(1);
        }
        const std::string pid_file = fixture->folder + "/other/engine.pid";
        int engine = 0;
        ASSERT_TRUE(run_until([&] {
            std::ifstream file(pid_file);
            return static_cast<bool>(file >> engine);
        }));
        const int sandbox = std::stoi(status_line(engine, "PPid"));
        const int guard = std::stoi(status_line(sandbox, "PPid"));
        fixture->loop.run_for(base::milliseconds(400));
        ASSERT_FALSE(is_gone(engine));
        const base::Instant begin = fixture->loop.now();
        ::kill(agent, signal);
        ASSERT_TRUE(run_until([&] { return is_gone(engine); }));
        std::printf("agent %s: engine gone after %.0f ms\n",
                    signal == SIGKILL ? "killed" : "stopped", ms_since(begin));
        EXPECT_LT(ms_since(begin), 3000.0);
        ASSERT_TRUE(run_until([&] { return is_gone(guard); }));
        ::kill(agent, SIGKILL);
        ::waitpid(agent, nullptr, 0);
        ::waitpid(guard, nullptr, 0);
        std::filesystem::remove(pid_file);
    }
}

TEST_F(LlamaServerEngineTest, KillIsQuick) {
    double worst_ms = 0.0;
    double worst_process_ms = 0.0;
    for (int round = 0; round < 10; ++round) {
        start();
        Answer answer;
        ask(answer, 4000);
        ASSERT_TRUE(run_until([&] { return answer.pieces.size() > 2; }));
        const int pid = fixture->engine_pid();
        const base::Instant begin = fixture->loop.now();
        double process_ms = 0.0;
        bool gone = false;
        fixture->engine->kill([&] { gone = true; });
        ASSERT_TRUE(run_until([&] {
            if (process_ms == 0.0 && is_gone(pid))
                process_ms = ms_since(begin);
            return gone;
        }));
        worst_ms = std::max(worst_ms, ms_since(begin));
        worst_process_ms = std::max(worst_process_ms, process_ms);
        ASSERT_TRUE(wait_for(Condition::idle));
    }
    std::printf("kill: at worst %.1f ms until the engine is gone, %.1f ms until all is reaped\n",
                worst_process_ms, worst_ms);
}

TEST_F(LlamaServerEngineTest, GreedyAnswersGoOnExactlyFromEveryCut) {
    start();
    Answer whole;
    ask(whole, 120);
    ASSERT_TRUE(finish(whole));
    ASSERT_EQ(whole.end->kind, StreamEnd::Kind::finished) << whole.end->failure;
    std::printf("answer:%s\n", whole.text.c_str());
    core::ResumePoint resume;
    std::string said;
    for (const core::Piece& piece : whole.pieces) {
        resume.append(piece.ids, piece.text, piece.token_count);
        said += piece.text;
        Answer rest;
        ask(rest, 120, resume);
        ASSERT_TRUE(finish(rest));
        EXPECT_EQ(said + rest.text, whole.text) << "after " << resume.tokens << " tokens";
    }
}

// Both continuations are right answers of the model, but rounding may part them: printed, and only
// that nothing said is contradicted is demanded.
TEST_F(LlamaServerEngineTest, TheRateOfEqualContinuationsIsPrinted) {
    for (const WeightType type : {WeightType::f32, WeightType::f16, WeightType::q8_0}) {
        restart_with(
            [&](LlamaServerOptions& options) { options.model_path = model_file(type, 2); });
        start();
        Answer whole;
        ask(whole, 100);
        const base::Instant begin = fixture->loop.now();
        ASSERT_TRUE(finish(whole));
        ASSERT_EQ(whole.end->kind, StreamEnd::Kind::finished) << whole.end->failure;
        const double rate = 100'000.0 / ms_since(begin);
        core::ResumePoint resume;
        std::string said;
        int cuts = 0;
        int equal = 0;
        for (std::size_t i = 0; i < whole.pieces.size(); ++i) {
            const core::Piece& piece = whole.pieces[i];
            resume.append(piece.ids, piece.text, piece.token_count);
            said += piece.text;
            if (i % 10 != 0)
                continue;
            Answer rest;
            ask(rest, 100, resume);
            ASSERT_TRUE(finish(rest));
            EXPECT_EQ(rest.end->kind, StreamEnd::Kind::finished);
            ++cuts;
            equal += said + rest.text == whole.text ? 1 : 0;
        }
        std::printf("%s: %d of %d cuts equal, %.0f tokens/s\n",
                    type == WeightType::f32   ? "F32"
                    : type == WeightType::f16 ? "F16"
                                              : "Q8_0",
                    equal, cuts, rate);
        if (type == WeightType::f32) {
            EXPECT_EQ(equal, cuts);
        }
        statuses.clear();
    }
}

// Characters of several tokens have no ids in the stream; their tokens are counted all the same.
TEST_F(LlamaServerEngineTest, CharactersInPartsAreCountedAndResumed) {
    start();
    // Bytes of "Ж" have ids 5 + byte; a bias makes the model say nothing else.
    const std::string request =
        R"({"messages":[{"role":"user","content":"x"}],"temperature":0,"ignore_eos":true,)"
        R"("max_tokens":12,"logit_bias":{"213":100,"155":100.5},"repeat_penalty":2.0,)"
        R"("repeat_last_n":1})";
    Answer answer;
    fixture->engine->generate({request, {}, ""}, answer.handler());
    ASSERT_TRUE(finish(answer));
    ASSERT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    EXPECT_EQ(answer.end->finished.generated_tokens, 12U);
    EXPECT_LE(answer.resume.tokens, 12U);
    EXPECT_NE(answer.text.find("Ж"), std::string::npos) << answer.text;
    bool repaired = false;
    for (const auto& piece : answer.pieces)
        repaired = repaired || piece.ids.size() == 2;
    EXPECT_TRUE(repaired);
}

TEST_F(LlamaServerEngineTest, StopWordsEndTheAnswerAndAreCounted) {
    start();
    Answer whole;
    ask(whole, 30);
    ASSERT_TRUE(finish(whole));
    const std::string word = whole.pieces[20].text;
    std::string request = greedy_request(30);
    request.insert(request.size() - 1, R"(,"stop":")" + word + R"(")");
    Answer answer;
    fixture->engine->generate({request, {}, ""}, answer.handler());
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->finished.reason, core::FinishReason::stop);
    EXPECT_EQ(answer.text, whole.text.substr(0, whole.text.find(word)));
    EXPECT_GT(answer.end->finished.generated_tokens, answer.resume.tokens);
}

TEST_F(LlamaServerEngineTest, ARequestTooLongIsTheClientsError) {
    start();
    Answer answer;
    const std::string request = R"({"messages":[{"role":"user","content":")" +
                                std::string(20'000, 'x') + R"("}],"max_tokens":5})";
    fixture->engine->generate({request, {}, ""}, answer.handler());
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::rejected);
    EXPECT_EQ(answer.end->rejected.http_status, 400U);
    EXPECT_NE(answer.end->rejected.message.find("context"), std::string::npos);
}

TEST_F(LlamaServerEngineTest, TheTapHoldsWhatTheEngineSaid) {
    start();
    Answer answer;
    ask(answer, 25, {}, "the label");
    ASSERT_TRUE(finish(answer));
    const auto frames = read_tap(fixture->options.tap_path);
    ASSERT_TRUE(frames) << frames.error().message;
    HttpResponse response;
    std::string body;
    std::string request;
    for (const TapFrame& frame : *frames) {
        EXPECT_EQ(frame.label, "the label");
        if (frame.direction == TapDirection::to_engine)
            request += frame.data;
        if (frame.direction == TapDirection::from_engine) {
            ASSERT_TRUE(response.feed(frame.data, body));
        }
    }
    EXPECT_EQ(frames->back().direction, TapDirection::over);
    EXPECT_TRUE(request.starts_with("POST /completion "));
    EXPECT_EQ(response.status(), 200U);
    CompletionEvents events;
    events.feed(body);
    std::string text;
    for (;;) {
        const auto next = events.next();
        ASSERT_TRUE(next);
        if (!*next)
            break;
        text += std::get<CompletionEvent>(**next).text;
    }
    EXPECT_EQ(text, answer.text);
}

TEST_F(LlamaServerEngineTest, AModelThatIsNoneFailsWithAReasonAndBacksOff) {
    restart_with([](LlamaServerOptions& options) { options.model_path = "/proc/self/cmdline"; });
    launch();
    const base::Instant begin = fixture->loop.now();
    const auto failures = [&] {
        return std::count_if(statuses.begin(), statuses.end(), [](const Status& status) {
            return status.condition == Condition::failed;
        });
    };
    ASSERT_TRUE(run_until([&] { return failures() >= 6; }));
    EXPECT_GT(ms_since(begin), 750.0) << "no back-off";
    for (const Status& status : statuses) {
        if (status.condition == Condition::failed) {
            EXPECT_NE(status.failure.find("model"), std::string::npos) << status.failure;
        }
    }
}

TEST_F(LlamaServerEngineTest, AnEngineThatWantsTooMuchMemoryIsEnded) {
    restart_with([](LlamaServerOptions& options) { options.memory_bytes_max = 6 << 20; });
    launch();
    ASSERT_TRUE(wait_for(Condition::failed));
    EXPECT_NE(statuses.back().failure.find("memory"), std::string::npos) << statuses.back().failure;
    std::printf("memory: %s\n", statuses.back().failure.c_str());
}

TEST_F(LlamaServerEngineTest, WithoutSandboxItWorksWhenThatWasDemanded) {
    ::setenv("IDLEWATT_ENGINE_SANDBOX", "off", 1);
    start();
    Answer answer;
    ask(answer, 10);
    ASSERT_TRUE(finish(answer));
    EXPECT_EQ(answer.end->kind, StreamEnd::Kind::finished) << answer.end->failure;
    const int pid = fixture->engine_pid();
    bool gone = false;
    fixture->engine->kill([&] { gone = true; });
    ASSERT_TRUE(run_until([&] { return gone; }));
    EXPECT_NE(::kill(pid, 0), 0);
    ::unsetenv("IDLEWATT_ENGINE_SANDBOX");
}

TEST_F(LlamaServerEngineTest, TheEngineKeepsItsContract) {
    start();
    std::optional<ContractReport> report;
    check_engine_contract(fixture->loop, *fixture->engine,
                          [&](ContractReport result) { report = std::move(result); });
    ASSERT_TRUE(run_until([&] { return report.has_value(); }));
    EXPECT_TRUE(report->usable());
    EXPECT_EQ(report->checks.size(), 9U);
    for (const CapabilityCheck& check : report->checks) {
        EXPECT_TRUE(check.ok) << check.capability << ": " << check.message;
    }
}

}  // namespace
}  // namespace idlewatt::engine

// The test binary is its own guard, and adopts orphans so that none can hide.
int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "engine-guard") == 0) {
        return idlewatt::engine::guard_main(argc, argv);
    }
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
