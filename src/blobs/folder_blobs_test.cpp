// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only files can show: kill -9 at any point, a full disk, two processes.
#include "blobs/folder_blobs.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "base/prng.hpp"
#include "blobs/sha256.hpp"

namespace idlewatt::blobs {
namespace {

constexpr std::size_t part_bytes = 16 * 1024;
constexpr std::size_t blob_bytes = 64 * part_bytes;

class FolderBlobsTest : public testing::Test {
protected:
    FolderBlobsTest() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-blobs-XXXXXX";
        folder = ::mkdtemp(pattern.data());
        base::Prng prng(1);
        content.resize(blob_bytes);
        for (char& byte : content)
            byte = static_cast<char>(prng.next());
        name = sha256_of(content);
    }
    ~FolderBlobsTest() override { std::filesystem::remove_all(folder); }

    std::unique_ptr<Blobs> open() {
        auto opened = open_folder_blobs(loop, {folder + "/blobs", 10 * blob_bytes});
        EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
        return opened ? std::move(*opened) : nullptr;
    }
    base::Result<Progress> put(Blobs& blobs, std::uint64_t offset, std::string bytes) {
        base::Result<Progress> answer = base::fail(base::ErrorKind::io, "no answer");
        blobs.put(name, blob_bytes, offset, std::move(bytes), [&](base::Result<Progress> result) {
            answer = std::move(result);
            loop.stop();
        });
        loop.run_for(base::seconds(30));
        return answer;
    }

    base::AsioLoop loop;
    std::string folder;
    std::string content;
    std::string name;
};

TEST_F(FolderBlobsTest, IsUsedByOneProcess) {
    const auto first = open();
    const auto second = open_folder_blobs(loop, {folder + "/blobs", 1});
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, base::ErrorKind::unavailable);
}

TEST_F(FolderBlobsTest, LeavesStrangeFilesAlone) {
    open().reset();
    std::ofstream(folder + "/blobs/README") << "not a blob";
    std::filesystem::create_directory(folder + "/blobs/" + sha256_of("folder"));
    const auto blobs = open();
    EXPECT_TRUE(blobs->list().empty());
    EXPECT_TRUE(std::filesystem::exists(folder + "/blobs/README"));
}

// Writes parts and says so after each, no more than it is let; killed by the test at some point.
[[noreturn]] void write_until_killed(const std::string& folder, const std::string& content,
                                     int say_to, int let_from) {
    base::AsioLoop loop;
    auto blobs = open_folder_blobs(loop, {folder, 10 * blob_bytes});
    if (!blobs)
        ::_exit(1);
    const std::string name = sha256_of(content);
    std::function<void()> go_on = [&] {
        const Progress progress = (*blobs)->progress(name);
        if (::write(say_to, ".", 1) != 1 || progress.complete)
            return loop.stop();
        char let = 0;
        if (::read(let_from, &let, 1) != 1)
            return loop.stop();
        (*blobs)->put(
            name, content.size(), progress.bytes, content.substr(progress.bytes, part_bytes),
            [&](const base::Result<Progress>& result) { result ? go_on() : loop.stop(); });
    };
    go_on();
    loop.run();
    ::_exit(0);
}

