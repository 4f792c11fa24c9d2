// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/scripted_signals.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/assert.hpp"
#include "signals/refresher.hpp"

namespace idlewatt::signals {

namespace {

// Timers are not set further ahead than this; it keeps the arithmetic far from its limits.
constexpr base::Duration sleep_max = base::minutes(60);

class ScriptedSignals final : public SignalSource {
public:
    ScriptedSignals(base::Loop& loop, const Script& script, const Playback& playback)
        : loop_(loop),
          refresher_(loop),
          speed_(playback.speed),
          start_(loop.now() - (loop.wall_now() - playback.story_start)),
          duration_(script.duration),
          repeat_(script.repeat),
          initial_(script.initial) {
        for (const SignalEvent& event : script.events) {
            const auto at = event.moment.of(playback.vehicle_index, playback.vehicle_count);
            if (!at || *at >= duration_)
                continue;
            for (const auto& [id, state] : event.set)
                changes_.push_back({*at, id, state});
        }
        std::ranges::stable_sort(changes_, {}, &Change::at);
    }

    ~ScriptedSignals() override {
        if (timer_)
            loop_.cancel(*timer_);
    }

    void start(OnReading on_reading) override {
        rewind();
        advance();
        refresher_.start(std::move(on_reading));
        sleep();
    }

    base::Result<void> hold(
        const std::vector<std::pair<core::SignalId, std::optional<double>>>& values) override {
        for (const auto& [id, value] : values)
            refresher_.hold(id, value);
        return {};
    }

private:
    struct Change {
        base::Duration at;
        core::SignalId id;
        SignalState state;
    };

    [[nodiscard]] base::Duration now_played() const { return played(loop_.now() - start_, speed_); }

    void rewind() {
        for (const core::SignalInfo& signal : core::signal_table()) {
            refresher_.set(signal.id, initial_[static_cast<std::size_t>(signal.id)]);
        }
        next_ = 0;
    }

    // Applies everything that has happened in the story up to now.
    void advance() {
        const base::Duration played_now = now_played();
        if (repeat_ && played_now - round_start_ >= duration_) {
            round_start_ = duration_ * (played_now.ns / duration_.ns);
            rewind();
        }
        while (next_ < changes_.size() && round_start_ + changes_[next_].at <= played_now) {
            refresher_.set(changes_[next_].id, changes_[next_].state);
            ++next_;
        }
    }

    void sleep() {
        timer_.reset();
        base::Duration next;
        if (next_ < changes_.size()) {
            next = round_start_ + changes_[next_].at;
        } else if (repeat_) {
            next = round_start_ + duration_;
        } else {
            return;
        }
        const double real_ns = std::ceil(static_cast<double>((next - now_played()).ns) / speed_);
        const base::Duration real{
            static_cast<std::int64_t>(std::clamp(real_ns, 1.0, static_cast<double>(sleep_max.ns)))};
        timer_ = loop_.after(real, [this] {
            advance();
            sleep();
        });
    }

    base::Loop& loop_;
    Refresher refresher_;
    double speed_;
    base::Instant start_;
    base::Duration duration_;
    bool repeat_;
    std::array<SignalState, core::signal_count> initial_;
    std::vector<Change> changes_;
    std::size_t next_ = 0;
    base::Duration round_start_;  // played
    std::optional<base::TimerId> timer_;
};

}  // namespace

base::Duration played(base::Duration real, double speed) {
    // A story never comes near 1e18 ns (30 years); beyond that a double would not fit either.
    constexpr double limit_ns = 1e18;
    return {static_cast<std::int64_t>(
        std::clamp(static_cast<double>(real.ns) * speed, -limit_ns, limit_ns))};
}

std::unique_ptr<SignalSource> make_scripted_signals(base::Loop& loop, const Script& script,
                                                    const Playback& playback) {
    IDLEWATT_ASSERT(playback.vehicle_index < playback.vehicle_count);
    IDLEWATT_ASSERT(playback.speed > 0.0 && playback.speed <= play_speed_max);
    IDLEWATT_ASSERT(script.duration > base::Duration{});
    return std::make_unique<ScriptedSignals>(loop, script, playback);
}

}  // namespace idlewatt::signals
