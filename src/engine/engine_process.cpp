// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/engine_process.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>
#include <utility>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>
#include <time.h>

#include "base/child_process.hpp"
#include "base/log.hpp"
#include "engine/guard.hpp"
#include "engine/sandbox.hpp"

namespace idlewatt::engine {

namespace {

namespace fs = std::filesystem;
namespace asio = boost::asio;
using boost::system::error_code;

constexpr int settle_rounds_max = 8;
constexpr int nice_lowest = 19;
constexpr int nice_highest = -20;
// Milliseconds as a rule; on a machine with four times the work it can do, over a second (seen).
constexpr int wait_for_guard_ms = 5000;
constexpr std::size_t report_bytes_max = 64 * 1024;

int pidfd_open(int pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

// The same for the same folder, so that a group left by a killed guard is found again.
std::string group_name(const std::string& run_dir) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const char c : run_dir)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    std::array<char, 32> name{};
    std::snprintf(name.data(), name.size(), "idlewatt-%016llx",
                  static_cast<unsigned long long>(hash));
    return name.data();
}

std::string read_file(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

base::Result<void> make_private_folder(const std::string& path) {
    if (::mkdir(path.c_str(), 0700) != 0 && errno != EEXIST) {
        return base::fail_errno("cannot make the engine's folder '" + path + "'");
    }
    return {};
}

}  // namespace

struct EngineProcess::Implementation {
    Implementation(base::AsioLoop& on, std::string dir, int report_fd, int heartbeat,
                   int socket_dir)
        : loop(on),
          run_dir(std::move(dir)),
          report_pipe(on.context(), report_fd),
          engine_pidfd(on.context()),
          heartbeat_fd(heartbeat),
          socket_dir_fd(socket_dir),
          socket_path("/proc/self/fd/" + std::to_string(socket_dir) + "/" + engine_socket_name) {}

    ~Implementation() {
        if (heartbeat_timer)
            loop.cancel(*heartbeat_timer);
        drop_heartbeat();
        ::close(socket_dir_fd);
    }

    base::AsioLoop& loop;
    std::string run_dir;
    asio::posix::stream_descriptor report_pipe;
    asio::posix::stream_descriptor engine_pidfd;
    int heartbeat_fd;
    int socket_dir_fd;
    std::string socket_path;
    std::unique_ptr<base::ChildProcess> guard;
    std::optional<base::TimerId> heartbeat_timer;
    std::function<void()> on_gone;
    std::function<void(EngineEnd)> on_end;
    std::array<char, 4096> buffer{};
    std::string report;
    // A handler that was already due runs even after its descriptor was closed.
    std::shared_ptr<int> alive = std::make_shared<int>(0);
    int pid = 0;
    bool memory_is_limited = false;
    bool priority_can_be_raised = false;
    bool killed = false;
    bool report_over = false;
    bool guard_over = false;
    bool engine_over = true;  // while no engine is known

    [[nodiscard]] std::string pid_file() const { return run_dir + "/engine.pid"; }
    [[nodiscard]] std::string proc(const char* file) const {
        return "/proc/" + std::to_string(pid) + "/" + file;
    }

    template <class Call>
    bool for_each_thread(Call call) const {
        // The number of one that has ended may belong to a stranger by now.
        if (pid == 0 || engine_over)
            return false;
        bool any = false;
        std::error_code error;
        // Its end in the middle is an error here and would be an exception of a range-based loop.
        for (fs::directory_iterator task(proc("task"), error), none; !error && task != none;
             task.increment(error)) {
            const int thread = std::atoi(task->path().filename().c_str());
            if (thread > 0 && call(thread))
                any = true;
        }
        return any;
    }

