// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs the tables in tests/cases/policy; the form is described in the README there.
#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "policy/policy.hpp"

namespace idlewatt::policy {
namespace {

constexpr std::size_t verdicts_min = 200;
constexpr int cases_of_a_reason_min = 3;

std::vector<std::filesystem::path> case_files() {
    std::vector<std::filesystem::path> files;
    const std::string folder = std::string(IDLEWATT_SOURCE_DIR) + "/tests/cases/policy";
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        if (entry.path().extension() == ".case")
            files.push_back(entry.path());
    }
    std::ranges::sort(files);
    return files;
}

// The moment in seconds, to the nanosecond.
base::Duration span(double seconds) {
    return {std::llround(seconds * 1e9)};
}

int minute_of(const std::string& text) {
    int hour = 0;
    int minute = 0;
    EXPECT_EQ(std::sscanf(text.c_str(), "%d:%d", &hour, &minute), 2) << text;
    return hour * 60 + minute;
}

constexpr std::array day_names{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};

// "mon,tue" or "mon-fri" or "daily", as bits.
std::uint8_t days_of(const std::string& text) {
    if (text == "daily")
        return 0x7f;
    const auto day = [&text](std::size_t at) {
        const auto* found = std::ranges::find(day_names, text.substr(at, 3));
        EXPECT_NE(found, day_names.end()) << text;
        return static_cast<int>(found - day_names.begin());
    };
    if (text.size() == 7 && text[3] == '-') {
        std::uint8_t days = 0;
        for (int d = day(0);; d = (d + 1) % 7) {
            days |= static_cast<std::uint8_t>(1 << d);
            if (d == day(4))
                return days;
        }
    }
    std::uint8_t days = 0;
    for (std::size_t at = 0; at < text.size(); at += 4)
        days |= static_cast<std::uint8_t>(1 << day(at));
    return days;
}

std::vector<std::string> split(const std::string& text, char by) {
    std::vector<std::string> parts;
    std::istringstream stream(text);
    for (std::string part; std::getline(stream, part, by);)
        parts.push_back(part);
    return parts;
}

std::optional<double> number_or_none(const std::string& text) {
    return text == "none" ? std::nullopt : std::optional(std::stod(text));
}

class CasePlayer {
public:
    CasePlayer() {
        values_.fill("silent");
        for (const core::SignalInfo& signal : core::signal_table()) {
            const bool usual = signal.id == core::SignalId::parked ||
                               signal.id == core::SignalId::plugged_in ||
                               signal.id == core::SignalId::locked;
            if (signal.need == core::SignalNeed::always)
                value(signal.id) = usual ? "true" : "false";
        }
        value(core::SignalId::state_of_charge_percent) = "80";
    }

    void play(const std::string& line) {
        std::istringstream words(line);
        std::string kind;
        words >> kind;
        if (kind == "settings") {
            for (std::string word; words >> word;)
                assign(word);
        } else if (kind == "at") {
            judge_at(words);
        } else if (!kind.empty()) {
            FAIL() << "unknown line";
        }
    }

    [[nodiscard]] const std::vector<core::Reason>& seen() const { return seen_; }

private:
    std::string& value(core::SignalId id) { return values_[static_cast<std::size_t>(id)]; }

    void assign(const std::string& word) {
        const std::size_t equals = word.find('=');
        ASSERT_NE(equals, std::string::npos) << word;
        const std::string key = word.substr(0, equals);
        const std::string text = word.substr(equals + 1);
        if (const auto signal = core::find_signal(key)) {
            value(*signal) = text;
        } else if (!assign_setting(key, text) && !assign_limit(key, text) &&
                   !assign_circumstance(key, text)) {
            FAIL() << "unknown key " << key;
        }
    }

