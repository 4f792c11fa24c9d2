// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A missing, stale or nonsensical signal never leads to work: a million random histories of
// readings, settings and clock jumps, each judged step by step and compared with an oracle that
// was written from the words of the rule and not from the code. The oracle decides whether work
// is allowed; the names of the reasons are the business of tests/cases/policy.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "policy/policy.hpp"

namespace idlewatt::policy {
namespace {

constexpr int histories = 1'000'000;
constexpr int steps_max = 12;
constexpr std::size_t base_signals = 6;  // without which no car works

using core::Reason;

// ── the world as it is, in seconds ──────────────────────────────────────────────────────────────

struct World {
    core::OwnerSettings settings;
    core::SignalSet signals;
    base::Instant now;
    base::WallTime wall_now;

    [[nodiscard]] Facts facts() const { return {settings, signals, now, wall_now}; }
};

// ── the oracle ──────────────────────────────────────────────────────────────────────────────────

class Oracle {
public:
    // Called once a judgement, before it; says whether work is allowed.
    bool allows(const World& world) {
        sees_recall_ = false;
        complete_once_ = complete_once_ || everything_known(world);
        const bool stopped = must_stop(world);
        if (stopped) {
            if (complete_once_ || world.settings.consent == false || !only_silence(world)) {
                sees_recall_ = in_recall_ = true;
                free_since_.reset();
            }
            return false;
        }
        if (known(world, 5) < world.settings.reserve_percent && !below_since_)
            below_since_ = world.now;
        if (in_recall_ && !free_since_)
            free_since_ = world.now;
        if (in_recall_ && (world.now - *free_since_) < world.settings.reentry_delay)
            return false;
        in_recall_ = false;
        follow_charge(world);
        return !below_since_;
    }

    [[nodiscard]] bool waits_for_reentry() const { return in_recall_ && free_since_.has_value(); }
    [[nodiscard]] bool sees_recall() const { return sees_recall_; }

private:
    static long double age_s(base::WallTime then, base::WallTime now) {
        return (static_cast<long double>(now.us) - static_cast<long double>(then.us)) / 1e6L;
    }

    static bool year_is_set(base::WallTime t) {
        return t.us >= 1'577'836'800'000'000 && t.us < 4'102'444'800'000'000;
    }

    static bool clocks_agree(const World& w, const core::SignalReading& r) {
        return year_is_set(w.wall_now) && year_is_set(r.source_time) &&
               r.received_at.ns <= w.now.ns && age_s(r.source_time, w.wall_now) >= -5.0L;
    }

    static bool young(const World& w, std::size_t i, const core::SignalReading& r) {
        static constexpr std::array<long double, 6> limit_s{3, 3, 3, 3, 3, 60};
        const long double receipt_s =
            (static_cast<long double>(w.now.ns) - static_cast<long double>(r.received_at.ns)) /
            1e9L;
        return age_s(r.source_time, w.wall_now) < limit_s[i] && receipt_s < limit_s[i];
    }

    // NaN where it is not known.
    static double known(const World& w, std::size_t i) {
        const double nothing = std::numeric_limits<double>::quiet_NaN();
        const auto& reading = w.signals.get(static_cast<core::SignalId>(i));
        if (!reading || !clocks_agree(w, *reading) || !young(w, i, *reading))
            return nothing;
        const double value = reading->value.value_or(nothing);
        if (i < 5)
            return (value == 0.0 || value == 1.0) ? value : nothing;
        return value < 0.0 || value > 100.0 ? nothing : value;
    }

    static bool everything_known(const World& w) {
        double sum = 0.0;
        for (std::size_t i = 0; i < 6; ++i)
            sum += known(w, i);
        return !std::isnan(sum);
    }

