// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One try at an answer, as the car sees it: collects the request, numbers what the engine says,
// keeps it until the gateway has acknowledged it, and knows when its lease is over. A value that
// only its methods change; it causes nothing by itself.
//
//   receiving ──whole──▶ running ──finish, yield──▶ ended ──all acknowledged──▶ (removed)
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <string>
#include <vector>

#include "base/time.hpp"
#include "core/core.hpp"

namespace idlewatt::agent {

class Attempt {
public:
    enum class State { receiving, running, ended };

    Attempt(core::AttemptId id, const core::Open& open, base::Instant now, base::WallTime wall_now);

    [[nodiscard]] const core::AttemptId& id() const { return id_; }
    [[nodiscard]] const core::GatewayId& gateway() const { return gateway_; }
    [[nodiscard]] State state() const { return state_; }

    // ── receiving ──
    // False: the part contradicts the Open and the attempt is to be dropped.
    [[nodiscard]] bool take_part(const core::Body& body);
    [[nodiscard]] bool whole() const { return parts_.size() == parts_expected_; }
    // The request's bytes, once, when whole.
    [[nodiscard]] std::string take_work_bytes();
    void run(const core::Work& work);

    // ── running ──
    core::Numbered number(core::Piece piece);
    core::Numbered number(core::Embedding embedding);
    core::Numbered end(const core::Finished& finished);
    core::Numbered end(core::Rejected rejected);
    core::Numbered end(core::Yielded yielded);
    [[nodiscard]] bool window_full() const;

    // ── from the gateway ──
    // Everything heard from the gateway renews the lease.
    void heard(base::Instant now) { heard_at_ = now; }
    void acknowledge(std::uint64_t sequence);
    [[nodiscard]] std::vector<core::Numbered> unacknowledged_from(std::uint64_t sequence) const;
    [[nodiscard]] bool lease_expired(base::Instant now) const {
        return now - heard_at_ > core::lease_duration;
    }
    [[nodiscard]] bool settled() const { return state_ == State::ended && window_.empty(); }

    [[nodiscard]] core::Alive alive() const;
    [[nodiscard]] std::uint32_t generated_tokens() const { return generated_tokens_; }

    // What a receipt would say now.
    [[nodiscard]] core::Receipt receipt(core::AttemptEnd end, base::Instant now) const;

    // Set by whoever ends the attempt; becomes the receipt's end.
    core::AttemptEnd outcome = core::AttemptEnd::finished;
    bool paused = false;
    base::Instant alive_said_at;
    base::Instant draft_kept_at;

private:
    struct Sent {
        core::Numbered message;
        std::uint32_t tokens;  // that an acknowledgement of this message acknowledges
        std::size_t bytes;
    };

    core::Numbered append(core::Numbered message, std::uint32_t tokens, std::size_t bytes);

    core::AttemptId id_;
    core::GatewayId gateway_;
    State state_ = State::receiving;
    base::Instant opened_at_;
    base::WallTime opened_wall_;
    base::Instant heard_at_;

    std::uint32_t parts_expected_;
    std::uint64_t work_bytes_expected_;
    std::uint64_t work_bytes_ = 0;
    std::vector<std::string> parts_;

    core::WorkId work_;
    std::string model_;
    std::deque<Sent> window_;
    std::size_t window_bytes_ = 0;
    std::uint64_t last_sequence_ = 0;
    std::uint32_t prompt_tokens_ = 0;
    std::uint32_t generated_tokens_ = 0;
    std::uint32_t acknowledged_tokens_ = 0;
};

}  // namespace idlewatt::agent
