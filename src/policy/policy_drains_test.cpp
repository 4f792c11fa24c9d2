// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A million random evenings of cars whose owners ask for much: prices, chargers, places, windows
// and sensors that come and go. Whatever happens, the car does not work when the owner's words
// forbid it (said here anew, from the words and not from the code), a time of departure is met, and
// drains do not make the car jump.
#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "policy/policy.hpp"

namespace idlewatt::policy {
namespace {

constexpr int evenings = 1'000'000;
constexpr int moments = 16;

using core::Reason;
using enum core::SignalId;

struct Evening {
    core::OwnerSettings settings;
    Circumstances circumstances;
    core::SignalSet signals;
    base::Instant now{1'000'000'000'000};
    base::WallTime wall_now{1'790'000'000'000'000};
    std::int64_t local_s = 0;

    [[nodiscard]] core::WeekTime local() const {
        return {static_cast<std::int32_t>(local_s % core::week_s)};
    }
    [[nodiscard]] Facts facts() const {
        return {settings, signals, now, wall_now, local(), circumstances};
    }
    void say(core::SignalId id, std::optional<double> value) {
        signals.set(id, {value, wall_now, now});
    }
    // Nothing unless it was said lately and makes sense.
    [[nodiscard]] std::optional<double> known(core::SignalId id) const {
        const auto& reading = signals.get(id);
        const core::SignalInfo& signal = core::info(id);
        if (!reading || !reading->value || now - reading->received_at >= signal.fresh_for)
            return std::nullopt;
        const bool sensible =
            signal.unit == core::SignalUnit::boolean
                ? *reading->value == 0.0 || *reading->value == 1.0
                : *reading->value >= signal.least && *reading->value <= signal.most;
        return sensible ? reading->value : std::nullopt;
    }
};

// ── what owners say ─────────────────────────────────────────────────────────────────────────────

void choose_owner(Evening& evening, base::Prng& prng) {
    core::OwnerSettings& s = evening.settings;
    s = core::preset(static_cast<core::Preset>(prng.below(3)));
    s.consent = prng.chance(0.97);
    s.reentry_delay = base::seconds(static_cast<std::int64_t>(prng.below(60)));
    s.drain_dwell = base::seconds(static_cast<std::int64_t>(prng.below(60)));
    if (prng.chance(0.3))
        s.price_limit_usd_per_kwh = 0.2;
    if (prng.chance(0.3))
        s.carbon_limit_g_per_kwh = 300.0;
    if (prng.chance(0.2))
        s.reserve_km = 150.0;
    if (prng.chance(0.3)) {
        s.places[0] = {52.52, 13.405, 100.0};
        s.place_count = 1;
    }
    if (prng.chance(0.3)) {
        s.windows[0] = {static_cast<std::uint8_t>(prng.below(128)),
                        static_cast<std::int16_t>(prng.below(1440)),
                        static_cast<std::int16_t>(prng.below(1440))};
        s.window_count = 1;
    }
    if (prng.chance(0.5)) {
        const auto minute = static_cast<std::int16_t>(prng.below(1440));
        s.ready_by.fill({minute, static_cast<std::uint8_t>(prng.below(101))});
    }
}

// ── what happens ────────────────────────────────────────────────────────────────────────────────

void say_what_is_usual(Evening& evening, base::Prng& prng) {
    evening.say(occupied, prng.chance(0.02) ? 1.0 : 0.0);
    evening.say(parked, 1.0);
    evening.say(moving, prng.chance(0.01) ? 1.0 : 0.0);
    evening.say(plugged_in, prng.chance(0.9) ? 1.0 : 0.0);
    evening.say(locked, 1.0);
    evening.say(state_of_charge_percent, 40.0 + prng.unit() * 60.0);
}

void say_what_is_wanted(Evening& evening) {
    evening.say(network_metered, 0.0);
    evening.say(price_usd_per_kwh, 0.1);
    evening.say(carbon_g_per_kwh, 100.0);
    evening.say(latitude_deg, 52.52);
    evening.say(longitude_deg, 13.405);
    evening.say(range_km, 300.0);
    evening.say(battery_capacity_kwh, 60.0);
    evening.say(charger_power_w, 11'000.0);
    for (const core::SignalInfo& signal : core::signal_table()) {
        if (signal.need != core::SignalNeed::once_heard || !evening.signals.get(signal.id))
            continue;
        const double good = signal.unit == core::SignalUnit::boolean   ? 0.0
                            : signal.unit == core::SignalUnit::celsius ? 20.0
                                                                       : 13.0;
        evening.say(signal.id, good);
    }
}

void say_anything(Evening& evening, base::Prng& prng) {
    const auto id = static_cast<core::SignalId>(prng.below(core::signal_count));
    const core::SignalInfo& signal = core::info(id);
    const double span = signal.most - signal.least;
    double value = prng.chance(0.1) ? std::nan("") : signal.least + prng.unit() * span;
    switch (id) {
        case battery_temperature_c:
            value = -5.0 + prng.unit() * 55.0;
            break;
        case compute_temperature_c:
            value = 60.0 + prng.unit() * 30.0;
            break;
        case low_voltage_v:
            value = 11.5 + prng.unit();
            break;
        case price_usd_per_kwh:
            value = prng.unit() * 0.4;
            break;
        case carbon_g_per_kwh:
            value = prng.unit() * 600.0;
            break;
        case charger_power_w:
            value = prng.unit() * 11'000.0;
            break;
        case battery_capacity_kwh:
            value = 40.0 + prng.unit() * 60.0;
            break;
        case latitude_deg:
            value = 52.52 + (prng.chance(0.7) ? 0.0 : 0.01);
            break;
        case longitude_deg:
            value = 13.405;
            break;
        case range_km:
            value = 100.0 + prng.unit() * 200.0;
            break;
        case departure_unix_s:
            value = static_cast<double>(evening.wall_now.us) * 1e-6 + prng.unit() * 40'000.0;
            break;
        default:
            if (signal.unit == core::SignalUnit::boolean)
                value = prng.chance(0.3) ? 1.0 : 0.0;
    }
    evening.say(id, prng.chance(0.05) ? std::nullopt : std::optional(value));
}

void pass(Evening& evening, base::Prng& prng) {
    const auto span = base::milliseconds(
        static_cast<std::int64_t>(prng.chance(0.7) ? prng.below(30'000) : prng.below(7'200'000)));
    evening.now = evening.now + span;
    evening.wall_now = evening.wall_now + span;
    evening.local_s += span.ns / 1'000'000'000;
    if (prng.chance(0.97))
        say_what_is_usual(evening, prng);
    if (prng.chance(0.8))
        say_what_is_wanted(evening);
    for (std::uint64_t i = prng.below(4); i > 0; --i)
        say_anything(evening, prng);
    if (prng.chance(0.05))
        evening.settings.paused_until = evening.wall_now + base::seconds(60);
    evening.circumstances = {prng.chance(0.03), prng.chance(0.03), prng.chance(0.03),
                             prng.chance(0.95)};
}

// ── what the owner's words mean ─────────────────────────────────────────────────────────────────

bool in_window(const core::OwnerSettings& s, std::int64_t local_s) {
    const core::Window& window = s.windows[0];
    const int length = window.to_minute > window.from_minute
                           ? window.to_minute - window.from_minute
                           : window.to_minute - window.from_minute + 1440;
    const auto minute_of_week = static_cast<int>(local_s / 60 % (7 * 1440));
    for (int day = 0; day < 7; ++day) {
        if ((window.days >> day & 1) == 0)
            continue;
        const int since =
            (minute_of_week - day * 1440 - window.from_minute + 14 * 1440) % (7 * 1440);
        if (since < length)
            return true;
    }
    return false;
}

// Seconds to the moment at which the car is to be ready, and the charge; the earlier of the two.
std::optional<std::pair<double, double>> ready(const Evening& e) {
    std::optional<std::pair<double, double>> best;
    const core::ReadyBy daily = e.settings.ready_by[0];
    if (daily.minute >= 0) {
        auto left = static_cast<double>(daily.minute * 60 - e.local_s % core::day_s);
        if (left < 0)
            left += core::day_s;
        best = {left, static_cast<double>(daily.charge_percent)};
    }
    if (const auto at = e.known(departure_unix_s)) {
        const double left = *at - static_cast<double>(e.wall_now.us) * 1e-6;
        if (left >= 0 && left <= core::week_s && (!best || left < best->first)) {
            best = {left, e.known(charge_limit_percent).value_or(e.settings.reserve_percent)};
        }
    }
    return best;
}

std::string departure_forbids(const Evening& e) {
    const double charge = *e.known(state_of_charge_percent);
    const auto due = ready(e);
    if (due && due->first <= 15 * 60)
        return "departure";
    // Even when all work stops now, charging would not be done in time.
    if (due && charge < due->second) {
        const double power_w = e.known(charger_power_w)   ? *e.known(charger_power_w)
                               : e.known(charging) == 1.0 ? e.known(battery_power_w).value_or(0.0)
                                                          : 0.0;
        const double needed_s = (due->second - charge) / 100.0 *
                                e.known(battery_capacity_kwh).value_or(1e9) * 3.6e6 /
                                std::max(power_w, 1e-9);
        if (*e.known(plugged_in) == 0 || needed_s > due->first)
            return "not ready in time";
    }
    return {};
}

// What forbids work at this moment; empty: nothing does.
std::string forbidden(const Evening& e) {
    const core::OwnerSettings& s = e.settings;
    for (const core::SignalId id :
         {occupied, parked, moving, plugged_in, locked, state_of_charge_percent}) {
        if (!e.known(id))
            return "not known: " + std::string(core::info(id).name);
    }
    const double charge = *e.known(state_of_charge_percent);
    if (!s.consent || e.wall_now < s.paused_until)
        return "no consent";
    if (*e.known(occupied) == 1 || e.known(door_open) == 1.0 || e.known(ready_to_drive) == 1.0 ||
        *e.known(moving) == 1 || *e.known(parked) == 0) {
        return "somebody is there";
    }
    if (s.only_plugged_in && *e.known(plugged_in) == 0)
        return "no cable";
    if (charge < s.floor_percent || charge < s.reserve_percent)
        return "charge";
    if (s.reserve_km && e.known(range_km).value_or(0.0) < *s.reserve_km)
        return "range";
    if (e.known(battery_temperature_c).value_or(20.0) > s.battery_hot_c ||
        e.known(battery_temperature_c).value_or(20.0) < s.battery_cold_c ||
        e.known(compute_temperature_c).value_or(20.0) > s.compute_hot_c) {
        return "temperature";
    }
    for (const core::SignalId id : {door_open, ready_to_drive, broken_down, battery_temperature_c,
                                    compute_temperature_c, core::SignalId::low_voltage_v}) {
        const auto& reading = e.signals.get(id);
        const bool once =
            reading && reading->value && core::in_range(core::info(id), *reading->value);
        if (once && !e.known(id))
            return "fell silent: " + std::string(core::info(id).name);
    }
    if (e.known(core::SignalId::low_voltage_v).value_or(13.0) < 11.8 || e.known(broken_down) == 1.0)
        return "health";
    if (e.known(updating) == 1.0 || e.known(grid_event) == 1.0)
        return "update or grid";
    if (s.price_limit_usd_per_kwh &&
        e.known(price_usd_per_kwh).value_or(1e9) > *s.price_limit_usd_per_kwh)
        return "price";
    if (s.carbon_limit_g_per_kwh &&
        e.known(carbon_g_per_kwh).value_or(1e9) > *s.carbon_limit_g_per_kwh)
        return "carbon";
    if (s.only_unmetered && e.known(network_metered) != 0.0)
        return "network";
    if (s.place_count > 0 && (!e.known(latitude_deg) || !e.known(longitude_deg) ||
                              std::abs(*e.known(latitude_deg) - 52.52) > 0.005)) {
        return "place";
    }
    if (s.window_count > 0 && !in_window(s, e.local_s))
        return "window";
    if (e.circumstances.paused_by_operator || e.circumstances.audit_hold ||
        e.circumstances.storage_full || !e.circumstances.worth_it) {
        return "circumstances";
    }
    return departure_forbids(e);
}

// ── the properties ──────────────────────────────────────────────────────────────────────────────

struct EveningCount {
    long verdicts = 0;
    long ok = 0;
    long drains = 0;
    std::vector<long> reasons = std::vector<long>(64);
};

void check_evening(std::uint64_t seed, EveningCount& count) {
    base::Prng prng(seed);
    Evening evening;
    evening.local_s = static_cast<std::int64_t>(prng.below(core::week_s));
    choose_owner(evening, prng);
    Memory memory;
    std::vector<base::Instant> starts;  // that followed a drain
    bool worked = false;
    bool drained = false;
    for (int i = 0; i < moments; ++i) {
        pass(evening, prng);
        const Judgement judgement = judge(evening.facts(), memory);
        memory = judgement.memory;
        const bool works = judgement.verdict.may_work();
        if (works) {
            ASSERT_EQ(forbidden(evening), "") << "evening " << seed << ", moment " << i;
            ASSERT_TRUE(judgement.verdict.until && *judgement.verdict.until > evening.now);
        }
        const auto kind = core::info(judgement.verdict.reason).kind;
        if (works && !worked && drained)
            starts.push_back(evening.now);
        drained = works ? false : drained || kind == core::ReasonKind::drain;
        worked = works;
        std::erase_if(starts,
                      [&](base::Instant t) { return evening.now - t >= base::minutes(10); });
        ASSERT_LE(starts.size(), 2U) << "evening " << seed << ", moment " << i;
        ++count.verdicts;
        ++count.reasons[static_cast<std::size_t>(judgement.verdict.reason)];
        count.ok += works ? 1 : 0;
        count.drains += kind == core::ReasonKind::drain ? 1 : 0;
    }
}

TEST(PolicyDrains, WorkIsNeverWhereTheOwnersWordsForbidIt) {
    EveningCount count;
    for (int i = 0; i < evenings; ++i)
        ASSERT_NO_FATAL_FAILURE(check_evening(static_cast<std::uint64_t>(i), count));
    // The evenings come near everything.
    EXPECT_GT(count.ok, count.verdicts / 50);
    EXPECT_GT(count.drains, count.verdicts / 10);
    for (const core::ReasonInfo& reason : core::reason_table()) {
        const bool judged = reason.kind != core::ReasonKind::service &&
                            reason.reason != Reason::not_parked &&
                            reason.reason != Reason::clock_unsure;
        if (judged) {
            EXPECT_GT(count.reasons[static_cast<std::size_t>(reason.reason)], 0) << reason.name;
        }
    }
    RecordProperty("verdicts", std::to_string(count.verdicts));
    RecordProperty("ok", std::to_string(count.ok));
}

// Before the moment that a verdict names, nothing changes by itself.
TEST(PolicyDrains, AVerdictHoldsUntilItSays) {
    for (std::uint64_t seed = 0; seed < 50'000; ++seed) {
        base::Prng prng(seed);
        Evening evening;
        evening.local_s = static_cast<std::int64_t>(prng.below(core::week_s));
        choose_owner(evening, prng);
        Memory memory;
        for (int i = 0; i < moments; ++i) {
            pass(evening, prng);
            const Judgement judgement = judge(evening.facts(), memory);
            memory = judgement.memory;
            if (!judgement.verdict.may_work())
                continue;
            Evening later = evening;
            // Local time is whole seconds.
            const base::Duration span = *judgement.verdict.until - evening.now - base::seconds(1);
            if (span <= base::Duration{})
                continue;
            later.now = later.now + span;
            later.wall_now = later.wall_now + span;
            later.local_s += span.ns / 1'000'000'000;
            const Judgement then = judge(later.facts(), memory);
            ASSERT_EQ(core::name(then.verdict.reason), "ok") << "evening " << seed << ", " << i;
        }
    }
}

}  // namespace
}  // namespace idlewatt::policy
