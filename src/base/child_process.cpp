// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/child_process.hpp"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/asio/posix/stream_descriptor.hpp>

#include "base/assert.hpp"
#include "base/descriptor.hpp"

namespace idlewatt::base {

namespace {

constexpr int exit_code_unknown = 255;
constexpr int signal_exit_code_base = 128;

// By number: glibc 2.36 declares these without extern "C".
int pidfd_open(pid_t pid) {
    return static_cast<int>(::syscall(SYS_pidfd_open, pid, 0));
}
void pidfd_send_signal(int pidfd, int number) {
    ::syscall(SYS_pidfd_send_signal, pidfd, number, nullptr, 0);
}

// Everything that the child needs between fork and exec, made before the fork: the parent may have
// threads, so the child may only make system calls until it is another program.
struct Image {
    std::string path;
    std::vector<char*> argv;
    std::vector<char*> environment;
    std::vector<std::string> environment_text;
    std::vector<std::pair<int, int>> descriptors;  // child's number, ours
    int input = -1;
    int output = -1;
    int report = -1;  // closed by a successful exec; else gets errno
    pid_t parent = 0;
    bool dies_with_parent = true;
};

Result<std::string> find_program(const std::string& name) {
    if (name.find('/') != std::string::npos)
        return name;
    const char* path = std::getenv("PATH");
    std::string_view rest = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
    while (!rest.empty()) {
        const std::size_t end = std::min(rest.find(':'), rest.size());
        const std::string candidate = std::string(rest.substr(0, end)) + "/" + name;
        if (::access(candidate.c_str(), X_OK) == 0)
            return candidate;
        rest.remove_prefix(std::min(end + 1, rest.size()));
    }
    return fail(ErrorKind::not_found,
                "program '" + name + "' was not found on PATH; install it or name its full path");
}

std::vector<std::string> merged_environment(
    const std::vector<std::pair<std::string, std::string>>& changes) {
    std::vector<std::string> merged;
    for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
        const std::string_view text = *entry;
        const std::string_view key = text.substr(0, text.find('='));
        const bool replaced = std::any_of(changes.begin(), changes.end(),
                                          [&](const auto& change) { return change.first == key; });
        if (!replaced)
            merged.emplace_back(text);
    }
    for (const auto& [key, value] : changes)
        merged.push_back(key + "=" + value);
    return merged;
}

[[noreturn]] void report_and_exit(int report) {
    const int error = errno;
    [[maybe_unused]] const ssize_t written = ::write(report, &error, sizeof error);
    ::_exit(127);
}

void reset_signals() {
    for (int number = 1; number < NSIG; ++number)
        ::signal(number, SIG_DFL);
    sigset_t none;
    sigemptyset(&none);
    ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

// In the child. Only async-signal-safe calls.
[[noreturn]] void become(Image& image) {
    reset_signals();
    // Ctrl-C in a terminal goes to the parent alone, which ends its children in their order.
    if (::setpgid(0, 0) != 0)
        report_and_exit(image.report);
    if (image.dies_with_parent) {
        if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            report_and_exit(image.report);
        // The parent may have died before the line above.
        if (::getppid() != image.parent)
            ::_exit(signal_exit_code_base + SIGKILL);
    }
    // First away from the numbers that are to be taken, then onto them.
    int above = 3;
    for (const auto& [number, ours] : image.descriptors)
        above = std::max(above, number + 1);
    image.report = ::fcntl(image.report, F_DUPFD_CLOEXEC, above);
    if (image.report < 0)
        ::_exit(127);
    for (auto& [number, ours] : image.descriptors) {
        ours = ::fcntl(ours, F_DUPFD_CLOEXEC, above);
        if (ours < 0)
            report_and_exit(image.report);
    }
    const int input = ::fcntl(image.input, F_DUPFD_CLOEXEC, above);
    const int output = image.output < 0 ? -1 : ::fcntl(image.output, F_DUPFD_CLOEXEC, above);
    if (::close_range(3, ~0U, CLOSE_RANGE_CLOEXEC) != 0)
        report_and_exit(image.report);
    if (::dup2(input, 0) < 0)
        report_and_exit(image.report);
    if (output >= 0 && (::dup2(output, 1) < 0 || ::dup2(output, 2) < 0)) {
        report_and_exit(image.report);
    }
    for (const auto& [number, ours] : image.descriptors) {
        if (::dup2(ours, number) < 0)
            report_and_exit(image.report);
    }
    ::execve(image.path.c_str(), image.argv.data(), image.environment.data());
    report_and_exit(image.report);
}

// Forks and waits (well under a millisecond) until the child is the new program.
Result<pid_t> start(Image& image) {
    int ends[2];
    if (::pipe2(ends, O_CLOEXEC) != 0)
        return fail_errno("cannot make a pipe");
    const Descriptor read_end(ends[0]);
    Descriptor write_end(ends[1]);
    image.report = write_end.get();
    image.parent = ::getpid();

    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    ::pthread_sigmask(SIG_SETMASK, &all, &before);
    const pid_t pid = ::fork();
    if (pid == 0)
        become(image);
    const int fork_error = errno;
    ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
    if (pid < 0) {
        errno = fork_error;
        return fail_errno("cannot start '" + image.path + "'");
    }
    write_end.reset();
    int error = 0;
    ssize_t got = 0;
    do {
        got = ::read(read_end.get(), &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    if (got == sizeof error) {
        ::waitpid(pid, nullptr, 0);
        errno = error;
        return fail_errno("cannot start '" + image.path + "'");
    }
    return pid;
}

int exit_code(int status) {
    return WIFSIGNALED(status) ? signal_exit_code_base + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

struct ChildProcess::Implementation {
    Implementation(AsioLoop& loop, pid_t child, int pidfd, OnExit exit)
        : pid(child), descriptor(loop.context(), pidfd), on_exit(std::move(exit)) {}

    pid_t pid;
    boost::asio::posix::stream_descriptor descriptor;  // readable when the process has ended
    OnExit on_exit;
    bool reaped = false;

    void wait() {
        descriptor.async_wait(boost::asio::posix::stream_descriptor::wait_read,
                              [this](const boost::system::error_code& error) {
                                  // Destruction cancels the wait; `this` is gone then.
                                  if (!error)
                                      reap();
                              });
    }

    void reap() {
        int status = 0;
        const pid_t got = ::waitpid(pid, &status, WNOHANG);
        if (got == 0 || (got < 0 && errno == EINTR))
            return wait();
        reaped = true;
        const OnExit call = std::move(on_exit);
        if (call)
            call(got == pid ? exit_code(status) : exit_code_unknown);
        // Nothing after this line: the callback may have destroyed us.
    }
};

Result<std::unique_ptr<ChildProcess>> ChildProcess::spawn(AsioLoop& loop,
                                                          const SpawnOptions& options,
                                                          OnExit on_exit) {
    IDLEWATT_ASSERT(!options.argv.empty());
    Image image;
    Result<std::string> path = find_program(options.argv.front());
    if (!path)
        return tl::unexpected<Error>(path.error());
    image.path = std::move(*path);
    for (const std::string& word : options.argv) {
        image.argv.push_back(const_cast<char*>(word.c_str()));
    }
    image.argv.push_back(nullptr);
    image.environment_text = merged_environment(options.environment);
    for (std::string& entry : image.environment_text)
        image.environment.push_back(entry.data());
    image.environment.push_back(nullptr);
    image.descriptors = options.descriptors;
    image.dies_with_parent = options.dies_with_parent;

    const Descriptor input(::open("/dev/null", O_RDONLY | O_CLOEXEC));
    if (input.get() < 0)
        return fail_errno("cannot open /dev/null");
    image.input = input.get();
    Descriptor output;
    if (!options.output_file.empty()) {
        output.reset(::open(options.output_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC,
                            S_IRUSR | S_IWUSR));
        if (output.get() < 0) {
            return fail_errno("cannot open '" + options.output_file + "' for output");
        }
        image.output = output.get();
    }

    const Result<pid_t> pid = start(image);
    if (!pid)
        return tl::unexpected<Error>(pid.error());
    // Not reaped before we say so, hence the number is still this process's.
    const int pidfd = pidfd_open(*pid);
    if (pidfd < 0) {
        const auto error = fail_errno("cannot watch process " + std::to_string(*pid));
        ::kill(*pid, SIGKILL);
        ::waitpid(*pid, nullptr, 0);
        return error;
    }
    ::fcntl(pidfd, F_SETFD, FD_CLOEXEC);
    auto impl = std::make_unique<Implementation>(loop, *pid, pidfd, std::move(on_exit));
    impl->wait();
    return std::unique_ptr<ChildProcess>(new ChildProcess(std::move(impl)));
}

ChildProcess::ChildProcess(std::unique_ptr<Implementation> impl) : impl_(std::move(impl)) {}

ChildProcess::~ChildProcess() {
    if (impl_->reaped)
        return;
    signal(SIGKILL);
    ::waitpid(impl_->pid, nullptr, 0);
}

int ChildProcess::pid() const {
    return impl_->pid;
}

void ChildProcess::signal(int number) {
    if (!impl_->reaped)
        pidfd_send_signal(impl_->descriptor.native_handle(), number);
}

}  // namespace idlewatt::base