    // Nothing speaks against work but that some signals have not been heard or say "unknown".
    static bool only_silence(const World& w) {
        for (std::size_t i = 0; i < 6; ++i) {
            const auto& reading = w.signals.get(static_cast<core::SignalId>(i));
            if (reading && (!clocks_agree(w, *reading)))
                return false;
        }
        const auto says = [&w](std::size_t i, double value) { return known(w, i) == value; };
        if (says(0, 1) || says(1, 0) || says(2, 1) || says(3, 0))
            return false;
        if (known(w, 5) < w.settings.floor_percent)
            return false;
        if (settings_are_nonsense(w.settings))
            return false;
        // A stale reading alone is a recall, but silence beside it is named first.
        for (std::size_t i = 0; i < 6; ++i) {
            const auto& reading = w.signals.get(static_cast<core::SignalId>(i));
            if (!reading || (young(w, i, *reading) && std::isnan(known(w, i))))
                return true;
        }
        return false;
    }

    static bool settings_are_nonsense(const core::OwnerSettings& s) {
        const auto percent = [](double p) { return std::isfinite(p) && p >= 0 && p <= 100; };
        const auto week_s = 7 * 24 * 3600.0;
        return !percent(s.reserve_percent) || !percent(s.floor_percent) ||
               !std::isfinite(s.power_limit_w) || s.power_limit_w <= 0 ||
               s.power_limit_w > 100'000 || s.reentry_delay.seconds() < 0 ||
               s.reentry_delay.seconds() > week_s || s.drain_dwell.seconds() < 0 ||
               s.drain_dwell.seconds() > week_s;
    }

    static bool must_stop(const World& w) {
        const bool fit = w.settings.consent && !settings_are_nonsense(w.settings) &&
                         everything_known(w) && known(w, 0) == 0 && known(w, 1) == 1 &&
                         known(w, 2) == 0 && known(w, 3) == 1 &&
                         known(w, 5) >= w.settings.floor_percent;
        return !fit;
    }

    void follow_charge(const World& w) {
        const double charge = known(w, 5);
        if (charge < w.settings.reserve_percent || !below_since_)
            return;
        const bool high_enough = charge >= 100.0 || charge >= w.settings.reserve_percent + 2.0;
        const bool long_enough = w.now - *below_since_ >= w.settings.drain_dwell;
        const auto lately = [&w](base::Instant end) { return w.now - end < base::minutes(10); };
        const bool seldom_enough = std::ranges::count_if(ends_, lately) < 2;
        if (high_enough && long_enough && seldom_enough) {
            below_since_.reset();
            ends_.push_back(w.now);
        }
    }

