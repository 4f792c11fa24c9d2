// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How a gateway runs lines of batches, as handle(event, now) → effects: it asks the coordinator for
// lines when cars are free that no client needs, keeps their leases by naming them, lets each be
// answered like a client's question, and repeats what came out until the coordinator has committed
// it.
//
//   asked for ─▶ ready ─▶ running ─▶ done ─▶ committed there: forgotten
//                  ▲         │ no car free, 429, 503, preempted
//                  └─────────┘ a little later
//
// Clients come first: nothing is begun while one waits for a car, and so many slots stay free as
// clients have lately used at once. Pure.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "gateway/event.hpp"
#include "gateway/gateway_core.hpp"
#include "http/http.hpp"
#include "wire/batch.hpp"

namespace idlewatt::gateway {

// Lines that a gateway has leases of. What cars could take at once is asked for a second time, so
// that the next line is there when one ends.
inline constexpr std::size_t batch_lines_held_max = 512;
static_assert(batch_lines_held_max <= wire::batch_leases_max, "all can be named in one ask");
inline constexpr std::size_t batch_running_max = 256;
// Questions and results that are kept; above it no line is asked for or begun. The lines that run
// then still end: batch_running_max results more.
inline constexpr std::size_t batch_bytes_held_max = std::size_t{64} * 1024 * 1024;

inline constexpr base::Duration batch_lease_period = base::seconds(5);
static_assert(batch_lease_period * 4 < wire::batch_lease_life, "a lost ask costs no lease");
inline constexpr base::Duration batch_idle_period = base::seconds(1);  // there was nothing to do
inline constexpr base::Duration batch_retry_first = base::seconds(1);
inline constexpr base::Duration batch_retry_max = base::seconds(30);
// Tries of one line that end with a status which says: again later. Then that is its result.
inline constexpr std::uint32_t batch_tries_max = 5;
// No car is free for a line: it is tried again so often, and given back after so long. Its model
// may be on the cars of another gateway's time, and it is in others' way.
inline constexpr base::Duration batch_deferred_period = base::seconds(1);
inline constexpr base::Duration batch_deferred_max = base::seconds(30);
inline constexpr std::size_t batch_results_at_once = 16;
// How long clients' greatest number of answers at once is remembered: one to two of these.
inline constexpr base::Duration batch_peak_period = base::seconds(5);

// ── events ──────────────────────────────────────────────────────────────────────────────────────

// The time goes on; cars have this much room.
struct RoomSeen {
    Room room;
};
struct WorkCame {
    wire::BatchWork work;
};
struct WorkFailed {};  // the coordinator did not answer
struct LineAnswered {
    http::RequestId request{};
    http::Response response;
};
struct LineDeferred {
    http::RequestId request{};
    bool begun = false;  // a client needed its car
};
struct ResultAnswered {
    std::uint64_t lease = 0;
    wire::BatchResultState state = wire::BatchResultState::refused;
};
struct ResultUnanswered {
    std::uint64_t lease = 0;
};
using BatchEvent = std::variant<RoomSeen, WorkCame, WorkFailed, LineAnswered, LineDeferred,
                                ResultAnswered, ResultUnanswered>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct AskForWork {
    wire::BatchAsk ask;
};
struct StartLine {
    BatchAsked line;
};
struct StopLine {
    http::RequestId request{};
};
struct SendResult {
    wire::BatchResult result;
};
using BatchEffect = std::variant<AskForWork, StartLine, StopLine, SendResult>;
using BatchEffects = std::vector<BatchEffect>;

class BatchCore {
public:
    [[nodiscard]] BatchEffects handle(const BatchEvent& event, base::Instant now);

    [[nodiscard]] std::size_t lines_held() const { return lines_.size(); }
    [[nodiscard]] std::size_t lines_running() const { return running_.size(); }
    [[nodiscard]] std::size_t bytes_held() const { return bytes_held_; }

private:
    struct Line {
        wire::BatchItem item;
        std::optional<http::RequestId> request{};  // while it runs
        std::uint32_t tries = 0;
        base::Instant not_before;  // it, or its result, is tried again
        std::optional<base::Instant> deferred_since{};
        bool done = false;
        wire::BatchResult result{};  // with the whole body; meaningful once done
        std::uint32_t part = 0;      // the next to be sent
        bool sending = false;
        base::Duration retry = batch_retry_first;

        [[nodiscard]] bool ready(base::Instant now) const {
            return !done && !request && not_before <= now;
        }
    };
    using Lines = std::map<std::uint64_t, Line>;

    void on(const RoomSeen& event, base::Instant now, BatchEffects& effects);
    void on(const WorkCame& event, base::Instant now, BatchEffects& effects);
    void on(const WorkFailed& event, base::Instant now, BatchEffects& effects);
    void on(const LineAnswered& event, base::Instant now, BatchEffects& effects);
    void on(const LineDeferred& event, base::Instant now, BatchEffects& effects);
    void on(const ResultAnswered& event, base::Instant now, BatchEffects& effects);
    void on(const ResultUnanswered& event, base::Instant now, BatchEffects& effects);

    [[nodiscard]] std::size_t slots_to_use(const Room& room, base::Instant now);
    void start_lines(std::size_t slots, base::Instant now, BatchEffects& effects);
    // usable: slots for lines, with those that are in use.
    void ask(std::size_t usable, bool some_free, base::Instant now, BatchEffects& effects);
    void send_results(base::Instant now, BatchEffects& effects);
    void send_part(std::uint64_t lease, Line& line, BatchEffects& effects);
    void settle(std::uint64_t lease, Line& line, const http::Response& response);
    void forget(Lines::iterator line, BatchEffects& effects);
    [[nodiscard]] Lines::iterator end_run(http::RequestId request);

    Lines lines_;  // by lease
    std::unordered_map<http::RequestId, std::uint64_t> running_;
    std::uint64_t requests_made_ = 0;
    std::size_t bytes_held_ = 0;
    std::size_t sending_ = 0;

    bool asking_ = false;
    base::Instant asked_at_;
    base::Instant ask_not_before_;  // for more lines
    base::Duration ask_retry_ = batch_retry_first;

    std::size_t peak_ = 0;       // of clients' answers at once, in this period
    std::size_t last_peak_ = 0;  // in the one before
    base::Instant peak_until_;
};

}  // namespace idlewatt::gateway