    bool assign_setting(const std::string& key, const std::string& text) {
        if (key == "consent") {
            settings_.consent = text == "true";
        } else if (key == "preset") {
            const bool consent = settings_.consent;
            settings_ = core::preset(text == "gentle"     ? core::Preset::gentle
                                     : text == "balanced" ? core::Preset::balanced
                                                          : core::Preset::most_earnings);
            settings_.consent = consent;
        } else if (key == "reserve_percent") {
            settings_.reserve_percent = std::stod(text);
        } else if (key == "floor_percent") {
            settings_.floor_percent = std::stod(text);
        } else if (key == "power_limit_w") {
            settings_.power_limit_w = std::stod(text);
        } else if (key == "reentry_delay_s") {
            settings_.reentry_delay = span(std::stod(text));
        } else if (key == "drain_dwell_s") {
            settings_.drain_dwell = span(std::stod(text));
        } else if (key == "only_plugged_in") {
            settings_.only_plugged_in = text == "true";
        } else if (key == "only_unmetered") {
            settings_.only_unmetered = text == "true";
        } else if (key == "paused_until_s") {
            settings_.paused_until = wall_offset_ + span(std::stod(text));
        } else {
            return false;
        }
        return true;
    }

    bool assign_limit(const std::string& key, const std::string& text) {
        if (key == "reserve_km") {
            settings_.reserve_km = number_or_none(text);
        } else if (key == "price_limit_usd_per_kwh") {
            settings_.price_limit_usd_per_kwh = number_or_none(text);
        } else if (key == "carbon_limit_g_per_kwh") {
            settings_.carbon_limit_g_per_kwh = number_or_none(text);
        } else if (key == "battery_hot_c") {
            settings_.battery_hot_c = std::stod(text);
        } else if (key == "battery_cold_c") {
            settings_.battery_cold_c = std::stod(text);
        } else if (key == "compute_hot_c") {
            settings_.compute_hot_c = std::stod(text);
        } else if (key == "ready_by") {  // mon-fri@07:30@80
            const auto parts = split(text, '@');
            for (std::size_t day = 0; day < 7; ++day) {
                if ((days_of(parts.at(0)) >> day & 1) != 0) {
                    settings_.ready_by[day] = {static_cast<std::int16_t>(minute_of(parts.at(1))),
                                               static_cast<std::uint8_t>(std::stoi(parts.at(2)))};
                }
            }
        } else if (key == "window") {  // mon-fri@22:00@06:00
            const auto parts = split(text, '@');
            settings_.windows.at(settings_.window_count++) = {
                days_of(parts.at(0)), static_cast<std::int16_t>(minute_of(parts.at(1))),
                static_cast<std::int16_t>(minute_of(parts.at(2)))};
        } else if (key == "place") {  // 52.52@13.40@100
            const auto parts = split(text, '@');
            settings_.places.at(settings_.place_count++) = {
                std::stod(parts.at(0)), std::stod(parts.at(1)), std::stod(parts.at(2))};
        } else {
            return false;
        }
        return true;
    }