TEST_F(FolderBlobsTest, SurvivesKillsAtAnyPoint) {
    base::Prng prng(2);
    int rounds = 0;
    int killed = 0;
    for (; rounds < 60; ++rounds) {
        int pipe[2];
        int letting[2];
        ASSERT_EQ(::pipe(pipe), 0);
        ASSERT_EQ(::pipe(letting), 0);
        // After some part, and then at whatever point one of the next two has come to. It gets no
        // further, however late the kill comes, so one blob takes several lives.
        const std::uint64_t parts = 1 + prng.below(8);
        const std::string let(parts + 1, '.');
        ASSERT_EQ(::write(letting[1], let.data(), let.size()), static_cast<ssize_t>(let.size()));
        const pid_t child = ::fork();
        ASSERT_GE(child, 0);
        if (child == 0)
            write_until_killed(folder + "/blobs", content, pipe[1], letting[0]);
        ::close(pipe[1]);
        ::close(letting[0]);
        char dot = 0;
        for (std::uint64_t i = 0; i < parts && ::read(pipe[0], &dot, 1) == 1; ++i) {
        }
        for (std::uint64_t spin = prng.below(100'000); spin > 0; --spin)
            asm volatile("");
        ::kill(child, SIGKILL);
        ::close(pipe[0]);
        ::close(letting[1]);
        int status = 0;
        ASSERT_EQ(::waitpid(child, &status, 0), child);
        killed += WIFSIGNALED(status) ? 1 : 0;
        if (std::filesystem::exists(folder + "/blobs/" + name))
            break;
        const std::string part = folder + "/blobs/" + name + ".part";
        if (std::filesystem::exists(part)) {
            std::ifstream file(part, std::ios::binary);
            const std::string there{std::istreambuf_iterator<char>(file), {}};
            ASSERT_EQ(there, content.substr(0, there.size())) << "round " << rounds;
        }
    }
    EXPECT_GT(killed, 3);
    const auto blobs = open();
    Progress progress = blobs->progress(name);
    while (!progress.complete) {
        const auto put_more = put(*blobs, progress.bytes, content.substr(progress.bytes));
        ASSERT_TRUE(put_more) << put_more.error().message;
        progress = *put_more;
    }
    EXPECT_EQ(sha256_of_file(blobs->find(name)->path)->sha256, name);
}

// A file that may not grow stands for a disk that has no room.
TEST_F(FolderBlobsTest, RoomIsNotMadeOfWhatADraftIsBecoming) {
    auto blobs = open();
    for (std::size_t at = 0; at < blob_bytes; at += part_bytes)
        ASSERT_TRUE(put(*blobs, at, content.substr(at, part_bytes)));
    ASSERT_TRUE(blobs->find(name));
    auto draft = blobs->draft();
    for (std::size_t at = 0; at < blob_bytes; at += part_bytes)
        draft->append(content.substr(at, part_bytes), [](const auto&) {});
    std::optional<Blob> made;
    draft->finish([&](const base::Result<Blob>& blob) {
        ASSERT_TRUE(blob);
        made = *blob;
    });
    // Takes all the room that there is beside the draft.
    blobs->put(sha256_of("other"), 9 * blob_bytes, 0, "x", [&](const auto& written) {
        EXPECT_TRUE(written);
        loop.stop();
    });
    EXPECT_FALSE(blobs->find(name)) << "it makes room";
    loop.run_for(base::seconds(30));
    ASSERT_TRUE(made);
    EXPECT_TRUE(blobs->find(name));
    EXPECT_TRUE(std::filesystem::exists(made->path));
    EXPECT_LE(blobs->bytes_used(), blobs->bytes_limit());
}

TEST_F(FolderBlobsTest, AFullDiskIsALimitAndKeepsWhatIsThere) {
    const auto blobs = open();
    ASSERT_TRUE(put(*blobs, 0, content.substr(0, part_bytes)));
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const auto handler = std::signal(SIGXFSZ, SIG_IGN);
    struct rlimit small = before;
    small.rlim_cur = part_bytes + 100;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
    const auto refused = put(*blobs, part_bytes, content.substr(part_bytes, part_bytes));
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    std::signal(SIGXFSZ, handler);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().kind, base::ErrorKind::limit_exceeded) << refused.error().message;
    EXPECT_EQ(blobs->progress(name), (Progress{part_bytes, false}));
    const auto rest = put(*blobs, part_bytes, content.substr(part_bytes));
    ASSERT_TRUE(rest) << rest.error().message;
    EXPECT_TRUE(rest->complete);
}

}  // namespace
}  // namespace idlewatt::blobs
