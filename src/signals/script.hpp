// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A story about some cars, told in TOML: what their signals say and when, what breaks, and a
// sentence for people. The source of signals plays the signals; the demo carries out the actions.
//
//   name = "evening"             what people see
//   duration_s = 3600            length of the story in played seconds
//   starts_at_s = 21600          what the story's clock shows at its beginning, after midnight
//   repeat = false               begin again at the end; else the last state stays
//   [owner]                      settings of every car; delays are real seconds
//   consent = true               false unless said
//   reserve_percent, floor_percent, power_limit_w, reentry_delay_s, drain_dwell_s
//   [initial]                    signals at the beginning; unless said: parked, locked, plugged in,
//   occupied = false             nobody inside, 80 % charge
//   [[event]]
//   at_s = 60                    when, in played seconds
//   every_s = 600                again and again, to the end or to until_s
//   until_s = 3000
//   over_s = 120                 the cars follow one another over this time, not all at once
//   vehicles = "all"             or "all_but_one" (car 0 stays out), [1, 2] (cars that are not
//   there
//                                are left out), or a share as 0.5 (counted from the last car)
//   set = { occupied = true, state_of_charge_percent = "missing" }
//                                a value, "missing" (reported as unknown) or "frozen" (no longer
//                                reported, so that it grows stale)
//   action = "kill_agent"        see ActionKind
//   caption = "Somebody gets in."
//
// Every key is checked. Lifecycle and threads: plain values.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/owner_settings.hpp"
#include "core/signal.hpp"

namespace idlewatt::signals {

inline constexpr std::size_t script_bytes_max = 1024 * 1024;
inline constexpr std::size_t script_text_bytes_max = 200;
inline constexpr std::size_t script_events_max = 1'000;    // [[event]] in the file
inline constexpr std::size_t script_moments_max = 10'000;  // with repetitions
inline constexpr std::size_t script_listed_max = 256;      // cars named in one event
inline constexpr std::uint32_t script_vehicles_max = 1'000'000;
inline constexpr double script_duration_s_max = 31.0 * 86'400.0;

// What is reported for one signal.
struct SignalState {
    enum class Mode { value, missing, frozen };
    Mode mode = Mode::frozen;
    double value = 0.0;  // booleans are 0 or 1

    friend bool operator==(const SignalState&, const SignalState&) = default;
};

[[nodiscard]] constexpr SignalState reported(double value) {
    return {SignalState::Mode::value, value};
}
inline constexpr SignalState missing{SignalState::Mode::missing, 0.0};
inline constexpr SignalState frozen{SignalState::Mode::frozen, 0.0};

// Which cars an event is about. Independent of their number until asked.
struct Vehicles {
    enum class Kind { all, all_but_one, listed, share };
    Kind kind = Kind::all;
    std::vector<std::uint32_t> listed;  // sorted
    double share = 0.0;

    // Place of the car among those chosen, and how many are chosen; nullopt: it is not.
    [[nodiscard]] std::optional<std::pair<std::uint32_t, std::uint32_t>> rank_of(
        std::uint32_t vehicle, std::uint32_t vehicle_count) const;
};

struct Moment {
    base::Duration at;    // played, from the beginning of the story
    base::Duration over;  // played
    Vehicles vehicles;

    // When it happens to this car; nullopt: never.
    [[nodiscard]] std::optional<base::Duration> of(std::uint32_t vehicle,
                                                   std::uint32_t vehicle_count) const;
};

struct SignalEvent {
    Moment moment;
    std::vector<std::pair<core::SignalId, SignalState>> set;
};

enum class ActionKind {
    kill_agent,       // SIGKILL
    kill_engine,      // SIGKILL
    stop_agent,       // SIGSTOP
    stop_engine,      // SIGSTOP
    continue_agent,   // SIGCONT
    continue_engine,  // SIGCONT
};

[[nodiscard]] std::string_view name(ActionKind kind);
[[nodiscard]] std::optional<ActionKind> find_action(std::string_view name);

struct ActionEvent {
    Moment moment;
    ActionKind action = ActionKind::kill_agent;
};

struct Caption {
    base::Duration at;  // played
    std::string text;
};

// All lists are in order of time.
struct Script {
    std::string name;
    base::Duration duration;
    base::Duration starts_at;  // after midnight
    bool repeat = false;
    core::OwnerSettings owner;
    std::array<SignalState, core::signal_count> initial{};
    std::vector<SignalEvent> events;
    std::vector<ActionEvent> actions;
    std::vector<Caption> captions;
};

// A message begins with "source:line:" and says what was expected.
[[nodiscard]] base::Result<Script> parse_script(std::string_view toml,
                                                std::string_view source = "script");
[[nodiscard]] base::Result<Script> load_script(const std::string& path);

}  // namespace idlewatt::signals
