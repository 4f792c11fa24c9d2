// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/placer.hpp"

#include <set>

#include <gtest/gtest.h>

namespace idlewatt::coordinator {
namespace {

constexpr base::Instant first_minute{1'000'000'000'000};

core::Model model(const std::string& name, std::uint32_t replicas_min = 1) {
    core::Model made;
    made.name = name;
    made.sha256 = std::string(63, '0') + name;
    made.bytes = 1000;
    made.replicas_min = replicas_min;
    return made;
}

class PlacerTest : public testing::Test {
protected:
    void ask(int car) {
        placer.asked(id(car), {std::uint64_t{8} << 30, std::uint64_t{8} << 30, {}}, now);
    }
    static core::VehicleId id(int car) { return core::VehicleId("car" + std::to_string(car)); }
    void announce(int car, std::vector<std::string> models) {
        core::Announcement said;
        said.vehicle = id(car);
        said.models = std::move(models);
        placer.announced(said, now);
    }
    Placer::Changes place() {
        const Placer::Changes changes = placer.place(
            now, {[this](const core::VehicleId& car) { return !resting.contains(car); },
                  [](const core::Model& one) { return one.architecture != "not there"; }});
        placer.apply(changes, now);
        return changes;
    }

    Placer placer;
    base::Instant now = first_minute;
    std::set<core::VehicleId> resting;
};

TEST_F(PlacerTest, EveryModelGetsItsCarsAndNothingMoves) {
    placer.load({model("a", 2), model("b")}, {}, now);
    for (int car = 0; car < 3; ++car)
        ask(car);
    EXPECT_EQ(place().size(), 3U);
    const auto holders = placer.holders(now);
    EXPECT_EQ(holders.at("a").assigned, 2U);
    EXPECT_EQ(holders.at("b").assigned, 1U);
    EXPECT_TRUE(place().empty());
}

TEST_F(PlacerTest, VersionsGrowWithEveryChange) {
    placer.load({model("a")}, {{id(0), 41, ""}}, now);
    ask(0);
    const auto changes = place();
    ASSERT_EQ(changes.size(), 1U);
    EXPECT_EQ(changes[0], (store::VehicleAssignment{id(0), 42, "a"}));
    placer.apply({placer.touched(id(0))}, now);
    EXPECT_EQ(placer.assignment({id(0), "U", {}}, "").version, 43U);
    placer.apply({{id(0), 7, "old"}}, now);
    EXPECT_EQ(placer.assigned_model(id(0)), "a") << "an older change is none";
    core::Model other = model("a");
    other.sha256 = std::string(64, '1');
    EXPECT_EQ(placer.put_model(other), (Placer::Changes{{id(0), 44, "a"}}));
    EXPECT_TRUE(placer.put_model(other).empty());
    EXPECT_EQ(placer.erase_model("a"), (Placer::Changes{{id(0), 44, ""}}));
}

TEST_F(PlacerTest, CarsThatAreAwayOrRestAreLeftAlone) {
    placer.load({model("a")}, {}, now);
    ask(0);
    ask(1);
    resting.insert(id(0));
    place();
    EXPECT_EQ(placer.assigned_model(id(0)), "");
    EXPECT_EQ(placer.assigned_model(id(1)), "a");
    resting.clear();
    now = now + car_away_after + base::seconds(1);
    ask(0);
    place();
    EXPECT_EQ(placer.assigned_model(id(0)), "a") << "the other one has gone";
    EXPECT_EQ(placer.assigned_model(id(1)), "a") << "and finds what it had";
}

// After a restart the cars are heard one after the other: the first is not moved to a model that
// the second holds.
TEST_F(PlacerTest, NobodyIsMovedBeforeAllWereHeard) {
    placer.load({model("a"), model("b")}, {{id(0), 1, "b"}, {id(1), 1, "a"}, {id(2), 1, "a"}}, now);
    ask(0);
    EXPECT_TRUE(place().empty());
    ask(3);
    EXPECT_EQ(place().size(), 1U) << "one that holds nothing need not wait";
    now = now + listening_before_moves;
    for (const int car : {0, 3}) {
        ask(car);
        announce(car, {placer.assigned_model(id(car))});
    }
    (void)place();
    EXPECT_NE(placer.assigned_model(id(0)), placer.assigned_model(id(3)))
        << "the others have not come back: both models are held";
}

TEST_F(PlacerTest, WhereAllWereHeardANewModelNeedNotWait) {
    placer.load({model("a")}, {{id(0), 1, "a"}, {id(1), 1, "a"}}, now);
    const auto heard = [this](int car) {
        ask(car);
        announce(car, {placer.assigned_model(id(car))});
    };
    (void)placer.put_model(model("b"));
    heard(0);
    EXPECT_TRUE(place().empty()) << "the other one may hold it";
    heard(1);
    EXPECT_EQ(place().size(), 1U);
    now = now + base::seconds(5);
    placer.listen_from(now);
    heard(0);
    (void)placer.put_model(model("c"));
    EXPECT_TRUE(place().empty()) << "heard before the connection broke is not heard since";
}

TEST_F(PlacerTest, AModelWithoutBytesWaits) {
    core::Model away = model("a");
    away.architecture = "not there";
    placer.load({away}, {}, now);
    ask(0);
    EXPECT_TRUE(place().empty());
}

TEST_F(PlacerTest, ACarWhoseOwnerChoseTheModelCountsAndIsNotChanged) {
    placer.load({model("a"), model("b")}, {}, now);
    announce(0, {"a"});
    ask(1);
    place();
    EXPECT_EQ(placer.assigned_model(id(0)), "");
    EXPECT_EQ(placer.assigned_model(id(1)), "b");
}

TEST_F(PlacerTest, DemandBringsCarsAndIsForgottenWithItsGateway) {
    placer.load({model("a"), model("b")}, {}, now);
    for (int car = 0; car < 10; ++car)
        ask(car);
    for (int second = 0; second < 1200; second += 5) {
        now = now + base::seconds(5);
        for (int car = 0; car < 10; ++car) {
            ask(car);
            announce(car, {placer.assigned_model(id(car))});
        }
        placer.demanded(core::GatewayId("g"), {{"b", 30, 10, 0.0}, {"unknown", 1000, 0, 0.0}}, now);
        place();
    }
    EXPECT_GE(placer.holders(now).at("b").assigned, 8U);
    EXPECT_GE(placer.holders(now).at("a").assigned, 1U);
    EXPECT_EQ(placer.holders(now).at("b").ready, placer.holders(now).at("b").assigned);
}

TEST_F(PlacerTest, ACarThatNeverFinishesLoadingDoesNotCountForEver) {
    placer.load({model("a")}, {}, now);
    ask(0);
    place();
    now = now + loading_max + base::seconds(1);
    ask(0);
    ask(1);
    place();
    EXPECT_EQ(placer.assigned_model(id(1)), "a");
}

}  // namespace
}  // namespace idlewatt::coordinator
