// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "signals/script.hpp"

#include <algorithm>
#include <fstream>

#include "base/assert.hpp"

namespace idlewatt::signals {

namespace {

constexpr std::array action_names{
    std::pair{ActionKind::kill_agent, std::string_view{"kill_agent"}},
    std::pair{ActionKind::kill_engine, std::string_view{"kill_engine"}},
    std::pair{ActionKind::stop_agent, std::string_view{"stop_agent"}},
    std::pair{ActionKind::stop_engine, std::string_view{"stop_engine"}},
    std::pair{ActionKind::continue_agent, std::string_view{"continue_agent"}},
    std::pair{ActionKind::continue_engine, std::string_view{"continue_engine"}},
};

}  // namespace

std::string_view name(ActionKind kind) {
    return action_names.at(static_cast<std::size_t>(kind)).second;
}

std::optional<ActionKind> find_action(std::string_view name) {
    for (const auto& [kind, text] : action_names) {
        if (text == name)
            return kind;
    }
    return std::nullopt;
}

std::optional<std::pair<std::uint32_t, std::uint32_t>> Vehicles::rank_of(
    std::uint32_t vehicle, std::uint32_t vehicle_count) const {
    IDLEWATT_ASSERT(vehicle < vehicle_count);
    switch (kind) {
        case Kind::all:
            return std::pair{vehicle, vehicle_count};
        case Kind::all_but_one:
            if (vehicle == 0)
                return std::nullopt;
            return std::pair{vehicle - 1, vehicle_count - 1};
        case Kind::listed: {
            const auto present = std::ranges::lower_bound(listed, vehicle_count);
            const auto found = std::lower_bound(listed.begin(), present, vehicle);
            if (found == present || *found != vehicle)
                return std::nullopt;
            return std::pair{static_cast<std::uint32_t>(found - listed.begin()),
                             static_cast<std::uint32_t>(present - listed.begin())};
        }
        case Kind::share: {
            const auto chosen = static_cast<std::uint32_t>(share * vehicle_count);
            const std::uint32_t first = vehicle_count - std::min(chosen, vehicle_count);
            if (vehicle < first)
                return std::nullopt;
            return std::pair{vehicle - first, vehicle_count - first};
        }
    }
    return std::nullopt;
}

std::optional<base::Duration> Moment::of(std::uint32_t vehicle, std::uint32_t vehicle_count) const {
    const auto rank = vehicles.rank_of(vehicle, vehicle_count);
    if (!rank)
        return std::nullopt;
    // over is at most 31 days and a rank at most a million: 2.7e15 ns * 1e6 would overflow.
    return at + (over / rank->second) * rank->first;
}

base::Result<Script> load_script(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail(base::ErrorKind::not_found, path + ": cannot be read");
    std::string text(script_bytes_max + 1, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    if (file.bad())
        return base::fail(base::ErrorKind::io, path + ": reading it failed");
    text.resize(static_cast<std::size_t>(file.gcount()));
    return parse_script(text, path);
}

}  // namespace idlewatt::signals
