// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every store of blobs does: the same suite on the folder and on its twin.
#include "blobs/blobs.hpp"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "base/prng.hpp"
#include "blobs/folder_blobs.hpp"
#include "blobs/memory_blobs.hpp"
#include "blobs/sha256.hpp"

namespace idlewatt::blobs {
namespace {

constexpr std::uint64_t limit_bytes = 1000;

std::string bytes_of(std::uint64_t seed, std::size_t count) {
    base::Prng prng(seed);
    std::string bytes(count, '\0');
    for (char& byte : bytes)
        byte = static_cast<char>(prng.next());
    return bytes;
}

// Something that stores can be opened on again and again.
struct Medium {
    virtual ~Medium() = default;
    virtual base::Result<std::unique_ptr<Blobs>> open(base::Loop& loop) = 0;
    virtual void leave_unverified(const std::string& sha256, const std::string& bytes) = 0;
};

struct FolderMedium final : Medium {
    FolderMedium() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-blobs-XXXXXX";
        folder = ::mkdtemp(pattern.data());
    }
    ~FolderMedium() override { std::filesystem::remove_all(folder); }
    base::Result<std::unique_ptr<Blobs>> open(base::Loop& loop) override {
        return open_folder_blobs(loop, {folder + "/blobs", limit_bytes});
    }
    void leave_unverified(const std::string& sha256, const std::string& bytes) override {
        std::ofstream(folder + "/blobs/" + sha256 + ".part", std::ios::binary) << bytes;
    }
    std::string folder;
};

struct MemoryMedium final : Medium {
    base::Result<std::unique_ptr<Blobs>> open(base::Loop& loop) override {
        return open_memory_blobs(loop, shelf, limit_bytes);
    }
    void leave_unverified(const std::string& sha256, const std::string& bytes) override {
        shelf->files[sha256] = {bytes, false, ++shelf->uses};
    }
    std::shared_ptr<MemoryShelf> shelf = std::make_shared<MemoryShelf>();
};

class BlobsConformance : public testing::TestWithParam<const char*> {
protected:
    BlobsConformance() {
        if (std::string_view(GetParam()) == "folder") {
            medium = std::make_unique<FolderMedium>();
        } else {
            medium = std::make_unique<MemoryMedium>();
        }
        reopen();
    }
    void reopen() {
        blobs.reset();
        auto opened = medium->open(loop);
        ASSERT_TRUE(opened) << opened.error().message;
        blobs = std::move(*opened);
    }

    template <class T, class Call>
    base::Result<T> wait(Call call) {
        std::optional<base::Result<T>> answer;
        call([&](base::Result<T> result) {
            answer = std::move(result);
            loop.stop();
        });
        EXPECT_FALSE(answer) << "called back inside the call";
        loop.run_for(base::seconds(30));
        return answer ? *answer : base::fail(base::ErrorKind::io, "no answer");
    }
    base::Result<Progress> put(const std::string& sha256, std::uint64_t total, std::uint64_t offset,
                               const std::string& bytes) {
        return wait<Progress>(
            [&](auto done) { blobs->put(sha256, total, offset, bytes, std::move(done)); });
    }
    std::string put_whole(std::uint64_t seed, std::size_t count) {
        const std::string bytes = bytes_of(seed, count);
        const auto done = put(sha256_of(bytes), count, 0, bytes);
        EXPECT_TRUE(done) << done.error().message;
        return sha256_of(bytes);
    }
    base::Result<std::string> read(const std::string& sha256, std::uint64_t offset,
                                   std::size_t count) {
        return wait<std::string>(
            [&](auto done) { blobs->read(sha256, offset, count, std::move(done)); });
    }
    base::Result<void> erase(const std::string& sha256) {
        return wait<void>([&](auto done) { blobs->erase(sha256, std::move(done)); });
    }
    std::vector<std::string> names() const {
        std::vector<std::string> found;
        for (const Blob& blob : blobs->list())
            found.push_back(blob.sha256);
        return found;
    }

