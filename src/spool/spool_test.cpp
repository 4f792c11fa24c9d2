// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every spool does: the same suite on the file and on its twin.
#include "spool/spool.hpp"

#include <algorithm>
#include <filesystem>
#include <functional>
#include <memory>

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "spool/file_spool.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt::spool {
namespace {

// Something that spools can be opened on again and again.
struct Medium {
    virtual ~Medium() = default;
    virtual base::Result<std::unique_ptr<Spool>> open() = 0;
};

struct FileMedium final : Medium {
    FileMedium() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-spool-XXXXXX";
        folder = ::mkdtemp(pattern.data());
    }
    ~FileMedium() override { std::filesystem::remove_all(folder); }
    base::Result<std::unique_ptr<Spool>> open() override {
        return open_file_spool(folder + "/spool");
    }
    std::string folder;
};

struct MemoryMedium final : Medium {
    base::Result<std::unique_ptr<Spool>> open() override { return open_memory_spool(disk); }
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
};

class SpoolConformance : public testing::TestWithParam<const char*> {
protected:
    SpoolConformance() {
        if (std::string_view(GetParam()) == "file") {
            medium = std::make_unique<FileMedium>();
        } else {
            medium = std::make_unique<MemoryMedium>();
        }
        reopen();
    }
    void reopen() {
        spool.reset();
        auto opened = medium->open();
        ASSERT_TRUE(opened) << opened.error().message;
        spool = std::move(*opened);
    }

    std::unique_ptr<Medium> medium;
    std::unique_ptr<Spool> spool;
};

TEST_P(SpoolConformance, KeepsTheOrderOfFirstPuts) {
    ASSERT_TRUE(spool->put("b", "1"));
    ASSERT_TRUE(spool->put("a", std::string("\0\xff", 2)));
    ASSERT_TRUE(spool->put("c", ""));
    ASSERT_TRUE(spool->put("b", "2"));
    ASSERT_TRUE(spool->erase("c"));
    ASSERT_TRUE(spool->erase("never there"));
    ASSERT_TRUE(spool->put("c", "again"));
    const std::vector<Record> expected{{"b", "2"}, {"a", std::string("\0\xff", 2)}, {"c", "again"}};
    EXPECT_EQ(spool->records(), expected);
    ASSERT_TRUE(spool->sync());
    reopen();
    EXPECT_EQ(spool->records(), expected);
}

TEST_P(SpoolConformance, IsHeldByOne) {
    const auto second = medium->open();
    ASSERT_FALSE(second);
    EXPECT_EQ(second.error().kind, base::ErrorKind::unavailable);
    ASSERT_TRUE(spool->put("k", "v"));
    spool->sync_soon();  // which holds it no longer than its owner
    reopen();
    EXPECT_EQ(spool->records().size(), 1U);
}

TEST_P(SpoolConformance, RefusesWhatIsTooLarge) {
    const auto refused = [&](std::string_view key, std::size_t bytes) {
        const auto put = spool->put(key, std::string(bytes, 'x'));
        return !put && put.error().kind == base::ErrorKind::limit_exceeded;
    };
    EXPECT_TRUE(refused("", 1));
    EXPECT_TRUE(refused(std::string(key_bytes_max + 1, 'k'), 1));
    EXPECT_TRUE(refused("k", record_bytes_max));
    EXPECT_TRUE(spool->records().empty());
    EXPECT_TRUE(spool->put("k", std::string(record_bytes_max - 1, 'x')));
    EXPECT_TRUE(spool->put(std::string(key_bytes_max, 'k'), ""));
    reopen();
    EXPECT_EQ(spool->records().size(), 2U);
}

TEST_P(SpoolConformance, AgreesWithAListUnderRandomUse) {
    base::Prng prng(7);
    std::vector<Record> expected;
    for (int step = 0; step < 4000; ++step) {
        const std::string key = "key-" + std::to_string(prng.below(40));
        const auto known = std::ranges::find(expected, key, &Record::key);
        if (prng.chance(0.55)) {
            // Some large ones, so that the file is rewritten on the way.
            const std::string value(prng.below(prng.chance(0.1) ? 60'000 : 60), 'a');
            ASSERT_TRUE(spool->put(key, value));
            if (known == expected.end()) {
                expected.push_back({key, value});
            } else {
                known->value = value;
            }
        } else {
            ASSERT_TRUE(spool->erase(key));
            if (known != expected.end())
                expected.erase(known);
        }
        if (prng.chance(0.1))
            spool->sync_soon();
        if (prng.chance(0.01))
            reopen();
        if (step % 50 != 0)
            continue;
        ASSERT_EQ(spool->records(), expected) << "step " << step;
    }
    reopen();
    EXPECT_EQ(spool->records(), expected);
}

INSTANTIATE_TEST_SUITE_P(Both, SpoolConformance, testing::Values("file", "memory"),
                         [](const auto& which) { return std::string(which.param); });

TEST(MemorySpool, AFullDiskChangesNothing) {
    auto disk = std::make_shared<MemoryDisk>();
    auto spool = std::move(*open_memory_spool(disk));
    ASSERT_TRUE(spool->put("a", "1"));
    ASSERT_TRUE(spool->put("b", "2"));
    disk->set_full(true);
    EXPECT_FALSE(spool->put("c", "3"));
    EXPECT_FALSE(spool->erase("a"));
    EXPECT_EQ(spool->records().size(), 2U);
    disk->set_full(false);
    EXPECT_TRUE(spool->erase("a"));
}

TEST(MemorySpool, APowerCutTakesWhatWasNotSynced) {
    auto disk = std::make_shared<MemoryDisk>();
    auto spool = std::move(*open_memory_spool(disk));
    ASSERT_TRUE(spool->put("a", "1"));
    ASSERT_TRUE(spool->sync());
    ASSERT_TRUE(spool->put("b", "2"));
    spool.reset();
    EXPECT_EQ(disk->records().size(), 2U);  // the agent's death alone takes nothing
    disk->cut_power();
    EXPECT_EQ(disk->records(), (std::vector<Record>{{"a", "1"}}));
}

}  // namespace
}  // namespace idlewatt::spool