    bool complete_once_ = false;
    bool in_recall_ = false;
    bool sees_recall_ = false;
    std::optional<base::Instant> free_since_;
    std::optional<base::Instant> below_since_;
    std::vector<base::Instant> ends_;  // of times below the reserve
};

// ── random histories ────────────────────────────────────────────────────────────────────────────

double random_value(std::size_t signal, base::Prng& prng) {
    static constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    static constexpr double inf = std::numeric_limits<double>::infinity();
    static constexpr std::array odd{nan,
                                    inf,
                                    -inf,
                                    2.0,
                                    -1.0,
                                    0.5,
                                    1e308,
                                    -0.0,
                                    1e-300,
                                    0.9999999999999999,
                                    100.00000000000001,
                                    -1e-300,
                                    101.0};
    if (prng.chance(0.15))
        return odd[prng.below(odd.size())];
    if (signal < 5)
        return prng.chance(0.5) ? 1.0 : 0.0;
    static constexpr std::array edges{0.0, 19.999, 20.0, 49.999, 50.0, 51.999, 52.0, 98.0, 100.0};
    return prng.chance(0.7) ? edges[prng.below(edges.size())] : prng.unit() * 100.0;
}

base::Duration random_span(base::Prng& prng) {
    static constexpr std::array spans_ns{std::int64_t{0},
                                         std::int64_t{1},
                                         std::int64_t{1'000},
                                         std::int64_t{400'000'000},
                                         std::int64_t{1'500'000'000},
                                         std::int64_t{2'999'999'999},
                                         std::int64_t{3'000'000'000},
                                         std::int64_t{5'000'000'000},
                                         std::int64_t{10'000'000'000},
                                         std::int64_t{59'999'999'999},
                                         std::int64_t{60'000'000'000},
                                         std::int64_t{3'600'000'000'000}};
    return {spans_ns[prng.below(spans_ns.size())]};
}

base::WallTime random_wall(base::WallTime near, base::Prng& prng) {
    static constexpr std::array odd_us{INT64_MIN,
                                       std::int64_t{-1},
                                       std::int64_t{0},
                                       std::int64_t{1'577'836'799'999'999},
                                       std::int64_t{1'577'836'800'000'000},
                                       std::int64_t{4'102'444'799'999'999},
                                       std::int64_t{4'102'444'800'000'000},
                                       INT64_MAX};
    if (prng.chance(0.2))
        return {odd_us[prng.below(odd_us.size())]};
    const base::Duration shift = random_span(prng);
    return near + (prng.chance(0.5) ? shift : base::Duration{} - shift);
}

core::SignalReading reading(const World& world, std::optional<double> value) {
    return {value, world.wall_now, world.now};
}

void make_everything_good(World& world, base::Prng& prng) {
    static constexpr std::array good{0.0, 1.0, 0.0, 1.0};
    for (std::size_t i = 0; i < 4; ++i) {
        world.signals.set(static_cast<core::SignalId>(i), reading(world, good[i]));
    }
    world.signals.set(core::SignalId::locked, reading(world, prng.chance(0.5) ? 1.0 : 0.0));
    world.signals.set(core::SignalId::state_of_charge_percent,
                      reading(world, 45.0 + prng.unit() * 55.0));
}

void change_one_signal(World& world, base::Prng& prng) {
    const std::size_t signal = prng.below(base_signals);
    core::SignalReading next = reading(world, random_value(signal, prng));
    if (prng.chance(0.1))
        next.value.reset();
    if (prng.chance(0.1))
        next.source_time = random_wall(world.wall_now, prng);
    if (prng.chance(0.05)) {
        const base::Duration shift = random_span(prng);
        next.received_at = prng.chance(0.5) ? world.now + shift : world.now - shift;
    }
    world.signals.set(static_cast<core::SignalId>(signal), next);
}

void change_settings(World& world, base::Prng& prng) {
    static constexpr std::array odd{std::numeric_limits<double>::quiet_NaN(), -1.0, 101.0,
                                    std::numeric_limits<double>::infinity(),  0.0,  100.0};
    const auto odd_or = [&prng](double usual) {
        return prng.chance(0.03) ? odd[prng.below(odd.size())] : usual;
    };
    core::OwnerSettings& settings = world.settings;
    settings.consent = prng.chance(0.93);
    settings.reserve_percent = odd_or(prng.chance(0.7) ? 50.0 : prng.unit() * 100.0);
    settings.floor_percent = odd_or(20.0);
    settings.power_limit_w = odd_or(300.0);
    settings.reentry_delay = prng.chance(0.4) ? base::Duration{} : random_span(prng);
    settings.drain_dwell = prng.chance(0.4) ? base::Duration{} : random_span(prng);
    if (prng.chance(0.02))
        settings.reentry_delay = {prng.chance(0.5) ? INT64_MAX : INT64_MIN};
    if (prng.chance(0.02))
        settings.drain_dwell = {prng.chance(0.5) ? INT64_MAX : -1};
}

void step(World& world, base::Prng& prng) {
    const base::Duration span = random_span(prng);
    world.now = world.now + span;
    if (prng.chance(0.03)) {
        world.wall_now = random_wall(world.wall_now, prng);
    } else if (world.wall_now.us < INT64_MAX - 10'000'000'000'000) {
        world.wall_now = world.wall_now + span;
    }
    if (prng.chance(0.6))
        make_everything_good(world, prng);
    if (prng.chance(0.4))
        change_one_signal(world, prng);
    if (prng.chance(0.1))
        change_settings(world, prng);
}

std::string describe(const World& world) {
    std::string text = "; now " + std::to_string(world.now.ns) + " ns, wall " +
                       std::to_string(world.wall_now.us) + " us, delay " +
                       std::to_string(world.settings.reentry_delay.ns) + " ns";
    for (const core::SignalInfo& signal : core::signal_table()) {
        const auto& reading = world.signals.get(signal.id);
        if (!reading)
            continue;
        text += "; " + std::string(signal.name) + " " +
                (reading->value ? std::to_string(*reading->value) : "missing") + " measured " +
                std::to_string(reading->source_time.us) + " received " +
                std::to_string(reading->received_at.ns);
    }
    return text;
}

// ── the property ────────────────────────────────────────────────────────────────────────────────

struct Count {
    long judgements = 0;
    long ok = 0;
    long reentries = 0;
    long drains = 0;
};

void check_form(const World& world, const core::Verdict& verdict) {
    if (verdict.may_work()) {
        ASSERT_EQ(verdict.allowed_w, world.settings.power_limit_w);
        ASSERT_TRUE(verdict.until && *verdict.until > world.now);
    } else {
        ASSERT_EQ(verdict.allowed_w, 0.0);
        ASSERT_NE(core::info(verdict.reason).kind, core::ReasonKind::service);
    }
}

// Nothing new until the moment named in the verdict: then it must not be ok any more.
void check_until(World world, const Judgement& judgement) {
    const base::Duration wait = *judgement.verdict.until - world.now;
    world.now = *judgement.verdict.until;
    world.wall_now = world.wall_now + wait;
    ASSERT_FALSE(judge(world.facts(), judgement.memory).verdict.may_work());
}

void check_history(std::uint64_t seed, Count& count) {
    base::Prng prng(seed);
    World world;
    world.now = {static_cast<std::int64_t>(prng.below(1'000'000'000'000'000))};
    world.wall_now = {1'790'000'000'000'000 + static_cast<std::int64_t>(prng.below(1'000'000'000))};
    change_settings(world, prng);
    Oracle oracle;
    Memory memory;
    std::optional<Reason> last_recall;
    const std::uint64_t steps = 2 + prng.below(steps_max - 1);
    for (std::uint64_t i = 0; i < steps; ++i) {
        step(world, prng);
        const bool allowed = oracle.allows(world);
        const Judgement judgement = judge(world.facts(), memory);
        ASSERT_EQ(judgement.verdict.may_work(), allowed)
            << "history " << seed << ", step " << i << ": " << core::name(judgement.verdict.reason)
            << describe(world);
        ASSERT_NO_FATAL_FAILURE(check_form(world, judgement.verdict)) << "history " << seed;
        if (oracle.waits_for_reentry()) {
            ++count.reentries;
            ASSERT_EQ(judgement.verdict.reason, last_recall) << "history " << seed;
        } else if (oracle.sees_recall()) {
            last_recall = judgement.verdict.reason;
        }
        if (allowed && i % 4 == 0) {
            ASSERT_NO_FATAL_FAILURE(check_until(world, judgement)) << "history " << seed;
        }
        memory = judgement.memory;
        ++count.judgements;
        count.ok += allowed ? 1 : 0;
        count.drains += judgement.verdict.reason == Reason::charge_below_reserve ? 1 : 0;
    }
}

TEST(PolicyHistories, WorkIsAllowedExactlyWhenEveryConditionHolds) {
    Count count;
    for (int i = 0; i < histories; ++i) {
        ASSERT_NO_FATAL_FAILURE(check_history(static_cast<std::uint64_t>(i), count));
    }
    // The histories come near the border from both sides.
    EXPECT_GT(count.ok, count.judgements / 20);
    EXPECT_LT(count.ok, count.judgements / 2);
    EXPECT_GT(count.reentries, count.judgements / 50);
    EXPECT_GT(count.drains, count.judgements / 200);
    RecordProperty("judgements", std::to_string(count.judgements));
    RecordProperty("ok", std::to_string(count.ok));
}

}  // namespace
}  // namespace idlewatt::policy