    bool assign_circumstance(const std::string& key, const std::string& text) {
        if (key == "clock_error_s") {
            clock_error_ = span(std::stod(text));
        } else if (key == "wall_jump_s") {
            wall_offset_ = wall_offset_ + span(std::stod(text));
        } else if (key == "wall") {
            wall_offset_ = base::WallTime{text == "1970-01-01" ? 0 : 4'102'444'800'000'000};
        } else if (key == "local") {  // at the case's second 0: mon@06:30
            const auto parts = split(text, '@');
            const auto* day = std::ranges::find(day_names, parts.at(0));
            local_zero_s_ = static_cast<std::int32_t>(day - day_names.begin()) * core::day_s +
                            minute_of(parts.at(1)) * 60;
        } else if (key == "departure_in_s") {
            value(core::SignalId::departure_unix_s) =
                std::to_string(static_cast<double>(wall_offset_.us) * 1e-6 + std::stod(text));
        } else if (key == "paused_by_operator") {
            circumstances_.paused_by_operator = text == "true";
        } else if (key == "audit_hold") {
            circumstances_.audit_hold = text == "true";
        } else if (key == "storage_full") {
            circumstances_.storage_full = text == "true";
        } else if (key == "worth_it") {
            circumstances_.worth_it = text == "true";
        } else {
            return false;
        }
        return true;
    }

    void read_signals(base::Instant now, base::WallTime wall_now) {
        for (const core::SignalInfo& signal : core::signal_table()) {
            const std::string& text = value(signal.id);
            if (text == "silent")
                continue;
            std::optional<double> number;
            if (text == "true" || text == "false") {
                number = text == "true" ? 1.0 : 0.0;
            } else if (text != "missing") {
                number = std::stod(text);
            }
            signals_.set(signal.id, {number, wall_now + clock_error_, now});
        }
    }

    void judge_at(std::istringstream& words) {
        double seconds = 0.0;
        words >> seconds;
        std::string word;
        while (words >> word && word != "->")
            ASSERT_NO_FATAL_FAILURE(assign(word));
        const base::Instant now = start_ + span(seconds);
        const base::WallTime wall_now = wall_offset_ + span(seconds);
        const auto week = static_cast<std::int64_t>(core::week_s);
        const core::WeekTime local{
            static_cast<std::int32_t>((local_zero_s_ + static_cast<std::int64_t>(seconds)) % week)};
        read_signals(now, wall_now);
        const Judgement judgement =
            judge({settings_, signals_, now, wall_now, local, circumstances_}, memory_);
        memory_ = judgement.memory;
        seen_.push_back(judgement.verdict.reason);
        ASSERT_TRUE(words >> word);
        EXPECT_EQ(core::name(judgement.verdict.reason), word);
        EXPECT_EQ(judgement.verdict.allowed_w > 0.0, word == "ok");
        while (words >> word) {
            if (word == "until") {
                words >> seconds;
                ASSERT_TRUE(judgement.verdict.until);
                EXPECT_NEAR((*judgement.verdict.until - start_).seconds(), seconds, 1e-6);
            } else {
                EXPECT_EQ(judgement.verdict.allowed_w, std::stod(word));
            }
        }
    }

    base::Instant start_{1'000'000'000'000};
    base::WallTime wall_offset_{1'790'000'000'000'000};
    std::int64_t local_zero_s_ = 12 * 3600;  // Monday noon
    base::Duration clock_error_;
    core::OwnerSettings settings_;
    Circumstances circumstances_;
    core::SignalSet signals_;
    std::array<std::string, core::signal_count> values_;
    Memory memory_;
    std::vector<core::Reason> seen_;
};

bool is_judged(core::Reason reason) {
    return core::info(reason).kind != core::ReasonKind::service || reason == core::Reason::ok;
}

TEST(PolicyCases, AllHold) {
    const auto files = case_files();
    std::map<core::Reason, int> cases_that_reach;
    std::size_t verdicts = 0;
    for (const auto& path : files) {
        std::ifstream file(path);
        std::string line;
        std::getline(file, line);
        EXPECT_EQ(line.rfind("# ", 0), 0u) << path << " begins with what must be true";
        CasePlayer player;
        for (int number = 2; std::getline(file, line); ++number) {
            SCOPED_TRACE(path.filename().string() + ":" + std::to_string(number) + ": " + line);
            ASSERT_NO_FATAL_FAILURE(player.play(line));
        }
        verdicts += player.seen().size();
        for (const core::Reason reason : std::set(player.seen().begin(), player.seen().end()))
            ++cases_that_reach[reason];
    }
    EXPECT_GE(verdicts, verdicts_min);
    for (const core::ReasonInfo& reason : core::reason_table()) {
        if (is_judged(reason.reason)) {
            EXPECT_GE(cases_that_reach[reason.reason], cases_of_a_reason_min) << reason.name;
        }
    }
}

}  // namespace
}  // namespace idlewatt::policy
