// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Runs the tables in tests/cases/policy; the form is described in the README there.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "policy/policy.hpp"

namespace idlewatt::policy {
namespace {

constexpr std::size_t cases_min = 40;

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

class CasePlayer {
public:
    CasePlayer() {
        for (const core::SignalInfo& signal : core::signal_table()) {
            const bool usual = signal.id == core::SignalId::parked ||
                               signal.id == core::SignalId::plugged_in ||
                               signal.id == core::SignalId::locked;
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
        } else {
            FAIL() << "unknown line";
        }
    }

private:
    std::string& value(core::SignalId id) { return values_[static_cast<std::size_t>(id)]; }

    void assign(const std::string& word) {
        const std::size_t equals = word.find('=');
        ASSERT_NE(equals, std::string::npos) << word;
        const std::string key = word.substr(0, equals);
        const std::string text = word.substr(equals + 1);
        if (const auto signal = core::find_signal(key)) {
            value(*signal) = text;
        } else if (key == "consent") {
            settings_.consent = text == "true";
        } else if (key == "wall") {
            wall_offset_ = base::WallTime{text == "1970-01-01" ? 0 : 4'102'444'800'000'000};
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
        } else if (key == "clock_error_s") {
            clock_error_ = span(std::stod(text));
        } else if (key == "wall_jump_s") {
            wall_offset_ = wall_offset_ + span(std::stod(text));
        } else {
            FAIL() << "unknown key " << key;
        }
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
        read_signals(now, wall_now);
        const Judgement judgement = judge({settings_, signals_, now, wall_now}, memory_);
        memory_ = judgement.memory;
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
    base::Duration clock_error_;
    core::OwnerSettings settings_;
    core::SignalSet signals_;
    std::array<std::string, core::signal_count> values_;
    Memory memory_;
};

TEST(PolicyCases, AllHold) {
    const auto files = case_files();
    ASSERT_GE(files.size(), cases_min);
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
    }
}

}  // namespace
}  // namespace idlewatt::policy
