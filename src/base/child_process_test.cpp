// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/child_process.hpp"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

namespace idlewatt::base {
namespace {

constexpr Duration patience = seconds(20);

std::string temporary_file() {
    std::string path = ::testing::TempDir() + "idlewatt_child_XXXXXX";
    const int fd = ::mkstemp(path.data());
    EXPECT_GE(fd, 0);
    ::close(fd);
    return path;
}

std::string content(const std::string& path) {
    std::ifstream file(path);
    std::ostringstream all;
    all << file.rdbuf();
    return all.str();
}

bool exists(int pid) {
    return ::kill(pid, 0) == 0 || errno != ESRCH;
}

// Runs the loop until the condition holds; false after the patience.
template <class Condition>
bool wait_until(AsioLoop& loop, Condition condition) {
    const Instant end = loop.now() + patience;
    while (!condition()) {
        if (loop.now() > end)
            return false;
        loop.run_for(milliseconds(2));
    }
    return true;
}

struct Started {
    AsioLoop loop;
    std::optional<int> code;
    std::unique_ptr<ChildProcess> child;

    explicit Started(const SpawnOptions& options) {
        auto spawned = ChildProcess::spawn(loop, options, [this](int c) { code = c; });
        EXPECT_TRUE(spawned) << (spawned ? "" : spawned.error().message);
        if (spawned)
            child = std::move(*spawned);
    }
    bool finish() {
        return wait_until(loop, [this] { return code.has_value(); });
    }
};

SpawnOptions shell(const std::string& script) {
    return {.argv = {"sh", "-c", script}};
}

TEST(ChildProcess, ReportsExitCodesAsAShellDoes) {
    for (const int code : {0, 1, 77, 255}) {
        Started run(shell("exit " + std::to_string(code)));
        ASSERT_TRUE(run.finish());
        EXPECT_EQ(run.code, code);
    }
    Started killed(shell("kill -TERM $$; sleep 60"));
    ASSERT_TRUE(killed.finish());
    EXPECT_EQ(killed.code, 128 + SIGTERM);
}

TEST(ChildProcess, IsReapedWhenItEnds) {
    Started run(shell("exit 0"));
    const int pid = run.child->pid();
    ASSERT_TRUE(run.finish());
    EXPECT_FALSE(exists(pid));
    run.child->signal(SIGKILL);  // nobody's number any more
}

TEST(ChildProcess, SignalReachesIt) {
    Started run({.argv = {"sleep", "60"}});
    run.child->signal(SIGKILL);
    ASSERT_TRUE(run.finish());
    EXPECT_EQ(run.code, 128 + SIGKILL);
}

TEST(ChildProcess, DestructionEndsItWithoutACallback) {
    Started run({.argv = {"sleep", "60"}});
    const int pid = run.child->pid();
    run.child.reset();
    EXPECT_FALSE(exists(pid));
    run.loop.run_for(milliseconds(5));
    EXPECT_FALSE(run.code.has_value());
}

TEST(ChildProcess, MayBeDestroyedInItsOwnCallback) {
    AsioLoop loop;
    bool ended = false;
    std::unique_ptr<ChildProcess> child;
    auto spawned = ChildProcess::spawn(loop, shell("exit 3"), [&](int) {
        child.reset();
        ended = true;
    });
    ASSERT_TRUE(spawned);
    child = std::move(*spawned);
    EXPECT_TRUE(wait_until(loop, [&] { return ended; }));
}

TEST(ChildProcess, AMissingProgramIsAnErrorThatNamesIt) {
    AsioLoop loop;
    for (const std::string name : {"idlewatt-no-such-program", "/nonexistent/program"}) {
        const auto spawned = ChildProcess::spawn(loop, {.argv = {name}}, nullptr);
        ASSERT_FALSE(spawned);
        EXPECT_NE(spawned.error().message.find(name), std::string::npos) << spawned.error().message;
    }
}

TEST(ChildProcess, OutputIsAppendedAndEnvironmentReplaced) {
    const std::string path = temporary_file();
    ::setenv("IDLEWATT_CHILD_TEST", "old", 1);
    for (const std::string value : {"first", "second"}) {
        SpawnOptions options = shell("echo $IDLEWATT_CHILD_TEST; echo err >&2");
        options.environment = {{"IDLEWATT_CHILD_TEST", value}};
        options.output_file = path;
        Started run(options);
        ASSERT_TRUE(run.finish());
    }
    EXPECT_EQ(content(path), "first\nerr\nsecond\nerr\n");
    ::unlink(path.c_str());
}

TEST(ChildProcess, GetsTheNamedDescriptorsAndNoOthers) {
    const std::string path = temporary_file();
    int a[2];
    int b[2];
    ASSERT_EQ(::pipe(a), 0);  // without close-on-exec, on purpose
    ASSERT_EQ(::pipe(b), 0);
    SpawnOptions options = shell("echo five >&5; echo six >&6; ls -1 /proc/$$/fd");
    // Crossed: each number may be one that another source has now.
    options.descriptors = {{5, a[1]}, {6, b[1]}};
    options.output_file = path;
    Started run(options);
    ASSERT_TRUE(run.finish());
    char text[16] = {};
    EXPECT_EQ(::read(a[0], text, sizeof text), 5);
    EXPECT_STREQ(text, "five\n");
    EXPECT_EQ(::read(b[0], text, sizeof text), 4);
    EXPECT_EQ(std::string(text, 4), "six\n");
    EXPECT_EQ(content(path), "0\n1\n2\n5\n6\n");
    for (const int fd : {a[0], a[1], b[0], b[1]})
        ::close(fd);
    ::unlink(path.c_str());
}

TEST(ChildProcess, SwappedDescriptorNumbersWork) {
    const std::string path = temporary_file();
    int a[2];
    int b[2];
    ASSERT_EQ(::pipe(a), 0);
    ASSERT_EQ(::pipe(b), 0);
    // By path: the shell itself knows only descriptors of one digit.
    SpawnOptions options = shell("echo a >/dev/fd/" + std::to_string(b[1]) + "; echo b >/dev/fd/" +
                                 std::to_string(a[1]));
    options.descriptors = {{b[1], a[1]}, {a[1], b[1]}};
    Started run(options);
    ASSERT_TRUE(run.finish());
    char text[4] = {};
    EXPECT_EQ(::read(a[0], text, 2), 2);
    EXPECT_STREQ(text, "a\n");
    for (const int fd : {a[0], a[1], b[0], b[1]})
        ::close(fd);
    ::unlink(path.c_str());
}

// A parent that spawns a child and is killed by -9: the child must not survive it.
TEST(ChildProcess, DiesWithItsParent) {
    const std::string path = temporary_file();
    const pid_t parent = ::fork();
    ASSERT_GE(parent, 0);
    if (parent == 0) {
        AsioLoop loop;
        auto child = ChildProcess::spawn(loop, {.argv = {"sleep", "300"}}, nullptr);
        std::ofstream(path) << (child ? (*child)->pid() : -1) << std::endl;
        loop.run_for(seconds(60));
        ::_exit(0);
    }
    AsioLoop loop;
    ASSERT_TRUE(wait_until(loop, [&] { return content(path).ends_with('\n'); }));
    const int child = std::stoi(content(path));
    ASSERT_GT(child, 0);
    EXPECT_TRUE(exists(child));
    ::kill(parent, SIGKILL);
    ::waitpid(parent, nullptr, 0);
    // Its new parent reaps it; a zombie is dead enough.
    const auto dead = [&] {
        const std::string stat = content("/proc/" + std::to_string(child) + "/stat");
        return stat.empty() || stat.find(") Z ") != std::string::npos;
    };
    EXPECT_TRUE(wait_until(loop, dead));
    ::unlink(path.c_str());
}

TEST(ChildProcess, AHundredAtOnceAreAllReaped) {
    AsioLoop loop;
    int ended = 0;
    std::vector<std::unique_ptr<ChildProcess>> children;
    for (int i = 0; i < 100; ++i) {
        auto child = ChildProcess::spawn(loop, {.argv = {"true"}}, [&](int) { ++ended; });
        ASSERT_TRUE(child) << child.error().message;
        children.push_back(std::move(*child));
    }
    EXPECT_TRUE(wait_until(loop, [&] { return ended == 100; }));
    for (const auto& child : children)
        EXPECT_FALSE(exists(child->pid()));
}

}  // namespace
}  // namespace idlewatt::base