    void beat() {
        const char byte = 1;
        // A dead guard is noticed elsewhere; here it must only not kill us.
        [[maybe_unused]] const ssize_t sent =
            ::send(heartbeat_fd, &byte, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
        heartbeat_timer = loop.after(heartbeat_period, [this] { beat(); });
    }

    void drop_heartbeat() {
        if (heartbeat_fd >= 0)
            ::close(std::exchange(heartbeat_fd, -1));
        if (heartbeat_timer)
            loop.cancel(*std::exchange(heartbeat_timer, std::nullopt));
    }

    void listen() {
        report_pipe.async_read_some(
            asio::buffer(buffer),
            [this, weak = std::weak_ptr<int>(alive)](const error_code& error, std::size_t size) {
                if (weak.expired() || error == asio::error::operation_aborted)
                    return;
                if (error) {
                    report_over = true;
                    return end_if_over();
                }
                if (report.size() < report_bytes_max) {
                    report.append(buffer.data(), size);
                }
                read_report();
                if (!weak.expired())
                    listen();
            });
    }

    [[nodiscard]] std::optional<std::string> reported(std::string_view key) const {
        std::string_view rest = report;
        while (!rest.empty()) {
            const std::size_t end = rest.find('\n');
            if (end == std::string_view::npos)
                break;
            const std::string_view line = rest.substr(0, end);
            if (line.starts_with(key))
                return std::string(line.substr(key.size()));
            rest.remove_prefix(end + 1);
        }
        return std::nullopt;
    }

    void read_report() {
        if (const auto limit = reported("limit "))
            memory_is_limited = *limit != "none";
        if (const auto raise = reported("raise "))
            priority_can_be_raised = *raise == "yes";
        if (reported("exit "))
            return end_if_over();
        const auto text = reported("pid ");
        if (pid != 0 || !text)
            return;
        std::from_chars(text->data(), text->data() + text->size(), pid);
        const int pidfd = pidfd_open(pid);
        if (pidfd < 0)
            return;  // it has ended already; the guard will say so
        ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);
        engine_pidfd.assign(pidfd);
        engine_over = false;
        engine_pidfd.async_wait(asio::posix::stream_descriptor::wait_read,
                                [this, weak = std::weak_ptr<int>(alive)](const error_code& error) {
                                    if (weak.expired() || error)
                                        return;
                                    engine_over = true;
                                    end_if_over();
                                });
        write_pid_file();
        if (killed)
            kill();
    }

    void write_pid_file() const {
        const std::string partial = pid_file() + ".partial";
        {
            std::ofstream file(partial, std::ios::trunc);
            file << pid << '\n';
        }
        if (::rename(partial.c_str(), pid_file().c_str()) != 0) {
            base::log_warning("engine", "cannot write '" + pid_file() + "'");
        }
    }

    void kill() {
        killed = true;
        if (engine_pidfd.is_open()) {
            ::syscall(SYS_pidfd_send_signal, engine_pidfd.native_handle(), SIGKILL, nullptr, 0);
        }
        // It has to run to die, and at the lowest priority that takes up to a second when the
        // machine is busy (measured). Highest of the fair classes still waited 170 ms behind other
        // sessions' groups; real time does not wait, and what is dying runs no code of its own.
        for_each_thread([](int thread) {
            const sched_param real_time{.sched_priority = 1};
            if (::sched_setscheduler(thread, SCHED_FIFO, &real_time) == 0)
                return true;
            const sched_param none{};
            ::sched_setscheduler(thread, SCHED_OTHER, &none);
            ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), nice_highest);
            return true;
        });
        // The guard ends what is left, even an engine whose number is not known here yet.
        drop_heartbeat();
    }

    // The engine is gone when the guard has reaped it and says so; all is over when the guard has
    // ended too and everything it said was read.
    void end_if_over() {
        if (guard_over && !engine_over)
            kill();  // the guard was ended by a stranger
        if (on_gone && engine_over && (guard_over || reported("exit "))) {
            ::unlink(pid_file().c_str());
            std::exchange(on_gone, nullptr)();
        }
        if (!guard_over || !report_over || !engine_over || !on_end)
            return;
        drop_heartbeat();
        EngineEnd end;
        end.code = -1;
        if (const auto code = reported("exit ")) {
            std::from_chars(code->data(), code->data() + code->size(), end.code);
            const std::size_t at = report.find("exit " + *code + "\n");
            end.output = report.substr(at + 6 + code->size());
        }
        std::exchange(on_end, nullptr)(std::move(end));
        // Nothing after this line: the callback may have destroyed us.
    }
};

