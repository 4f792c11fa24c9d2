// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The rules, one file each. A rule says why it objects and until when at least, or nothing. The
// order in which they are asked is that of this header.
#pragma once

#include <optional>

#include "policy/policy.hpp"

namespace idlewatt::policy {

// When the car is next to be ready, and with how much charge.
struct ReadyTime {
    base::Duration left;  // from now; not negative
    double charge_percent = 0.0;
};

struct Case {
    Case(const Situation& s, const Terms& t, const Memory& m)
        : situation(s), terms(t), settings(t.settings), memory(m) {}

    const Situation& situation;
    const Terms& terms;
    const core::OwnerSettings& settings;
    const Memory& memory;
    std::optional<ReadyTime> ready;  // once the recalls have been asked

    [[nodiscard]] bool knows(core::SignalId id) const { return situation.known.has(id); }
    [[nodiscard]] double value(core::SignalId id) const { return situation.value(id); }
    // Known to have this value; doubt is neither true nor false.
    [[nodiscard]] bool is(core::SignalId id, bool value) const {
        return knows(id) && this->value(id) == (value ? 1.0 : 0.0);
    }
    // Whether this reason is what keeps the car from work now: then the second threshold counts.
    [[nodiscard]] bool holds(core::Reason reason) const {
        return memory.recall == reason || memory.drain == reason;
    }
};

struct Objection {
    core::Reason reason;
    base::Instant until = base::never;  // it cannot end before without anything new
};
using Answer = std::optional<Objection>;

// What the owner said for the days of the week, or what the car itself was told, whichever comes
// first.
[[nodiscard]] std::optional<ReadyTime> next_ready_time(const Case& c);

// Recalls.
[[nodiscard]] Answer consent_rule(const Case& c);
[[nodiscard]] Answer pause_rule(const Case& c);
[[nodiscard]] Answer presence_rule(const Case& c);
[[nodiscard]] Answer plug_rule(const Case& c);
[[nodiscard]] Answer floor_rule(const Case& c);
[[nodiscard]] Answer heat_rule(const Case& c);
[[nodiscard]] Answer health_rule(const Case& c);
[[nodiscard]] Answer doubt_rule(const Case& c);

// Drains.
[[nodiscard]] Answer circumstance_rule(const Case& c);
[[nodiscard]] Answer update_rule(const Case& c);
[[nodiscard]] Answer grid_rule(const Case& c);
[[nodiscard]] Answer departure_rule(const Case& c);
[[nodiscard]] Answer charge_time_rule(const Case& c);
[[nodiscard]] Answer reserve_rule(const Case& c);
[[nodiscard]] Answer schedule_rule(const Case& c);
[[nodiscard]] Answer place_rule(const Case& c);
[[nodiscard]] Answer tariff_rule(const Case& c);
[[nodiscard]] Answer worth_rule(const Case& c);
[[nodiscard]] Answer cold_rule(const Case& c);
[[nodiscard]] Answer network_rule(const Case& c);

// When the rules of time will object though nothing new comes; asked when none does now.
[[nodiscard]] base::Instant departure_objects_at(const Case& c);
[[nodiscard]] base::Instant charge_time_objects_at(const Case& c);
[[nodiscard]] base::Instant schedule_objects_at(const Case& c);

// What the first of the rules says that objects.
template <class... Rules>
[[nodiscard]] Answer first_objection(const Case& c, Rules... rules) {
    Answer answer;
    static_cast<void>(((answer = rules(c)).has_value() || ...));
    return answer;
}

}  // namespace idlewatt::policy
