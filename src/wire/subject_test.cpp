// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/subject.hpp"

#include <gtest/gtest.h>

namespace idlewatt::wire {
namespace {

const Subjects subjects{"west"};
const core::VehicleId car("car-1");
const core::GatewayId gateway("gw");
const core::AttemptId attempt("0a");

TEST(Subject, Texts) {
    EXPECT_EQ(subjects.announce(car), "iw.west.v.car-1.announce");
    EXPECT_EQ(subjects.receipts(car), "iw.west.v.car-1.receipts");
    EXPECT_EQ(subjects.signal_order(car), "iw.west.v.car-1.order.signal");
    EXPECT_EQ(subjects.in(car, core::Incarnation(7), attempt), "iw.west.v.car-1.in.7.0a");
    EXPECT_EQ(subjects.out(car, gateway, core::Incarnation(7), attempt),
              "iw.west.v.car-1.out.gw.7.0a");
    EXPECT_EQ(subjects.all_announcements(), "iw.west.v.*.announce");
    EXPECT_EQ(subjects.all_receipts(), "iw.west.v.*.receipts");
    EXPECT_EQ(subjects.all_in(car, core::Incarnation(7)), "iw.west.v.car-1.in.7.*");
    EXPECT_EQ(subjects.all_out(gateway), "iw.west.v.*.out.gw.*.*");
    EXPECT_EQ(subjects.coordinator_totals(), "iw.west.coordinator.totals");
}

TEST(Subject, ParsesWhatItMade) {
    const auto out = parse_out(subjects.out(car, gateway, core::Incarnation(UINT64_MAX), attempt));
    ASSERT_TRUE(out);
    EXPECT_EQ(out->vehicle, car);
    EXPECT_EQ(out->incarnation, core::Incarnation(UINT64_MAX));
    EXPECT_EQ(out->attempt, attempt);
    EXPECT_EQ(parse_in(subjects.in(car, core::Incarnation(0), attempt)), attempt);
    EXPECT_EQ(parse_vehicle(subjects.announce(car)), car);
    EXPECT_EQ(parse_vehicle(subjects.receipts(car)), car);
}

TEST(Subject, RefusesWhatIsNone) {
    for (const char* subject :
         {"", ".", "iw", "iw.west.v.car-1.out", "iw.west.v.car-1.out.gw.x.0a",
          "iw.west.v.car-1.out.gw.07.0a", "iw.west.v.car-1.out.gw.18446744073709551616.0a",
          "iw.west.v.car-1.out.gw.7.0a.more", "iw.west.v.CAR.out.gw.7.0a", "iw.west.v..out.gw.7.0a",
          "ow.west.v.car-1.out.gw.7.0a", "iw.west.x.car-1.out.gw.7.0a", "iw.west.v.car-1.in.7.0a",
          "iw.west.v.car-1.out.gw..0a"}) {
        EXPECT_FALSE(parse_out(subject)) << subject;
    }
    EXPECT_FALSE(parse_in("iw.west.v.car-1.in.7"));
    EXPECT_FALSE(parse_in("iw.west.v.car-1.in.-7.0a"));
    EXPECT_FALSE(parse_vehicle("iw.west.v.car-1.order"));
    EXPECT_FALSE(parse_vehicle("iw.west.v.*.announce"));
}

TEST(Subject, ACarSpeaksOnlyInItsOwnName) {
    for (const auto& list :
         {subjects.vehicle_may_publish(car), subjects.vehicle_may_subscribe(car)}) {
        for (const std::string& subject : list) {
            EXPECT_TRUE(subject.starts_with("iw.west.v.car-1.") ||
                        subject.starts_with("_INBOX_car-1."))
                << subject;
        }
    }
}

}  // namespace
}  // namespace idlewatt::wire