base::Result<std::unique_ptr<EngineProcess>> EngineProcess::start(
    base::AsioLoop& loop, const LlamaServerOptions& options, std::function<void()> on_gone,
    std::function<void(EngineEnd)> on_end) {
    std::error_code error;
    const std::string run_dir = fs::absolute(options.run_dir, error).string();
    const std::string socket_dir = run_dir + "/socket";
    for (const std::string& folder : {run_dir, socket_dir}) {
        if (auto made = make_private_folder(folder); !made)
            return tl::unexpected(made.error());
    }
    // A stale socket keeps llama-server from listening; and an engine that was broken into may have
    // left anything there.
    for (fs::directory_iterator left(socket_dir, error), none; !error && left != none;
         left.increment(error)) {
        std::error_code ignored;
        fs::remove_all(left->path(), ignored);
    }
    auto command = engine_command(options, socket_dir);
    if (!command)
        return tl::unexpected<base::Error>(command.error());

    const int socket_dir_fd = ::open(socket_dir.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    std::array<int, 2> heartbeat = {-1, -1};
    std::array<int, 2> report = {-1, -1};
    if (socket_dir_fd < 0 ||
        ::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, heartbeat.data()) != 0 ||
        ::pipe2(report.data(), O_CLOEXEC) != 0) {
        auto failure = base::fail_errno("cannot prepare the engine's guard");
        for (const int fd : {socket_dir_fd, heartbeat[0], heartbeat[1], report[0], report[1]}) {
            if (fd >= 0)
                ::close(fd);
        }
        return failure;
    }
    auto impl =
        std::make_unique<Implementation>(loop, run_dir, report[0], heartbeat[1], socket_dir_fd);
    base::SpawnOptions spawn;
    spawn.argv = {options.guard_program,
                  "engine-guard",
                  "--memory",
                  std::to_string(options.memory_bytes_max),
                  "--group",
                  group_name(run_dir)};
    if (!command->direct_folder.empty()) {
        spawn.argv.insert(spawn.argv.end(), {"--direct", command->direct_folder});
    }
    spawn.argv.emplace_back("--");
    spawn.argv.insert(spawn.argv.end(), command->argv.begin(), command->argv.end());
    spawn.descriptors = {{guard_heartbeat_fd, heartbeat[0]}, {guard_report_fd, report[1]}};
    // It ends on its own when we die, and in good order: the closed pipe tells it.
    spawn.dies_with_parent = false;
    Implementation* const raw = impl.get();
    auto guard = base::ChildProcess::spawn(loop, spawn, [raw](int) {
        raw->guard_over = true;
        raw->end_if_over();
    });
    ::close(heartbeat[0]);
    ::close(report[1]);
    if (!guard)
        return tl::unexpected<base::Error>(guard.error());
    impl->guard = std::move(*guard);
    impl->on_gone = std::move(on_gone);
    impl->on_end = std::move(on_end);
    impl->beat();
    impl->listen();
    return std::unique_ptr<EngineProcess>(new EngineProcess(std::move(impl)));
}

EngineProcess::EngineProcess(std::unique_ptr<Implementation> impl) : impl_(std::move(impl)) {}

EngineProcess::~EngineProcess() {
    impl_->on_gone = nullptr;
    impl_->on_end = nullptr;
    if (!impl_->guard_over) {
        impl_->kill();
        // Let the guard reap in order; its own destruction would leave orphans to others.
        const int pidfd = pidfd_open(impl_->guard->pid());
        pollfd wait{pidfd, POLLIN, 0};
        ::poll(&wait, 1, wait_for_guard_ms);
        ::close(pidfd);
    }
    ::unlink(impl_->pid_file().c_str());
}

void EngineProcess::kill() {
    impl_->kill();
}

void EngineProcess::settle() {
    // Without the right to raise it again for a quick end, the lowest but one.
    const bool idle = impl_->priority_can_be_raised;
    // A thread that starts meanwhile inherits from one that was not yet lowered: look again.
    for (int round = 0; round < settle_rounds_max; ++round) {
        const bool changed = impl_->for_each_thread([idle](int thread) {
            const auto id = static_cast<id_t>(thread);
            if (!idle) {
                return ::getpriority(PRIO_PROCESS, id) != nice_lowest &&
                       ::setpriority(PRIO_PROCESS, id, nice_lowest) == 0;
            }
            const sched_param none{};
            return ::sched_getscheduler(thread) != SCHED_IDLE &&
                   ::sched_setscheduler(thread, SCHED_IDLE, &none) == 0;
        });
        if (!changed)
            return;
    }
}

const std::string& EngineProcess::socket_path() const {
    return impl_->socket_path;
}

bool EngineProcess::memory_is_limited() const {
    return impl_->memory_is_limited;
}

base::Duration EngineProcess::cpu_time() const {
    clockid_t clock{};
    timespec time{};
    if (impl_->pid == 0 || ::clock_getcpuclockid(impl_->pid, &clock) != 0 ||
        ::clock_gettime(clock, &time) != 0) {
        return {};
    }
    return base::seconds(time.tv_sec) + base::Duration{time.tv_nsec};
}

std::uint64_t EngineProcess::progress_ns() const {
    std::uint64_t sum = 0;
    if (impl_->pid == 0)
        return sum;
    std::error_code error;
    for (fs::directory_iterator task(impl_->proc("task"), error), none; !error && task != none;
         task.increment(error)) {
        unsigned long long ran = 0;
        unsigned long long waited = 0;
        const std::string text = read_file(task->path().string() + "/schedstat");
        if (std::sscanf(text.c_str(), "%llu %llu", &ran, &waited) == 2)
            sum += ran + waited;
    }
    return sum;
}

bool EngineProcess::stopped() const {
    const std::string text = read_file(impl_->proc("stat"));
    const std::size_t name_end = text.rfind(") ");
    return name_end != std::string::npos &&
           (text[name_end + 2] == 'T' || text[name_end + 2] == 't');
}

std::uint64_t EngineProcess::resident_bytes() const {
    unsigned long long pages = 0;
    if (std::sscanf(read_file(impl_->proc("statm")).c_str(), "%*u %llu", &pages) != 1)
        return 0;
    return pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

}  // namespace idlewatt::engine
