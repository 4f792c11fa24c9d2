// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/guard.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <string>
#include <string_view>

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/llama_server_engine.hpp"
#include "engine/memory_group.hpp"
#include "engine/syscall_filter.hpp"

namespace idlewatt::engine {

namespace {

constexpr int exit_usage = 2;
constexpr int reap_pause_ms = 1;
constexpr int last_reads_max = 1024;  // more than a pipe holds
constexpr rlim_t open_files_max = 1024;
constexpr rlim_t processes_max = 512;
constexpr rlim_t file_bytes_max = rlim_t{64} << 20;  // its only writable files are in memory
constexpr int io_priority_idle = 3 << 13;
constexpr int io_priority_of_process = 1;

int open_pidfd(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}

void say(const std::string& text) {
    [[maybe_unused]] const ssize_t written = ::write(guard_report_fd, text.data(), text.size());
}

// Whether a process of the lowest priority can be given a normal one again: by trying.
bool priority_can_be_raised() {
    const pid_t pid = ::fork();
    if (pid == 0) {
        const sched_param none{};
        const bool raised = ::sched_setscheduler(0, SCHED_IDLE, &none) == 0 &&
                            ::sched_setscheduler(0, SCHED_OTHER, &none) == 0;
        ::_exit(raised ? 0 : 1);
    }
    int status = 0;
    return pid > 0 && ::waitpid(pid, &status, 0) == pid && status == 0;
}

struct Arguments {
    std::uint64_t memory_bytes_max = 0;
    std::string group;
    const char* direct_folder = nullptr;
    char** program = nullptr;
};

bool parse(int argc, char** argv, Arguments& arguments) {
    for (int i = 2; i < argc; ++i) {
        const std::string_view word = argv[i];
        if (word == "--" && i + 1 < argc) {
            arguments.program = argv + i + 1;
            return arguments.memory_bytes_max > 0 && !arguments.group.empty();
        }
        if (word == "--direct" && i + 1 < argc) {
            arguments.direct_folder = argv[++i];
        } else if (word == "--memory" && i + 1 < argc) {
            const std::string_view value = argv[++i];
            std::from_chars(value.data(), value.data() + value.size(), arguments.memory_bytes_max);
        } else if (word == "--group" && i + 1 < argc) {
            arguments.group = argv[++i];
        } else {
            return false;
        }
    }
    return false;
}

// In the child, which becomes bwrap or the engine. Whatever is refused leaves the engine with less
// restraint but working; the network, files and capabilities are bwrap's, which fails loudly.
[[noreturn]] void become(const Arguments& arguments, const MemoryGroup& group, int output, int info,
                         pid_t guard) {
    ::signal(SIGPIPE, SIG_DFL);
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != guard)
        ::_exit(1);
    // Said here, so that a limit is claimed only where it holds.
    say(std::string("limit ") + (group.enter() ? group.kind() : "none") + "\n");
    ::syscall(SYS_ioprio_set, io_priority_of_process, 0, io_priority_idle);
    const rlimit no_core{0, 0};
    ::setrlimit(RLIMIT_CORE, &no_core);
    // CPU priority is lowered when the engine has loaded; see EngineProcess::settle().
    ::dup2(output, 1);
    ::dup2(output, 2);
    if (info >= 0) {
        // Their numbers may be the wanted ones already, and would then still close at exec.
        const int high_info = ::fcntl(info, F_DUPFD_CLOEXEC, guard_filter_fd + 1);
        const int filter = make_syscall_filter();
        const int high_filter = filter < 0 ? -1 : ::fcntl(filter, F_DUPFD_CLOEXEC, high_info + 1);
        ::dup2(high_info, guard_info_fd);
        if (high_filter >= 0)
            ::dup2(high_filter, guard_filter_fd);
    }
    ::close(guard_heartbeat_fd);
    ::close(guard_report_fd);
    if (arguments.direct_folder != nullptr && ::chdir(arguments.direct_folder) != 0)
        ::_exit(1);
    ::execvp(arguments.program[0], arguments.program);
    const std::string text =
        std::string("cannot start ") + arguments.program[0] + ": " + std::strerror(errno) + "\n";
    [[maybe_unused]] const ssize_t written = ::write(2, text.data(), text.size());
    ::_exit(127);
}

// The last bytes of what the engine wrote.
class Tail {
public:
    // Whether there was anything.
    bool read(int fd) {
        std::array<char, 4096> bytes{};
        const ssize_t got = ::read(fd, bytes.data(), bytes.size());
        if (got <= 0)
            return false;
        text_.append(bytes.data(), static_cast<std::size_t>(got));
        if (text_.size() > 2 * guard_output_bytes_kept) {
            text_.erase(0, text_.size() - guard_output_bytes_kept);
        }
        return true;
    }
    [[nodiscard]] std::string_view text() const {
        const std::string_view all = text_;
        return all.substr(all.size() - std::min(all.size(), guard_output_bytes_kept));
    }

private:
    std::string text_;
};

class Guard {
public:
    int run(const Arguments& arguments);

private:
    void watch();
    void read_info();
    void take_engine(pid_t pid, bool in_sandbox);
    static void hold_namespaces(pid_t pid);
    void kill_engine();
    void kill_children();
    int reap_all();

