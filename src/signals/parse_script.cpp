// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <cmath>

#include "signals/memory_signals.hpp"
#include "signals/script.hpp"
#include "signals/toml_reader.hpp"

namespace idlewatt::signals {

namespace {

constexpr double share_min = 1e-6;
constexpr double event_period_s_min = 1.0;
constexpr double owner_delay_s_max = 86'400.0;
constexpr double power_limit_w_max = 100'000.0;

template <std::size_t n>
using Keys = std::array<std::string_view, n>;

constexpr Keys<7> script_keys{"name",  "duration_s", "starts_at_s", "repeat",
                              "owner", "initial",    "event"};
constexpr Keys<6> owner_keys{"consent",       "reserve_percent", "floor_percent",
                             "power_limit_w", "reentry_delay_s", "drain_dwell_s"};
constexpr Keys<8> event_keys{"at_s",     "every_s", "until_s", "over_s",
                             "vehicles", "set",     "action",  "caption"};

const Keys<core::signal_count>& signal_keys() {
    static const Keys<core::signal_count> keys = [] {
        Keys<core::signal_count> names;
        for (const core::SignalInfo& signal : core::signal_table()) {
            names[static_cast<std::size_t>(signal.id)] = signal.name;
        }
        return names;
    }();
    return keys;
}

core::OwnerSettings read_owner(const toml::table& table, Complaints& complaints) {
    const TableReader reader(table, "[owner]", owner_keys, complaints);
    core::OwnerSettings owner;
    owner.consent = reader.boolean("consent", owner.consent);
    owner.reserve_percent = reader.number("reserve_percent", owner.reserve_percent, 0.0, 100.0);
    owner.floor_percent = reader.number("floor_percent", owner.floor_percent, 0.0, 100.0);
    owner.power_limit_w =
        reader.number("power_limit_w", owner.power_limit_w, 1.0, power_limit_w_max);
    owner.reentry_delay = base::from_seconds(
        reader.number("reentry_delay_s", owner.reentry_delay.seconds(), 0.0, owner_delay_s_max));
    owner.drain_dwell = base::from_seconds(
        reader.number("drain_dwell_s", owner.drain_dwell.seconds(), 0.0, owner_delay_s_max));
    if (owner.floor_percent > owner.reserve_percent) {
        reader.complain("floor_percent", "must not be above reserve_percent");
    }
    return owner;
}

std::optional<SignalState> read_state(const core::SignalInfo& signal, const toml::node& node) {
    if (const auto* text = node.as_string()) {
        if (text->get() == "missing")
            return missing;
        if (text->get() == "frozen")
            return frozen;
        return std::nullopt;
    }
    if (signal.unit == core::SignalUnit::boolean) {
        if (!node.is_boolean())
            return std::nullopt;
        return reported(node.as_boolean()->get() ? 1.0 : 0.0);
    }
    const std::optional<double> value = node.is_number() ? node.value<double>() : std::nullopt;
    if (!value || !core::in_range(signal, *value))
        return std::nullopt;
    return reported(*value);
}

std::vector<std::pair<core::SignalId, SignalState>> read_signals(const toml::table& table,
                                                                 std::string_view title,
                                                                 Complaints& complaints) {
    const TableReader reader(table, title, signal_keys(), complaints);
    std::vector<std::pair<core::SignalId, SignalState>> states;
    for (const core::SignalInfo& signal : core::signal_table()) {
        const toml::node* node = reader.find(signal.name);
        if (node == nullptr)
            continue;
        if (const auto state = read_state(signal, *node)) {
            states.emplace_back(signal.id, *state);
        } else {
            reader.complain(signal.name, "must be " + core::allowed_values(signal) +
                                             ", \"missing\" or \"frozen\"");
        }
    }
    return states;
}

std::optional<Vehicles> read_listed(const toml::array& array) {
    if (array.size() > script_listed_max)
        return std::nullopt;
    Vehicles vehicles{Vehicles::Kind::listed, {}, 0.0};
    for (const toml::node& node : array) {
        const auto* index = node.as_integer();
        if (index == nullptr || index->get() < 0 || index->get() >= script_vehicles_max) {
            return std::nullopt;
        }
        vehicles.listed.push_back(static_cast<std::uint32_t>(index->get()));
    }
    std::ranges::sort(vehicles.listed);
    // Not std::ranges::unique: clang 14 does not understand what it returns.
    const auto twice = std::unique(vehicles.listed.begin(), vehicles.listed.end());
    vehicles.listed.erase(twice, vehicles.listed.end());
    return vehicles;
}

Vehicles read_vehicles(const TableReader& event) {
    const toml::node* node = event.find("vehicles");
    if (node == nullptr)
        return {};
    if (const auto* text = node->as_string()) {
        if (text->get() == "all")
            return {Vehicles::Kind::all, {}, 0.0};
        if (text->get() == "all_but_one")
            return {Vehicles::Kind::all_but_one, {}, 0.0};
    } else if (const auto* array = node->as_array()) {
        if (auto listed = read_listed(*array))
            return *std::move(listed);
    } else if (const auto* share = node->as_floating_point()) {
        if (share->get() >= share_min && share->get() <= 1.0) {
            return {Vehicles::Kind::share, {}, share->get()};
        }
    }
    event.complain("vehicles", "must be \"all\", \"all_but_one\", a list of at most " +
                                   std::to_string(script_listed_max) +
                                   " numbers of cars counted from 0, or a share such as 0.5");
    return {};
}

// One [[event]], once for each time that it happens.
void read_event(const toml::table& table, Script& script, Complaints& complaints) {
    const TableReader reader(table, "[[event]]", event_keys, complaints);
    const double end_s = script.duration.seconds();
    if (reader.find("at_s") == nullptr)
        reader.complain("at_s", "is missing");
    const double at_s = reader.number("at_s", 0.0, 0.0, end_s);
    const double until_s = reader.number("until_s", end_s, at_s, end_s);
    const double every_s = reader.number("every_s", 0.0, event_period_s_min, end_s);
    const base::Duration over = base::from_seconds(reader.number("over_s", 0.0, 0.0, end_s));
    if (reader.find("until_s") != nullptr && reader.find("every_s") == nullptr) {
        reader.complain("until_s", "needs every_s");
    }
    const Vehicles vehicles = read_vehicles(reader);
    const auto set = read_signals(reader.table("set"), "set of [[event]]", complaints);
    const std::string action_name = reader.text("action", script_text_bytes_max);
    const std::optional<ActionKind> action = find_action(action_name);
    if (reader.find("action") != nullptr && !action) {
        reader.complain("action",
                        "must be kill_agent, kill_engine, stop_agent, stop_engine, continue_agent "
                        "or continue_engine");
    }
    const std::string caption = reader.text("caption", script_text_bytes_max);
    if (set.empty() && !action && caption.empty()) {
        reader.complain("at_s", "stands alone: give it set, action or caption");
    }
    if (complaints.first())
        return;

    const double times = every_s > 0.0 ? std::floor((until_s - at_s) / every_s) + 1.0 : 1.0;
    const int parts = (set.empty() ? 0 : 1) + (action ? 1 : 0) + (caption.empty() ? 0 : 1);
    const std::size_t so_far =
        script.events.size() + script.actions.size() + script.captions.size();
    if (times * parts > static_cast<double>(script_moments_max - so_far)) {
        reader.complain("at_s", "makes too many events: a script has at most " +
                                    std::to_string(script_moments_max) + " with repetitions");
        return;
    }
    for (int i = 0; i < static_cast<int>(times); ++i) {
        const Moment moment{base::from_seconds(at_s + every_s * i), over, vehicles};
        if (!set.empty())
            script.events.push_back({moment, set});
        if (action)
            script.actions.push_back({moment, *action});
        if (!caption.empty())
            script.captions.push_back({moment.at, caption});
    }
}

void read_events(const TableReader& top, Script& script, Complaints& complaints) {
    const toml::node* node = top.find("event");
    if (node == nullptr)
        return;
    const toml::array* events = node->as_array();
    if (events == nullptr || !events->is_array_of_tables() || events->size() > script_events_max) {
        top.complain("event", "must be at most " + std::to_string(script_events_max) +
                                  " tables, each under [[event]]");
        return;
    }
    for (const toml::node& event : *events) {
        read_event(*event.as_table(), script, complaints);
        if (complaints.first())
            return;
    }
}

Script read_script(const toml::table& table, Complaints& complaints) {
    const TableReader reader(table, "the script", script_keys, complaints);
    Script script;
    script.name = reader.text("name", script_text_bytes_max);
    if (script.name.empty())
        reader.complain("name", "is missing");
    if (reader.find("duration_s") == nullptr)
        reader.complain("duration_s", "is missing");
    script.duration =
        base::from_seconds(reader.number("duration_s", 1.0, 1.0, script_duration_s_max));
    script.starts_at = base::from_seconds(reader.number("starts_at_s", 0.0, 0.0, 86'399.0));
    script.repeat = reader.boolean("repeat", false);
    script.owner = read_owner(reader.table("owner"), complaints);
    script.initial = parked_car();
    for (const auto& [id, state] : read_signals(reader.table("initial"), "[initial]", complaints)) {
        script.initial[static_cast<std::size_t>(id)] = state;
    }
    read_events(reader, script, complaints);

    const auto by_moment = [](const auto& a, const auto& b) { return a.moment.at < b.moment.at; };
    std::stable_sort(script.events.begin(), script.events.end(), by_moment);
    std::stable_sort(script.actions.begin(), script.actions.end(), by_moment);
    std::ranges::stable_sort(script.captions, {}, &Caption::at);
    return script;
}

}  // namespace

base::Result<Script> parse_script(std::string_view toml, std::string_view source) {
    Complaints complaints(source);
    if (toml.size() > script_bytes_max) {
        return base::fail(
            base::ErrorKind::limit_exceeded,
            std::string(source) + ": has more than " + std::to_string(script_bytes_max) + " bytes");
    }
    const std::optional<toml::table> parsed = parse_toml(toml, complaints);
    if (!parsed)
        return tl::unexpected(*complaints.first());
    Script script = read_script(*parsed, complaints);
    if (complaints.first())
        return tl::unexpected(*complaints.first());
    return script;
}

}  // namespace idlewatt::signals
