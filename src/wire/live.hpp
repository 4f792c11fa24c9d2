// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What GET /api/v1/events says, as text: the fleet and its answers for the page that people look
// at. web/README.md describes the form. Hides nlohmann-json. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "core/reason.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::wire {

struct LiveCar {
    std::optional<core::Reason> reason;  // absent: forgotten
    std::optional<std::uint32_t> charge_percent;
    std::uint32_t tokens_per_second = 0;
    std::uint32_t active_requests = 0;

    [[nodiscard]] bool is_like(const LiveCar& other) const {
        return reason == other.reason && charge_percent == other.charge_percent;
    }
    [[nodiscard]] bool works_like(const LiveCar& other) const {
        return tokens_per_second == other.tokens_per_second &&
               active_requests == other.active_requests;
    }
};

struct LiveTotals {
    GatewayFigures figures;  // without the gaps
    std::uint64_t vehicles_known = 0;
    std::uint64_t vehicles_ready = 0;
    std::uint64_t vehicles_unreachable = 0;
    double tokens_per_second = 0.0;
    std::optional<double> migration_gap_ms;  // of the last one
};

// Of a change: only what is another now.
struct LiveAnswer {
    std::string id;
    std::optional<std::string> model{};
    bool placed = false;  // `vehicle` is said
    std::optional<std::uint32_t> vehicle{};
    std::optional<core::Reason> why{};
    std::optional<std::uint32_t> tokens{};
    std::optional<std::string> text{};
    std::optional<std::string> text_added{};
};
struct LiveEnd {
    std::string id;
    std::string how;  // completed, failed, cancelled
};

// What an operator gave to be shown (wire/notice.hpp).
struct LiveNotice {
    std::string text;
    base::WallTime at;
    friend bool operator==(const LiveNotice&, const LiveNotice&) = default;
};

struct LiveHead {
    std::uint64_t sequence = 0;
    base::WallTime at;
    std::optional<std::int64_t> heard_age_ms;  // absent: no car was ever heard
};

struct LiveSnapshot {
    LiveHead head;
    std::string gateway;
    LiveTotals totals;
    std::vector<std::string> vehicle_ids;
    std::vector<LiveCar> vehicles;
    std::uint64_t vehicles_left_out = 0;
    std::vector<LiveAnswer> answers;
    std::uint64_t answers_left_out = 0;
    std::optional<LiveNotice> notice{};
};
[[nodiscard]] std::string live_snapshot_body(const LiveSnapshot& snapshot);

struct LiveChange {
    using Numbered = std::pair<std::uint32_t, LiveCar>;
    LiveHead head;
    std::optional<LiveTotals> totals;
    std::string vehicle_id_before;  // of the last one known
    std::vector<std::string> vehicle_ids;
    std::vector<Numbered> vehicles;
    std::vector<Numbered> work;
    std::vector<LiveAnswer> answers;
    std::vector<LiveEnd> answers_ended;
    bool notice_changed = false;
    std::optional<LiveNotice> notice{};  // absent when it changed: there is none any more

    [[nodiscard]] bool empty() const {
        return !totals && vehicle_ids.empty() && vehicles.empty() && work.empty() &&
               answers.empty() && answers_ended.empty() && !notice_changed;
    }
};
[[nodiscard]] std::string live_change_body(const LiveChange& change);

// Each id as one digit of base 36, the characters shared with the one before, and the rest.
[[nodiscard]] std::string front_coded(std::span<const std::string> ids, std::string_view before);

}  // namespace idlewatt::wire