    pid_t child_ = -1;
    pid_t engine_ = -1;
    int child_fd_ = -1;
    int engine_fd_ = -1;
    int output_fd_ = -1;
    int info_fd_ = -1;
    std::string info_;
    Tail tail_;
};

// While somebody holds its namespaces, a process ends without taking them down, which at times
// takes the kernel some hundred milliseconds (2 of 150 kills measured; none when held). They are
// ours to take down, after the end was reported. Held by open files, which close with us.
void Guard::hold_namespaces(pid_t pid) {
    for (const char* name : {"mnt", "net", "ipc", "uts", "cgroup"}) {
        const std::string path = "/proc/" + std::to_string(pid) + "/ns/" + name;
        [[maybe_unused]] const int held = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    }
}

// bwrap writes an object with "child-pid": N in one go when the sandbox exists.
void Guard::read_info() {
    std::array<char, 512> bytes{};
    const ssize_t got = ::read(info_fd_, bytes.data(), bytes.size());
    if (got > 0) {
        info_.append(bytes.data(), static_cast<std::size_t>(got));
        return;
    }
    ::close(info_fd_);
    info_fd_ = -1;
    constexpr std::string_view key = "\"child-pid\":";
    const std::size_t found = info_.find(key);
    if (found == std::string::npos)
        return;
    const std::size_t begin = info_.find_first_not_of(' ', found + key.size());
    if (begin == std::string::npos)
        return;
    pid_t pid = -1;
    std::from_chars(info_.data() + begin, info_.data() + info_.size(), pid);
    if (pid > 1)
        take_engine(pid, true);
}

void Guard::take_engine(pid_t pid, bool in_sandbox) {
    engine_ = pid;
    engine_fd_ = open_pidfd(pid);
    // Set here and not before bwrap: with its own user namespace only these processes count.
    // Without a sandbox all the user's would.
    const rlimit processes{processes_max, processes_max};
    const rlimit files{open_files_max, open_files_max};
    const rlimit size{file_bytes_max, file_bytes_max};
    if (in_sandbox)
        ::prlimit(pid, RLIMIT_NPROC, &processes, nullptr);
    ::prlimit(pid, RLIMIT_NOFILE, &files, nullptr);
    ::prlimit(pid, RLIMIT_FSIZE, &size, nullptr);
    hold_namespaces(pid);
    say("pid " + std::to_string(pid) + "\n");
}

void Guard::kill_engine() {
    if (engine_fd_ >= 0)
        ::syscall(SYS_pidfd_send_signal, engine_fd_, SIGKILL, nullptr, 0);
}

// Until the child ends, or the agent is silent.
void Guard::watch() {
    for (;;) {
        std::array<pollfd, 4> fds = {{{guard_heartbeat_fd, POLLIN, 0},
                                      {child_fd_, POLLIN, 0},
                                      {output_fd_, POLLIN, 0},
                                      {info_fd_, POLLIN, 0}}};
        static timespec last_heard = {};
        timespec now{};
        ::clock_gettime(CLOCK_MONOTONIC, &now);
        if (last_heard.tv_sec == 0)
            last_heard = now;
        const std::int64_t silent_ms = (now.tv_sec - last_heard.tv_sec) * 1000 +
                                       (now.tv_nsec - last_heard.tv_nsec) / 1'000'000;
        const std::int64_t left_ms = heartbeat_silence_max.whole_milliseconds() - silent_ms;
        if (::poll(fds.data(), fds.size(), static_cast<int>(std::max<std::int64_t>(left_ms, 0))) <
                0 &&
            errno != EINTR) {
            return;
        }
        if (fds[3].revents != 0)
            read_info();
        if (fds[2].revents != 0)
            tail_.read(output_fd_);
        if (fds[1].revents != 0)
            return;
        if (fds[0].revents != 0) {
            std::array<char, 64> bytes{};
            if (::read(guard_heartbeat_fd, bytes.data(), bytes.size()) <= 0)
                return;
            last_heard = now;
            ::clock_gettime(CLOCK_MONOTONIC, &last_heard);
        } else if (left_ms <= 0) {
            return;
        }
    }
}

// Ends and reaps everything below us: orphans of the sandbox come to us, also those that were
// orphaned before they could ask to die with their parent. Gives the child's exit code.
int Guard::reap_all() {
    int code = 0;
    for (;;) {
        int status = 0;
        const pid_t pid = ::waitpid(-1, &status, WNOHANG);
        if (pid < 0 && errno != EINTR)
            return code;
        if (pid == child_) {
            code = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
        }
        if (pid != 0)
            continue;
        kill_children();
        ::poll(nullptr, 0, reap_pause_ms);
    }
}

void Guard::kill_children() {
    const std::string path = "/proc/self/task/" + std::to_string(::getpid()) + "/children";
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return;
    std::array<char, 4096> bytes{};
    const ssize_t got = ::read(fd, bytes.data(), bytes.size() - 1);
    ::close(fd);
    const char* rest = bytes.data();
    const char* const end = rest + std::max<ssize_t>(got, 0);
    while (rest < end) {
        pid_t pid = 0;
        const auto number = std::from_chars(rest, end, pid);
        if (number.ec == std::errc{} && pid > 1)
            ::kill(pid, SIGKILL);  // ours until we reap it
        rest = number.ptr + 1;
    }
}

int Guard::run(const Arguments& arguments) {
    ::signal(SIGPIPE, SIG_IGN);
    ::prctl(PR_SET_CHILD_SUBREAPER, 1);
    ::prctl(PR_SET_NAME, "engine-guard");
    const MemoryGroup group(arguments.group, arguments.memory_bytes_max);
    say(std::string("raise ") + (priority_can_be_raised() ? "yes" : "no") + "\n");
    std::array<int, 2> output{};
    std::array<int, 2> info = {-1, -1};
    if (::pipe2(output.data(), O_CLOEXEC) != 0)
        return 1;
    if (arguments.direct_folder == nullptr && ::pipe2(info.data(), O_CLOEXEC) != 0)
        return 1;
    const pid_t self = ::getpid();
    child_ = ::fork();
    if (child_ == 0)
        become(arguments, group, output[1], info[1], self);
    ::close(output[1]);
    if (info[1] >= 0)
        ::close(info[1]);
    if (child_ < 0)
        return 1;
    output_fd_ = output[0];
    info_fd_ = info[0];
    ::fcntl(output_fd_, F_SETFL, O_NONBLOCK);
    child_fd_ = open_pidfd(child_);
    if (arguments.direct_folder != nullptr)
        take_engine(child_, false);
    watch();
    kill_engine();
    const int code = reap_all();
    for (int i = 0; i < last_reads_max && tail_.read(output_fd_); ++i) {
    }
    say("exit " + std::to_string(code) + "\n" + std::string(tail_.text()));
    return 0;
}

}  // namespace

int guard_main(int argc, char** argv) {
    Arguments arguments;
    if (!parse(argc, argv, arguments)) {
        constexpr std::string_view usage =
            "usage: engine-guard --memory BYTES --group NAME [--direct FOLDER] -- PROGRAM "
            "ARGUMENTS...\n"
            "Started by the agent; not by hand.\n";
        [[maybe_unused]] const ssize_t written = ::write(2, usage.data(), usage.size());
        return exit_usage;
    }
    return Guard().run(arguments);
}

}  // namespace idlewatt::engine
