// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only a file can suffer: torn writes, flipped bits, a full disk, two agents, kill -9.
#include "spool/file_spool.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/log.hpp"
#include "spool/format.hpp"

namespace idlewatt::spool {
namespace {

class FileSpoolTest : public testing::Test {
protected:
    FileSpoolTest() {
        base::set_up_log("spool_test",
                         base::LogLevel::off);  // damage is reported thousands of times
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-spool-XXXXXX";
        folder = ::mkdtemp(pattern.data());
        path = folder + "/spool";
    }
    ~FileSpoolTest() override { std::filesystem::remove_all(folder); }

    std::unique_ptr<Spool> open() {
        auto opened = open_file_spool(path);
        EXPECT_TRUE(opened) << opened.error().message;
        return opened ? std::move(*opened) : nullptr;
    }
    std::string read() const {
        std::ostringstream text;
        text << std::ifstream(path, std::ios::binary).rdbuf();
        return text.str();
    }
    void write(std::string_view bytes) const {
        std::ofstream(path, std::ios::binary | std::ios::trunc) << bytes;
    }
    std::uintmax_t size() const { return std::filesystem::file_size(path); }

    std::string folder;
    std::string path;
};

TEST_F(FileSpoolTest, ChecksumIsCrc32c) {
    EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

// The file after each step, and what it holds then.
struct Step {
    std::size_t bytes;
    std::vector<Record> records;
};

TEST_F(FileSpoolTest, ATailTornAtAnyByteCostsOnlyTheTail) {
    std::vector<Step> steps;
    {
        auto spool = open();
        const auto note = [&] { steps.push_back({size(), spool->records()}); };
        note();
        for (int i = 0; i < 6; ++i) {
            ASSERT_TRUE(spool->put("key-" + std::to_string(i % 4), std::string(10 + i, 'v')));
            note();
        }
        ASSERT_TRUE(spool->erase("key-1"));
        note();
    }
    const std::string whole = read();
    for (std::size_t cut = 0; cut <= whole.size(); ++cut) {
        write(whole.substr(0, cut));
        const Step* expected = &steps.front();
        for (const Step& step : steps) {
            if (step.bytes <= cut)
                expected = &step;
        }
        auto spool = open();
        ASSERT_TRUE(spool) << "cut at " << cut;
        ASSERT_EQ(spool->records(), expected->records) << "cut at " << cut;
        ASSERT_TRUE(spool->put("after", "wards"));
        spool.reset();
        ASSERT_EQ(open()->records().back().key, "after") << "cut at " << cut;
    }
}

TEST_F(FileSpoolTest, AFlippedByteCostsOnlyItsRecord) {
    constexpr int count = 5;
    std::vector<std::size_t> ends;
    {
        auto spool = open();
        ends.push_back(size());
        for (int i = 0; i < count; ++i) {
            ASSERT_TRUE(spool->put("key-" + std::to_string(i), "a value with some length"));
            ends.push_back(size());
        }
    }
    const std::string whole = read();
    for (std::size_t at = 0; at < whole.size(); ++at) {
        std::string damaged = whole;
        damaged[at] = static_cast<char>(damaged[at] ^ (1 << (at % 8)));
        write(damaged);
        auto spool = open();
        ASSERT_TRUE(spool) << "flipped at " << at;
        std::vector<Record> expected;
        for (int i = 0; i < count; ++i) {
            const auto n = static_cast<std::size_t>(i);
            if (at >= ends[n] && at < ends[n + 1])
                continue;
            expected.push_back({"key-" + std::to_string(i), "a value with some length"});
        }
        ASSERT_EQ(spool->records(), expected) << "flipped at " << at;
        spool.reset();
        ASSERT_EQ(open()->records(), expected) << "flipped at " << at << ", opened again";
    }
    EXPECT_TRUE(std::filesystem::exists(path + ".damaged"));
}

TEST_F(FileSpoolTest, ARecordInsideAValueIsNotARecord) {
    const std::string inner = encode_record(file_mark.size(), Action::put, "inner", "x");
    {
        auto spool = open();
        ASSERT_TRUE(spool->put("outer", inner + inner));
    }
    const std::string whole = read();
    write(whole.substr(0, whole.size() - 1));
    EXPECT_TRUE(open()->records().empty());
}

TEST_F(FileSpoolTest, RefusesAFileThatIsNoSpool) {
    write("the owner's holiday pictures");
    const auto opened = open_file_spool(path);
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().kind, base::ErrorKind::bad_input);
    EXPECT_EQ(read(), "the owner's holiday pictures");
    EXPECT_FALSE(open_file_spool(folder));
    EXPECT_FALSE(open_file_spool(folder + "/nowhere/spool"));
}

TEST_F(FileSpoolTest, TheFileShrinksWhenRecordsAreStruckOut) {
    auto spool = open();
    const std::string value(10'000, 'v');
    ASSERT_TRUE(spool->put("stays", value));
    for (int i = 0; i < 1000; ++i) {
        ASSERT_TRUE(spool->put("key-" + std::to_string(i), value));
        ASSERT_TRUE(i < 5 || spool->erase("key-" + std::to_string(i - 5)).has_value());
        ASSERT_LT(size(), 1'200'000U);
    }
    for (int i = 995; i < 1000; ++i) {
        ASSERT_TRUE(spool->erase("key-" + std::to_string(i)));
    }
    spool.reset();
    EXPECT_EQ(open()->records(), (std::vector<Record>{{"stays", value}}));
    EXPECT_FALSE(std::filesystem::exists(path + ".new"));
}

// A limit on the size of files stands for a full disk: writes stop in the middle of a record.
class FullDisk {
public:
    explicit FullDisk(rlim_t bytes) {
        ::signal(SIGXFSZ, SIG_IGN);
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const rlimit now{bytes, before_.rlim_max};
        ::setrlimit(RLIMIT_FSIZE, &now);
    }
    ~FullDisk() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FullDisk(const FullDisk&) = delete;
    FullDisk& operator=(const FullDisk&) = delete;

private:
    rlimit before_{};
};

TEST_F(FileSpoolTest, AFullDiskChangesNothingAndCanBeLeft) {
    auto spool = open();
    ASSERT_TRUE(spool->put("a", std::string(500, 'a')));
    ASSERT_TRUE(spool->put("b", std::string(500, 'b')));
    const auto before = spool->records();
    const auto bytes = size();
    {
        const FullDisk full(bytes + 10);
        const auto put = spool->put("c", std::string(500, 'c'));
        ASSERT_FALSE(put);
        EXPECT_EQ(put.error().kind, base::ErrorKind::io);
        EXPECT_FALSE(spool->erase("a"));
        EXPECT_EQ(spool->records(), before);
        EXPECT_EQ(size(), bytes);
    }
    ASSERT_TRUE(spool->erase("a"));
    {
        const FullDisk full(size());
        ASSERT_TRUE(spool->erase("b")) << "the last record needs no room to go";
        EXPECT_TRUE(spool->records().empty());
        ASSERT_TRUE(spool->put("c", std::string(500, 'c')));
    }
    spool.reset();
    EXPECT_EQ(open()->records().size(), 1U);
}

TEST_F(FileSpoolTest, ASecondProcessIsKeptOut) {
    auto spool = open();
    const pid_t child = ::fork();
    if (child == 0) {
        const auto opened = open_file_spool(path);
        const bool kept_out = !opened && opened.error().kind == base::ErrorKind::unavailable;
        ::_exit(kept_out ? 0 : 1);
    }
    int status = -1;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
}

// A child puts and strikes out as fast as it can and says so; it is killed somewhere.
TEST_F(FileSpoolTest, KillMinusNineLosesNothingThatWasPut) {
    std::uint64_t next = 0;
    for (int round = 0; round < 10; ++round) {
        int pipe[2];
        ASSERT_EQ(::pipe(pipe), 0);
        const pid_t child = ::fork();
        if (child == 0) {
            auto spool = open_file_spool(path);
            for (std::uint64_t i = next;; ++i) {
                const std::string value(i % 7 * 3000, 'v');
                if (!spool || !(*spool)->put(std::to_string(i), value))
                    ::_exit(1);
                if (i >= 20 && !(*spool)->erase(std::to_string(i - 20)))
                    ::_exit(1);
                if (::write(pipe[1], &i, sizeof i) != sizeof i)
                    ::_exit(1);
            }
        }
        ::close(pipe[1]);
        std::uint64_t last = 0;
        const std::uint64_t wanted = next + 300 + static_cast<std::uint64_t>(round) * 37;
        while (last < wanted)
            ASSERT_EQ(::read(pipe[0], &last, sizeof last), sizeof last);
        ::kill(child, SIGKILL);
        while (::read(pipe[0], &last, sizeof last) == sizeof last) {
        }
        ::close(pipe[0]);
        ASSERT_EQ(::waitpid(child, nullptr, 0), child);
        std::set<std::string> there;
        for (const Record& record : open()->records())
            there.insert(record.key);
        // One less than 20: the next put may have struck out the oldest before it could say so.
        for (std::uint64_t i = last - 18; i <= last; ++i) {
            ASSERT_TRUE(there.contains(std::to_string(i))) << i << " of " << last;
        }
        ASSERT_LE(there.size(), 22U);
        next = last + 1;
    }
}

}  // namespace
}  // namespace idlewatt::spool
