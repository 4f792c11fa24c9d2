// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <array>

#include "signals/toml_reader.hpp"
#include "simulator/scenario.hpp"

namespace idlewatt::simulator {

namespace {

using signals::Complaints;
using signals::quoted;
using signals::TableReader;

constexpr std::size_t text_bytes_max = 400;
constexpr std::size_t entries_max = 100;
constexpr double seconds_max = 3600.0;

base::Duration seconds_of(const TableReader& reader, std::string_view key,
                          base::Duration fallback) {
    return base::from_seconds(reader.number(key, fallback.seconds(), 0.0, seconds_max));
}

base::Duration ms_of(const TableReader& reader, std::string_view key, base::Duration fallback) {
    return base::from_seconds(reader.number(key, fallback.milliseconds(), 0.0, 60'000.0) / 1e3);
}

std::uint32_t count_of(const TableReader& reader, std::string_view key, std::uint32_t fallback,
                       double min, double max) {
    return static_cast<std::uint32_t>(reader.number(key, fallback, min, max));
}

// [shortest, longest]
Span span_of(const TableReader& reader, std::string_view key, double unit_s, Span fallback) {
    const toml::node* node = reader.find(key);
    if (node == nullptr)
        return fallback;
    const toml::array* array = node->as_array();
    if (array != nullptr && array->size() == 2 && (*array)[0].is_number() &&
        (*array)[1].is_number()) {
        const double min = *(*array)[0].value<double>();
        const double max = *(*array)[1].value<double>();
        if (min >= 0.0 && min <= max && max * unit_s <= seconds_max)
            return {base::from_seconds(min * unit_s), base::from_seconds(max * unit_s)};
    }
    reader.complain(key, "must be two numbers, the shortest and the longest time");
    return fallback;
}

std::vector<std::string> texts_of(const TableReader& reader, std::string_view key) {
    std::vector<std::string> texts;
    const toml::node* node = reader.find(key);
    if (node == nullptr)
        return texts;
    const toml::array* array = node->as_array();
    if (array == nullptr || array->size() > entries_max ||
        !std::ranges::all_of(*array, [](const toml::node& entry) { return entry.is_string(); })) {
        reader.complain(key, "must be a list of names");
        return texts;
    }
    for (const toml::node& entry : *array)
        texts.push_back(entry.as_string()->get());
    return texts;
}

void read_setup(const toml::table& table, Scenario& scenario, Complaints& complaints) {
    static constexpr std::array<std::string_view, 9> keys = {
        "vehicles",       "slots",   "gateways",  "duration_s",   "token_ms",
        "first_token_ms", "load_ms", "reentry_s", "drain_dwell_s"};
    const TableReader reader(table, "[setup]", keys, complaints);
    scenario.vehicles = count_of(reader, "vehicles", scenario.vehicles, 1, 1000);
    scenario.slots = count_of(reader, "slots", scenario.slots, 1, 64);
    scenario.gateways = count_of(reader, "gateways", scenario.gateways, 1, 16);
    scenario.duration = seconds_of(reader, "duration_s", scenario.duration);
    scenario.token_time = ms_of(reader, "token_ms", scenario.token_time);
    scenario.first_token_time = ms_of(reader, "first_token_ms", scenario.first_token_time);
    scenario.load_time = ms_of(reader, "load_ms", scenario.load_time);
    scenario.reentry_delay = seconds_of(reader, "reentry_s", scenario.reentry_delay);
    scenario.drain_dwell = seconds_of(reader, "drain_dwell_s", scenario.drain_dwell);
}

void read_clients(const toml::table& table, ClientHabits& habits, Complaints& complaints) {
    static constexpr std::array<std::string_view, 15> keys = {
        "count",   "streamed",  "hang_up",    "slow",        "slow_s",
        "endless", "long_text", "tokens_min", "tokens_max",  "pause_s",
        "choices", "tools",     "reasoning",  "completions", "embeddings"};
    const TableReader reader(table, "[clients]", keys, complaints);
    habits.count = count_of(reader, "count", habits.count, 0, 10'000);
    habits.streamed = reader.number("streamed", habits.streamed, 0, 1);
    habits.hang_up = reader.number("hang_up", habits.hang_up, 0, 1);
    habits.slow = reader.number("slow", habits.slow, 0, 1);
    habits.slow_for = span_of(reader, "slow_s", 1.0, habits.slow_for);
    habits.endless = reader.number("endless", habits.endless, 0, 1);
    habits.long_text = reader.number("long_text", habits.long_text, 0, 1);
    habits.choices = reader.number("choices", habits.choices, 0, 1);
    habits.tools = reader.number("tools", habits.tools, 0, 1);
    habits.reasoning = reader.number("reasoning", habits.reasoning, 0, 1);
    habits.completions = reader.number("completions", habits.completions, 0, 1);
    habits.embeddings = reader.number("embeddings", habits.embeddings, 0, 1);
    habits.tokens_min = count_of(reader, "tokens_min", habits.tokens_min, 1, 10'000);
    habits.tokens_max = count_of(reader, "tokens_max", habits.tokens_max, 1, 10'000);
    if (habits.tokens_min > habits.tokens_max)
        reader.complain("tokens_min", "must not be above tokens_max");
    habits.pause = span_of(reader, "pause_s", 1.0, habits.pause);
}

void read_weather(const toml::table& table, bus::Weather& weather, Complaints& complaints) {
    static constexpr std::array<std::string_view, 4> keys = {"latency_ms", "loss", "duplication",
                                                             "reorder"};
    const TableReader reader(table, "[weather]", keys, complaints);
    const Span latency =
        span_of(reader, "latency_ms", 1e-3, {weather.latency_min, weather.latency_max});
    weather.latency_min = latency.min;
    weather.latency_max = latency.max;
    weather.loss = reader.number("loss", weather.loss, 0, 0.5);
    weather.duplication = reader.number("duplication", weather.duplication, 0, 0.5);
    weather.reorder = reader.boolean("reorder", weather.reorder);
}

FaultKind kind_of(const TableReader& reader) {
    const std::string text = reader.text("kind", text_bytes_max);
    const auto kind = find_fault_kind(text);
    if (!kind) {
        std::string known;
        for (std::size_t i = 0; i < fault_kind_count; ++i)
            known += (i == 0 ? "" : ", ") + std::string(name(static_cast<FaultKind>(i)));
        reader.complain("kind", "must be one of " + known + ", not " + quoted(text));
    }
    return kind.value_or(FaultKind::occupied);
}

void read_rate(const toml::table& table, Scenario& scenario, Complaints& complaints) {
    static constexpr std::array<std::string_view, 3> keys = {"kind", "per_minute", "lasts_s"};
    const TableReader reader(table, "[[fault]]", keys, complaints);
    const Span lasts = span_of(reader, "lasts_s", 1.0, {base::milliseconds(200), base::seconds(2)});
    scenario.rates.push_back(
        {kind_of(reader), reader.number("per_minute", 1.0, 0.0, 10'000.0), lasts});
}

void read_event(const toml::table& table, Scenario& scenario, Complaints& complaints) {
    static constexpr std::array<std::string_view, 4> keys = {"kind", "at_s", "lasts_s", "all_but"};
    const TableReader reader(table, "[[event]]", keys, complaints);
    TimedFault fault;
    fault.kind = kind_of(reader);
    fault.at = seconds_of(reader, "at_s", {});
    fault.lasts = seconds_of(reader, "lasts_s", base::seconds(1));
    fault.all_but = count_of(reader, "all_but", 0, 0, 1000);
    scenario.timed.push_back(fault);
}

template <class Read>
void read_each(const TableReader& reader, std::string_view key, Scenario& scenario,
               Complaints& complaints, Read read) {
    const toml::node* node = reader.find(key);
    if (node == nullptr)
        return;
    const toml::array* entries = node->as_array();
    if (entries == nullptr || !entries->is_array_of_tables() || entries->size() > entries_max) {
        reader.complain(key, "must be tables, as in [[" + std::string(key) + "]], at most " +
                                 std::to_string(entries_max));
        return;
    }
    for (const toml::node& entry : *entries)
        read(*entry.as_table(), scenario, complaints);
}

void read_checks(const TableReader& reader, Scenario& scenario) {
    for (const std::string& text : texts_of(reader, "checks")) {
        if (const auto check = find_check(text)) {
            scenario.checks.insert(*check);
        } else {
            reader.complain("checks", "holds the unknown check " + quoted(text) +
                                          "; known are answers, owner, receipts, figures, quiet, "
                                          "every_answer");
        }
    }
    if (scenario.checks.empty())
        reader.complain("checks",
                        "must name at least one check: a scenario without proves nothing");
}

}  // namespace

base::Result<Scenario> parse_scenario(std::string_view text, std::string_view source) {
    Complaints complaints(source);
    Scenario scenario;
    if (const auto table = signals::parse_toml(text, complaints)) {
        static constexpr std::array<std::string_view, 10> keys = {
            "seed_share", "name",    "description", "checks", "reach",
            "setup",      "clients", "weather",     "fault",  "event"};
        const TableReader reader(*table, "the scenario", keys, complaints);
        scenario.name = reader.text("name", text_bytes_max);
        scenario.description = reader.text("description", text_bytes_max);
        read_checks(reader, scenario);
        scenario.seed_share = reader.number("seed_share", scenario.seed_share, 0.0, 1.0);
        scenario.reach = texts_of(reader, "reach");
        read_setup(reader.table("setup"), scenario, complaints);
        read_clients(reader.table("clients"), scenario.clients, complaints);
        read_weather(reader.table("weather"), scenario.weather, complaints);
        read_each(reader, "fault", scenario, complaints, read_rate);
        read_each(reader, "event", scenario, complaints, read_event);
    }
    if (complaints.first())
        return tl::unexpected<base::Error>(*complaints.first());
    return scenario;
}

}  // namespace idlewatt::simulator
