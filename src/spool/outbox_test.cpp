// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/outbox.hpp"

#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "base/simulated_loop.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt::spool {
namespace {

Parcel parcel(int number) {
    return {"id-" + std::to_string(number), "payload " + std::to_string(number),
            std::string(64, 's')};
}

// Somebody who commits what he is sent, when he is there and in the mood.
class Receiver {
public:
    enum class Mood { commits, is_silent, is_away, refuses, settles_nothing };

    Outbox::Send send() {
        return [this](const std::vector<Parcel>& batch, const Outbox::Answer& answer) {
            ++asked;
            if (mood == Mood::is_away)
                return answer(std::nullopt);
            if (mood == Mood::settles_nothing)
                return answer(Settlement{});
            Settlement settlement;
            for (const Parcel& one : batch) {
                if (mood == Mood::refuses) {
                    settlement.refused.push_back(one.id);
                    continue;
                }
                committed[one.id] = one.payload;
                settlement.committed.push_back(one.id);
            }
            // Committed, but nobody hears of it.
            answer(mood == Mood::is_silent ? std::nullopt : std::optional(settlement));
        };
    }

    Mood mood = Mood::commits;
    int asked = 0;
    std::map<std::string, std::string> committed;
};

OutboxOptions options() {
    OutboxOptions options;
    options.prefix = "x/";
    options.log_area = "outbox_test";
    options.batch_max = 3;
    options.gather = base::milliseconds(50);
    return options;
}

std::set<std::string> keys_of(const Spool& spool) {
    std::set<std::string> keys;
    for (const Record& record : spool.records())
        keys.insert(record.key);
    return keys;
}

class OutboxTest : public ::testing::Test {
protected:
    base::SimulatedLoop loop;
    std::shared_ptr<MemoryDisk> disk = std::make_shared<MemoryDisk>();
    std::unique_ptr<Spool> spool = open_memory_spool(disk).value();
    Receiver receiver;
};

TEST_F(OutboxTest, SendsInBatchesAndStrikesOutWhatIsCommitted) {
    Outbox outbox(loop, *spool, options(), receiver.send());
    for (int i = 0; i < 7; ++i)
        EXPECT_TRUE(outbox.add(parcel(i)));
    EXPECT_TRUE(outbox.holds("id-6"));
    EXPECT_EQ(keys_of(*spool).size(), 7U);
    loop.run_for(base::seconds(1));
    EXPECT_EQ(receiver.asked, 3);
    EXPECT_EQ(receiver.committed.size(), 7U);
    EXPECT_EQ(outbox.size(), 0U);
    EXPECT_TRUE(keys_of(*spool).empty());
}

TEST_F(OutboxTest, SetsAsideWhatIsRefused) {
    Outbox outbox(loop, *spool, options(), receiver.send());
    receiver.mood = Receiver::Mood::refuses;
    outbox.add(parcel(1));
    loop.run_for(base::seconds(1));
    EXPECT_EQ(outbox.size(), 0U);
    EXPECT_EQ(keys_of(*spool), std::set<std::string>{"refused/id-1"});
}

TEST_F(OutboxTest, AsksMoreAndMoreSeldomWhileNothingIsSettled) {
    for (const auto mood : {Receiver::Mood::is_away, Receiver::Mood::settles_nothing}) {
        receiver.mood = mood;
        receiver.asked = 0;
        Outbox outbox(loop, *spool, options(), receiver.send());
        outbox.add(parcel(1));
        loop.run_for(base::seconds(100));
        EXPECT_LE(receiver.asked, 8);
        EXPECT_GE(receiver.asked, 5);
        outbox.deliver_now();
        loop.run_for(base::milliseconds(10));
        EXPECT_LE(receiver.asked, 9);
    }
}

// Whatever the receiver does and however often the owner dies: nothing is lost, nothing stays.
TEST_F(OutboxTest, LosesNothingInRandomHistories) {
    for (std::uint64_t seed = 1; seed <= 200; ++seed) {
        base::Prng prng(seed);
        const auto medium = std::make_shared<MemoryDisk>();
        const auto journal = open_memory_spool(medium).value();
        Receiver other_end;
        auto outbox = std::make_unique<Outbox>(loop, *journal, options(), other_end.send());
        int added = 0;
        for (int step = 0; step < 60; ++step) {
            other_end.mood = prng.chance(0.4)   ? Receiver::Mood::commits
                             : prng.chance(0.5) ? Receiver::Mood::is_silent
                                                : Receiver::Mood::is_away;
            if (prng.chance(0.5))
                outbox->add(parcel(added++));
            if (prng.chance(0.1)) {
                outbox.reset();
                outbox = std::make_unique<Outbox>(loop, *journal, options(), other_end.send());
            }
            loop.run_for(base::milliseconds(prng.below(400)));
        }
        other_end.mood = Receiver::Mood::commits;
        loop.run_for(base::seconds(60));
        ASSERT_EQ(other_end.committed.size(), static_cast<std::size_t>(added)) << "seed " << seed;
        ASSERT_TRUE(keys_of(*journal).empty()) << "seed " << seed;
    }
}

}  // namespace
}  // namespace idlewatt::spool
