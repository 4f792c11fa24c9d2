// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/subject.hpp"

#include <algorithm>

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
    EXPECT_EQ(subjects.coordinator_keys(), "iw.west.coordinator.keys");
    EXPECT_EQ(subjects.coordinator_changed(), "iw.west.coordinator.changed");
    EXPECT_EQ(subjects.assignment(car), "iw.west.v.car-1.assignment");
    EXPECT_EQ(subjects.renew(car), "iw.west.v.car-1.renew");
    EXPECT_EQ(subjects.assignment_order(car), "iw.west.v.car-1.order.assignment");
    EXPECT_EQ(subjects.deliveries(gateway), "iw.west.g.gw.deliveries");
    EXPECT_EQ(subjects.demand(gateway), "iw.west.g.gw.demand");
    EXPECT_EQ(subjects.batch(gateway), "iw.west.g.gw.batch");
    EXPECT_EQ(subjects.batch_result(gateway), "iw.west.g.gw.batch_result");
    EXPECT_EQ(subjects.all_batch_asks(), "iw.west.g.*.batch");
    EXPECT_EQ(subjects.all_batch_results(), "iw.west.g.*.batch_result");
    EXPECT_EQ(subjects.all_assignments(), "iw.west.v.*.assignment");
    EXPECT_EQ(subjects.all_renewals(), "iw.west.v.*.renew");
    EXPECT_EQ(subjects.all_deliveries(), "iw.west.g.*.deliveries");
    EXPECT_EQ(subjects.all_demands(), "iw.west.g.*.demand");
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
    EXPECT_EQ(parse_vehicle(subjects.assignment(car)), car);
    EXPECT_EQ(parse_vehicle(subjects.renew(car)), car);
    EXPECT_EQ(parse_gateway(subjects.deliveries(gateway)), gateway);
    EXPECT_EQ(parse_gateway(subjects.demand(gateway)), gateway);
    EXPECT_EQ(parse_gateway(subjects.batch(gateway)), gateway);
    EXPECT_EQ(parse_gateway(subjects.batch_result(gateway)), gateway);
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
    EXPECT_FALSE(parse_vehicle("iw.west.v.car-1.order.assignment"));
    EXPECT_FALSE(parse_vehicle("iw.west.g.car-1.renew"));
    EXPECT_FALSE(parse_gateway("iw.west.v.gw.deliveries"));
    EXPECT_FALSE(parse_gateway("iw.west.g.GW.deliveries"));
    EXPECT_FALSE(parse_gateway("iw.west.g.gw.deliveries.more"));
    EXPECT_FALSE(parse_gateway("iw.west.g.gw.keys"));
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

// As nats-server matches: * is one token, > the rest.
bool matches(std::string_view pattern, std::string_view subject) {
    while (true) {
        const std::string_view want = pattern.substr(0, pattern.find('.'));
        const std::string_view token = subject.substr(0, subject.find('.'));
        if (want == ">")
            return !subject.empty();
        if (want != "*" && want != token)
            return false;
        const bool pattern_ends = want.size() == pattern.size();
        const bool subject_ends = token.size() == subject.size();
        if (pattern_ends || subject_ends)
            return pattern_ends && subject_ends;
        pattern.remove_prefix(want.size() + 1);
        subject.remove_prefix(token.size() + 1);
    }
}

bool any_matches(const std::vector<std::string>& patterns, const std::string& subject) {
    return std::ranges::any_of(patterns,
                               [&](const auto& pattern) { return matches(pattern, subject); });
}

TEST(Subject, ACarMayDoWhatItHasToAndNoMore) {
    const auto publish = subjects.vehicle_may_publish(car);
    const auto subscribe = subjects.vehicle_may_subscribe(car);
    const core::VehicleId other("car-2");
    const core::Incarnation run(7);
    for (const std::string& subject :
         {subjects.announce(car), subjects.receipts(car), subjects.assignment(car),
          subjects.renew(car), subjects.out(car, gateway, run, attempt)}) {
        EXPECT_TRUE(any_matches(publish, subject)) << subject;
        EXPECT_FALSE(any_matches(subscribe, subject)) << subject;
    }
    for (const std::string& subject :
         {subjects.in(car, run, attempt), subjects.signal_order(car),
          subjects.assignment_order(car), std::string("_INBOX_car-1.x.1")}) {
        EXPECT_TRUE(any_matches(subscribe, subject)) << subject;
        EXPECT_FALSE(any_matches(publish, subject)) << subject;
    }
    for (const std::string& subject :
         {subjects.announce(other), subjects.renew(other), subjects.in(other, run, attempt),
          subjects.out(other, gateway, run, attempt), subjects.assignment_order(other),
          subjects.deliveries(gateway), subjects.demand(gateway), subjects.batch(gateway),
          subjects.batch_result(gateway), subjects.coordinator_keys(),
          subjects.coordinator_changed(), subjects.coordinator_totals(),
          "_INBOX_" + bus_name(gateway) + ".x.1", std::string("$SYS.REQ.CLAIMS.UPDATE")}) {
        EXPECT_FALSE(any_matches(publish, subject)) << subject;
        EXPECT_FALSE(any_matches(subscribe, subject)) << subject;
    }
}

TEST(Subject, AGatewayMayDoWhatItHasToAndNoMore) {
    const auto publish = subjects.gateway_may_publish(gateway);
    const auto subscribe = subjects.gateway_may_subscribe(gateway);
    const core::GatewayId other("gw2");
    const core::Incarnation run(7);
    for (const std::string& subject :
         {subjects.in(car, run, attempt), subjects.signal_order(car), subjects.deliveries(gateway),
          subjects.demand(gateway), subjects.batch(gateway), subjects.batch_result(gateway),
          subjects.coordinator_keys(), subjects.coordinator_totals()}) {
        EXPECT_TRUE(any_matches(publish, subject)) << subject;
        EXPECT_FALSE(any_matches(subscribe, subject)) << subject;
    }
    for (const std::string& subject :
         {subjects.announce(car), subjects.out(car, gateway, run, attempt),
          subjects.coordinator_changed(), "_INBOX_" + bus_name(gateway) + ".x.1"}) {
        EXPECT_TRUE(any_matches(subscribe, subject)) << subject;
        EXPECT_FALSE(any_matches(publish, subject)) << subject;
    }
    // Subscribing to a pattern of the bus's own is covered by the same rule.
    EXPECT_TRUE(any_matches(subscribe, subjects.all_announcements()));
    EXPECT_TRUE(any_matches(subscribe, subjects.all_out(gateway)));
    for (const std::string& subject :
         {subjects.out(car, other, run, attempt), subjects.receipts(car), subjects.assignment(car),
          subjects.renew(car), subjects.assignment_order(car), subjects.deliveries(other),
          subjects.demand(other), subjects.batch(other), subjects.batch_result(other),
          std::string("_INBOX_gw.x.1"), std::string("_INBOX_car-1.x.1")}) {
        EXPECT_FALSE(any_matches(publish, subject)) << subject;
        EXPECT_FALSE(any_matches(subscribe, subject)) << subject;
    }
}

TEST(Subject, NoCarCanBeCalledAsAGatewayIs) {
    EXPECT_FALSE(core::is_id(bus_name(gateway)));
}

}  // namespace
}  // namespace idlewatt::wire
