// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/live.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::wire {

namespace {

// As web/src/contract.ts does it.
std::vector<std::string> decoded(const std::string& coded, std::string before) {
    std::vector<std::string> ids;
    std::size_t at = 0;
    while (at < coded.size()) {
        const std::size_t end = std::min(coded.find(' ', at), coded.size());
        const char digit = coded[at];
        const auto shared = static_cast<std::size_t>(digit <= '9' ? digit - '0' : digit - 'a' + 10);
        before = before.substr(0, shared) + coded.substr(at + 1, end - at - 1);
        ids.push_back(before);
        at = end + 1;
    }
    return ids;
}

TEST(Live, IdsComeBackFromTheirCode) {
    const std::vector<std::string> ids{
        "car-0001", "car-0002", "car-0002",           "car",
        "z",        "5yj3e1ea", std::string(64, 'a'), std::string(63, 'a') + 'b',
        "car-0010"};
    EXPECT_EQ(decoded(front_coded(ids, ""), ""), ids);
    EXPECT_EQ(decoded(front_coded(ids, "car-9"), "car-9"), ids);
    EXPECT_EQ(front_coded(std::vector<std::string>{"car-0001", "car-0002"}, ""), "0car-0001 72");
    EXPECT_EQ(front_coded({}, "x"), "");
}

TEST(Live, TheSnapshotsReasonsAreNumberedAsTheCarsSayThem) {
    LiveSnapshot snapshot;
    for (const core::ReasonInfo& info : core::reason_table()) {
        snapshot.vehicle_ids.push_back("car-" + std::to_string(snapshot.vehicles.size()));
        snapshot.vehicles.push_back({info.reason, std::nullopt, 0, 0});
    }
    const auto json = nlohmann::json::parse(live_snapshot_body(snapshot));
    ASSERT_EQ(json["vehicles"].size(), 2 * snapshot.vehicles.size());
    for (std::size_t i = 0; i < snapshot.vehicles.size(); ++i) {
        const std::size_t reason = json["vehicles"][2 * i];
        EXPECT_EQ(json["reasons"][reason]["name"], core::name(*snapshot.vehicles[i].reason));
        EXPECT_TRUE(json["vehicles"][2 * i + 1].is_null()) << "unknown is not a number";
    }
    EXPECT_TRUE(json["work"].empty()) << "who does nothing is not named";
    EXPECT_TRUE(json["heard_age_ms"].is_null());
    EXPECT_TRUE(json["totals"]["migration_gap_ms"].is_null());
}

TEST(Live, AChangeSaysOnlyWhatChanged) {
    LiveChange change;
    EXPECT_TRUE(change.empty());
    change.head.sequence = 7;
    EXPECT_EQ(nlohmann::json::parse(live_change_body(change)).size(), 3U) << "the head alone";
    change.vehicles.emplace_back(3, LiveCar{core::Reason::ok, 81, 40, 1});
    change.work.emplace_back(4, LiveCar{core::Reason::ok, 81, 40, 1});
    LiveAnswer answer{"chatcmpl-1"};
    answer.placed = true;
    answer.text_added = "\xff\"";  // what an engine says need not be text
    change.answers.push_back(answer);
    change.answers_ended.push_back({"chatcmpl-0", "failed"});
    const auto json = nlohmann::json::parse(live_change_body(change));
    EXPECT_EQ(json["vehicles"][0], 3);
    EXPECT_EQ(json["vehicles"][2], 81);
    EXPECT_EQ(json["work"], (nlohmann::json{4, 40, 1}));
    EXPECT_TRUE(json["answers"][0]["vehicle"].is_null());
    EXPECT_FALSE(json["answers"][0].contains("tokens"));
    EXPECT_EQ(json["answers_ended"][0]["how"], "failed");
}

// The first view of 5,000 cars, page and all, stays below 200 kB: this is what is left for it.
TEST(Live, FiveThousandCarsFitIntoTheFirstView) {
    LiveSnapshot snapshot;
    for (std::size_t i = 0; i < 5000; ++i) {
        std::string digits = std::to_string((i * 7919) % 5000);
        digits.insert(0, 4 - digits.size(), '0');
        snapshot.vehicle_ids.push_back("car-" + digits);
        snapshot.vehicles.push_back(
            {i % 4 == 0 ? core::Reason::charge_below_reserve : core::Reason::ok, 50 + i % 50,
             i % 5 == 0 ? 21U : 0U, i % 5 == 0 ? 1U : 0U});
    }
    EXPECT_LT(live_snapshot_body(snapshot).size(), 80'000U);
}

}  // namespace

}  // namespace idlewatt::wire