    base::AsioLoop loop;
    std::unique_ptr<Medium> medium;
    std::unique_ptr<Blobs> blobs;
};

base::ErrorKind kind_of(const auto& result) {
    EXPECT_FALSE(result);
    return result ? base::ErrorKind::bad_input : result.error().kind;
}

TEST_P(BlobsConformance, TakesPartsAndGivesThemBack) {
    const std::string bytes = bytes_of(1, 300);
    const std::string name = sha256_of(bytes);
    EXPECT_EQ(*put(name, 300, 0, bytes.substr(0, 100)), (Progress{100, false}));
    EXPECT_EQ(*put(name, 300, 100, bytes.substr(100, 150)), (Progress{250, false}));
    EXPECT_FALSE(blobs->find(name));
    EXPECT_TRUE(blobs->list().empty());
    EXPECT_EQ(kind_of(read(name, 0, 10)), base::ErrorKind::not_found);
    EXPECT_EQ(*put(name, 300, 250, bytes.substr(250)), (Progress{300, true}));
    ASSERT_TRUE(blobs->find(name));
    EXPECT_EQ(blobs->find(name)->bytes, 300U);
    EXPECT_EQ(*read(name, 0, 1000), bytes);
    EXPECT_EQ(*read(name, 290, 5), bytes.substr(290, 5));
    EXPECT_EQ(*read(name, 300, 5), "");
    EXPECT_EQ(blobs->bytes_used(), 300U);
    EXPECT_EQ(*put(name, 300, 0, bytes), (Progress{300, true})) << "again, after the end";
}

TEST_P(BlobsConformance, GoesOnWhereAFormerLifeEnded) {
    const std::string bytes = bytes_of(2, 300);
    const std::string name = sha256_of(bytes);
    ASSERT_TRUE(put(name, 300, 0, bytes.substr(0, 100)));
    reopen();
    EXPECT_EQ(blobs->progress(name), (Progress{100, false}));
    ASSERT_TRUE(put(name, 300, 100, bytes.substr(100, 100)));
    reopen();
    EXPECT_EQ(*put(name, 300, 200, bytes.substr(200)), (Progress{300, true}));
    reopen();
    EXPECT_EQ(*read(name, 0, 300), bytes);
}

TEST_P(BlobsConformance, AnotherOffsetWritesNothingAndSaysWhereToGoOn) {
    const std::string bytes = bytes_of(3, 300);
    const std::string name = sha256_of(bytes);
    EXPECT_EQ(*put(name, 300, 50, bytes.substr(50)), (Progress{0, false}));
    ASSERT_TRUE(put(name, 300, 0, bytes.substr(0, 100)));
    EXPECT_EQ(*put(name, 300, 0, bytes.substr(0, 100)), (Progress{100, false}));
    EXPECT_EQ(*put(name, 300, 200, bytes.substr(200)), (Progress{100, false}));
    EXPECT_EQ(*put(name, 300, 100, bytes.substr(100)), (Progress{300, true}));
}

TEST_P(BlobsConformance, RefusesAFlippedByteAndThrowsThePartsAway) {
    const std::string bytes = bytes_of(4, 300);
    const std::string name = sha256_of(bytes);
    std::string flipped = bytes;
    flipped[17] = static_cast<char>(flipped[17] ^ 1);
    ASSERT_TRUE(put(name, 300, 0, flipped.substr(0, 100)));
    const auto refused = put(name, 300, 100, flipped.substr(100));
    EXPECT_EQ(kind_of(refused), base::ErrorKind::bad_input);
    EXPECT_NE(refused.error().message.find(sha256_of(flipped)), std::string::npos)
        << refused.error().message;
    EXPECT_EQ(blobs->progress(name), (Progress{0, false}));
    EXPECT_EQ(blobs->bytes_used(), 0U);
    reopen();
    EXPECT_EQ(blobs->progress(name), (Progress{0, false}));
    EXPECT_EQ(*put(name, 300, 0, bytes), (Progress{300, true}));
}

TEST_P(BlobsConformance, VerifiesWhatALifeLeftWholeButUnverified) {
    const std::string good = bytes_of(5, 300);
    std::string bad = bytes_of(6, 300);
    const std::string bad_name = sha256_of(bad);
    bad[0] = static_cast<char>(bad[0] ^ 0x80);
    blobs.reset();
    medium->leave_unverified(sha256_of(good), good);
    medium->leave_unverified(bad_name, bad);
    reopen();
    EXPECT_EQ(blobs->progress(sha256_of(good)), (Progress{300, false}));
    EXPECT_EQ(*put(sha256_of(good), 300, 300, ""), (Progress{300, true}));
    EXPECT_EQ(kind_of(put(bad_name, 300, 300, "")), base::ErrorKind::bad_input);
    // Larger than it is to be: begun for another size.
    blobs.reset();
    medium->leave_unverified(bad_name, good + bad);
    reopen();
    EXPECT_EQ(*put(bad_name, 300, 0, "x"), (Progress{0, false}));
}

TEST_P(BlobsConformance, DropsTheLeastRecentlyUsedButNothingPinned) {
    const std::string first = put_whole(10, 300);
    const std::string second = put_whole(11, 300);
    const std::string third = put_whole(12, 300);
    ASSERT_TRUE(read(first, 0, 1));
    put_whole(13, 300);
    EXPECT_FALSE(blobs->find(second)) << "used least recently";
    EXPECT_TRUE(blobs->find(first));
    {
        const Pin one(*blobs, first);
        const Pin other(*blobs, third);
        put_whole(14, 400);
        EXPECT_TRUE(blobs->find(first));
        EXPECT_TRUE(blobs->find(third));
        EXPECT_LE(blobs->bytes_used(), limit_bytes);
        EXPECT_EQ(kind_of(put(sha256_of("no room"), 500, 0, "x")), base::ErrorKind::limit_exceeded);
        EXPECT_EQ(kind_of(erase(first)), base::ErrorKind::unavailable);
        EXPECT_EQ(names().size(), 3U) << "a refused one drops nothing";
    }
    put_whole(15, 1000);
    EXPECT_EQ(names().size(), 1U);
    EXPECT_EQ(kind_of(put(sha256_of("too large"), 1001, 0, "x")), base::ErrorKind::limit_exceeded);
    EXPECT_EQ(names().size(), 1U);
}

TEST_P(BlobsConformance, KeepsTheOrderOfUsesAndDropsAbandonedParts) {
    const std::string abandoned = sha256_of(bytes_of(20, 400));
    ASSERT_TRUE(put(abandoned, 400, 0, "begun"));
    EXPECT_EQ(blobs->bytes_used(), 400U) << "a promise takes room";
    const std::string whole = put_whole(21, 500);
    put_whole(22, 300);
    EXPECT_EQ(blobs->progress(abandoned), (Progress{0, false}));
    EXPECT_TRUE(blobs->find(whole));
    EXPECT_EQ(*put(abandoned, 200, 5, "go on"), (Progress{0, false})) << "dropped, so from zero";
}

TEST_P(BlobsConformance, PinsPartsAndWhatIsNotThereYet) {
    const std::string bytes = bytes_of(30, 400);
    const Pin pin(*blobs, sha256_of(bytes));
    ASSERT_TRUE(put(pin.sha256(), 400, 0, bytes.substr(0, 10)));
    put_whole(31, 600);
    put_whole(32, 600);
    EXPECT_EQ(blobs->progress(pin.sha256()), (Progress{10, false}));
    EXPECT_EQ(*put(pin.sha256(), 400, 10, bytes.substr(10)), (Progress{400, true}));
}

TEST_P(BlobsConformance, ErasesWholeAndInPart) {
    const std::string whole = put_whole(40, 100);
    const std::string part = sha256_of("part");
    ASSERT_TRUE(put(part, 100, 0, "begun"));
    EXPECT_TRUE(erase(whole));
    EXPECT_TRUE(erase(part));
    EXPECT_TRUE(erase(part)) << "no effect when there is none";
    EXPECT_EQ(blobs->bytes_used(), 0U);
    reopen();
    EXPECT_EQ(blobs->bytes_used(), 0U);
    EXPECT_EQ(kind_of(read(whole, 0, 1)), base::ErrorKind::not_found);
}

TEST_P(BlobsConformance, RefusesImpossibleCalls) {
    const std::string name = sha256_of("x");
    const auto refused = [&](const std::string& sha256, std::uint64_t total, std::uint64_t offset,
                             const std::string& bytes) {
        return kind_of(put(sha256, total, offset, bytes)) == base::ErrorKind::bad_input;
    };
    EXPECT_TRUE(refused("../" + name.substr(3), 1, 0, "x"));
    EXPECT_TRUE(refused("", 1, 0, "x"));
    EXPECT_TRUE(refused(name, 0, 0, ""));
    EXPECT_TRUE(refused(name, blob_bytes_max + 1, 0, "x"));
    EXPECT_TRUE(refused(name, 1, 0, "xx"));
    EXPECT_TRUE(refused(name, 1, 2, ""));
    EXPECT_TRUE(refused(name, 3, UINT64_MAX, "xx"));
    EXPECT_EQ(kind_of(erase("../etc/passwd")), base::ErrorKind::bad_input);
    EXPECT_EQ(blobs->bytes_used(), 0U);
}

// Many blobs in random parts, with restarts: every complete one has the right bytes, and the limit
// holds all the time.
TEST_P(BlobsConformance, HoldsItsPromisesUnderRandomUse) {
    base::Prng prng(7);
    std::map<std::string, std::string> all;
    for (std::uint64_t i = 0; i < 8; ++i) {
        const std::string bytes = bytes_of(100 + i, 50 + prng.below(300));
        all[sha256_of(bytes)] = bytes;
    }
    int completed = 0;
    for (int step = 0; step < 1500; ++step) {
        auto chosen = all.begin();
        std::advance(chosen, static_cast<long>(prng.below(all.size())));
        const auto& [name, bytes] = *chosen;
        const Progress before = blobs->progress(name);
        const std::uint64_t offset = prng.chance(0.9) ? before.bytes : prng.below(bytes.size());
        std::string part = bytes.substr(offset, 1 + prng.below(120));
        const bool flipped = !part.empty() && prng.chance(0.03);
        if (flipped)
            part[0] = static_cast<char>(part[0] ^ 4);
        const auto answer = put(name, bytes.size(), offset, part);
        if (answer) {
            EXPECT_EQ(*answer, blobs->progress(name));
        } else {
            EXPECT_EQ(answer.error().kind, base::ErrorKind::bad_input) << answer.error().message;
        }
        ASSERT_LE(blobs->bytes_used(), limit_bytes);
        if (answer && answer->complete && !before.complete) {
            ++completed;
            ASSERT_EQ(*read(name, 0, bytes.size()), bytes);
        }
        if (prng.chance(0.02))
            reopen();
        if (prng.chance(0.02)) {
            ASSERT_TRUE(erase(name));
        }
    }
    EXPECT_GT(completed, 20);
}

TEST_P(BlobsConformance, AnswersWhatItsExaminerSays) {
    const std::string name = put_whole(39, 300);
    const bool has_files = !blobs->find(name)->path.empty();
    const auto examine = [&](const std::string& which) {
        return wait<void>([&](auto done) {
            blobs->examine(
                which,
                [](const std::string& path) -> base::Result<void> {
                    return base::fail(base::ErrorKind::bad_input,
                                      std::to_string(std::filesystem::file_size(path)));
                },
                std::move(done));
        });
    };
    const auto examined = examine(name);
    EXPECT_EQ(examined.has_value(), !has_files);
    if (has_files) {
        EXPECT_EQ(examined.error().message, "300");
    }
    EXPECT_EQ(kind_of(examine(sha256_of("absent"))), base::ErrorKind::not_found);
}

TEST_P(BlobsConformance, ADraftGetsTheNameOfItsBytes) {
    const std::string bytes = bytes_of(40, 500);
    auto draft = blobs->draft();
    const auto append = [&](std::string part) {
        return wait<std::uint64_t>(
            [&](auto done) { draft->append(std::move(part), std::move(done)); });
    };
    EXPECT_EQ(append(bytes.substr(0, 200)), 200U);
    EXPECT_EQ(append(bytes.substr(200)), 500U);
    EXPECT_EQ(blobs->bytes_used(), 500U);
    EXPECT_TRUE(blobs->list().empty());
    const auto blob = wait<Blob>([&](auto done) { draft->finish(std::move(done)); });
    ASSERT_TRUE(blob) << blob.error().message;
    EXPECT_EQ(blob->sha256, sha256_of(bytes));
    EXPECT_EQ(blob->bytes, 500U);
    draft.reset();
    EXPECT_EQ(blobs->bytes_used(), 500U);
    EXPECT_EQ(*read(blob->sha256, 0, 1000), bytes);
    reopen();
    EXPECT_EQ(*read(blob->sha256, 0, 1000), bytes);
}

TEST_P(BlobsConformance, ADraftThatIsNotFinishedLeavesNothing) {
    auto draft = blobs->draft();
    bool told = false;
    draft->append(bytes_of(41, 300), [&](const auto&) { told = true; });
    draft.reset();
    EXPECT_EQ(blobs->bytes_used(), 0U);
    put_whole(42, 900);  // there is room
    EXPECT_FALSE(told);
    reopen();
    EXPECT_EQ(blobs->list().size(), 1U);
}

TEST_P(BlobsConformance, DraftsMakeRoomAndAreNotDropped) {
    const std::string old = put_whole(43, 600);
    auto draft = blobs->draft();
    const auto append = [&](std::size_t count) {
        return wait<std::uint64_t>(
            [&](auto done) { draft->append(bytes_of(44, count), std::move(done)); });
    };
    ASSERT_TRUE(append(400));
    EXPECT_TRUE(blobs->find(old));
    ASSERT_TRUE(append(100));
    EXPECT_FALSE(blobs->find(old)) << "the least recently used one goes";
    EXPECT_EQ(kind_of(append(501)), base::ErrorKind::limit_exceeded);
    EXPECT_EQ(kind_of(put(sha256_of(bytes_of(45, 600)), 600, 0, bytes_of(45, 600))),
              base::ErrorKind::limit_exceeded);
}

TEST_P(BlobsConformance, ADraftOfWhatIsThereAlreadyIsThat) {
    const std::string name = put_whole(46, 300);
    auto draft = blobs->draft();
    ASSERT_TRUE(
        wait<std::uint64_t>([&](auto done) { draft->append(bytes_of(46, 300), std::move(done)); }));
    const auto blob = wait<Blob>([&](auto done) { draft->finish(std::move(done)); });
    ASSERT_TRUE(blob);
    EXPECT_EQ(blob->sha256, name);
    EXPECT_EQ(blobs->list().size(), 1U);
    auto empty = blobs->draft();
    const auto nothing = wait<Blob>([&](auto done) { empty->finish(std::move(done)); });
    ASSERT_TRUE(nothing);
    EXPECT_EQ(nothing->sha256, sha256_of(""));
    EXPECT_EQ(nothing->bytes, 0U);
    EXPECT_EQ(*read(name, 0, 1000), bytes_of(46, 300));
}

INSTANTIATE_TEST_SUITE_P(Both, BlobsConformance, testing::Values("folder", "memory"),
                         [](const auto& which) { return std::string(which.param); });

}  // namespace
}  // namespace idlewatt::blobs
