// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One try of one answer on one car, as the gateway sees it. Plain data that the core works on.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"
#include "gateway/fleet_view.hpp"

namespace idlewatt::gateway {

struct OpenAttempt {
    core::AttemptId id;
    CarNumber car = 0;
    core::VehicleId vehicle;
    core::Incarnation incarnation;
    core::Delivery record;  // becomes the record of what it brought; see deliver()

    std::vector<std::string> parts;  // of the request, until the car has them all
    std::uint64_t work_bytes = 0;
    std::uint32_t tokens_before = 0;  // of the answer, when this attempt began
    bool heard = false;               // the car has said anything at all

    std::uint64_t received = 0;      // numbered messages, without holes
    std::uint64_t with_client = 0;   // of these, written to the client
    std::uint64_t acknowledged = 0;  // of these, told the car

    // Given to the HTTP server: on the way to the client until so many bytes of the response are
    // with it.
    struct Given {
        std::uint64_t sequence = 0;
        std::uint64_t response_bytes = 0;
        std::uint32_t tokens = 0;
    };
    std::vector<Given> unwritten;

    // Tool calls and what came behind them: not given yet, and forgotten if the car leaves, because
    // the next one may call otherwise.
    struct Held {
        std::uint64_t sequence = 0;
        core::Piece piece;
    };
    std::vector<Held> held;
    std::size_t held_bytes = 0;

    base::Instant opened_at;
    base::Instant heard_at;
    base::Instant advanced_at;  // when the last message without a hole came, or the attempt began
    std::uint32_t parts_seen = 0;  // what the car said last of the parts it has
    base::Instant acknowledged_at;
    base::Instant repeated_at;  // when something was last asked or sent again
    base::Instant ended_at;     // once it settles: its end, or when the client last took something

    // So many bytes of the response are with the client.
    void written(std::uint64_t bytes) {
        const auto rest = std::ranges::find_if(
            unwritten, [&](const Given& given) { return given.response_bytes > bytes; });
        for (auto given = unwritten.begin(); given != rest; ++given) {
            with_client = given->sequence;
            record.delivered_tokens += given->tokens;
        }
        unwritten.erase(unwritten.begin(), rest);
    }
    // The gateway itself stands for the client.
    void taken(std::uint64_t sequence, std::uint32_t tokens) {
        with_client = sequence;
        record.delivered_tokens += tokens;
    }
};

}  // namespace idlewatt::gateway
