// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway's mind: a client's question in, an answer out that survives the cars which give it,
// as handle(event, now) → effects. It chooses cars from its own view, numbers and acknowledges what
// they say, and when one leaves lets another go on from the last token that the client was given.
//
//   asked ─▶ (waiting) ─▶ attempt open ─▶ pieces … ─▶ finished
//                ▲                 │ car recalled, killed, silent, engine failed
//                └─────────────────┘ goes on elsewhere behind what was sent
//
// Pure but for the time and the seed that it is told.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/prng.hpp"
#include "gateway/answer.hpp"
#include "gateway/event.hpp"
#include "gateway/fleet_view.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration tick_period = base::milliseconds(50);

inline constexpr std::size_t waiting_max = 64;
inline constexpr base::Duration waiting_time_max = base::seconds(30);
inline constexpr base::Duration migration_time_max = base::seconds(20);
inline constexpr std::size_t answers_max = 4096;
inline constexpr std::size_t request_bytes_held_max = std::size_t{512} * 1024 * 1024;

// A car that says nothing for this long while an attempt is open is taken for hung.
inline constexpr base::Duration silence_max = base::milliseconds(1200);
static_assert(core::alive_period * 4 < silence_max, "silence is several missing words");
static_assert(silence_max < core::lease_duration, "a car is given up before it gives up");
// A car that talks but cannot fill a gap, or take the request, for this long is given up, too.
inline constexpr base::Duration gap_max = base::seconds(2);
inline constexpr base::Duration repeat_period = base::milliseconds(150);
inline constexpr std::uint64_t acknowledge_every = 32;
static_assert(acknowledge_every * 4 < core::window_messages, "a window never waits for an ack");
// A question on which this many attempts in a row made no progress is at fault itself.
inline constexpr std::uint32_t fruitless_attempts_max = 6;
inline constexpr base::Duration avoid_for = base::seconds(1);
inline constexpr base::Duration comment_period = base::seconds(5);
// A client that takes no byte for this long while some wait is given up.
inline constexpr base::Duration client_stall_max = base::seconds(60);
inline constexpr std::size_t closed_attempts_remembered = 4096;
// Ended attempts whose pieces a slow client has not taken yet; beyond it the car is not told.
inline constexpr std::size_t settling_max = 4096;
inline constexpr int retry_after_full_s = 2;
inline constexpr int retry_after_empty_s = 10;

struct GatewayConfig {
    core::GatewayId gateway;
    std::string api_key;  // empty: none is asked for (loopback only)
    std::uint64_t seed = 0;
};

class GatewayCore {
public:
    explicit GatewayCore(GatewayConfig config);

    [[nodiscard]] Effects handle(const Event& event, base::Instant now, base::WallTime wall_now);

    [[nodiscard]] wire::GatewayFigures figures() const;
    [[nodiscard]] const FleetView& fleet() const { return fleet_; }

private:
    struct Now {
        base::Instant instant;
        base::WallTime wall;
    };

    void on(const Asked& event, Now now, Effects& effects);
    void on(const ClientGone& event, Now now, Effects& effects);
    void on(const Written& event, Now now, Effects& effects);
    void on(const Announced& event, Now now, Effects& effects);
    void on(const CarSaid& event, Now now, Effects& effects);
    void on(const CarLeft& event, Now now, Effects& effects);
    void on(const Unheard& event, Now now, Effects& effects);
    void on(const BusChanged& event, Now now, Effects& effects);
    void on(const OrderAnswered& event, Now now, Effects& effects);
    void on(const Tick& event, Now now, Effects& effects);

    // HTTP (gateway_http.cpp)
    void ask_chat(const http::Request& request, Now now, Effects& effects);
    void order_signals(const http::Request& request, Effects& effects);
    [[nodiscard]] bool authorised(const http::Request& request) const;
    void refuse(http::RequestId request, int status, std::string_view code,
                std::string_view message, Effects& effects);

    // placement (gateway_placement.cpp)
    void place(Answer& answer, Now now, Effects& effects);
    void open(Answer& answer, Now now, Effects& effects);
    void place_waiting(Now now, Effects& effects);
    void lose_attempt(Answer& answer, Now now, Effects& effects);
    void move_on(Answer& answer, Now now, Effects& effects);
    // All on this car but those of the given run of its agent.
    void lose_attempts_on(CarNumber car, std::optional<core::Incarnation> except, Now now,
                          Effects& effects);
    void drop_attempt(Answer& answer);
    void tend_waiting(Answer& answer, Now now, Effects& effects);

    // the stream (gateway_stream.cpp)
    void take(Answer& answer, const core::Numbered& message, Now now, Effects& effects);
    void take(Answer& answer, const core::Piece& piece, Now now, Effects& effects);
    void take(Answer& answer, const core::Embedding& embedding, Now now, Effects& effects);
    void take(Answer& answer, const core::Finished& finished, Now now, Effects& effects);
    void take(Answer& answer, const core::Rejected& rejected, Now now, Effects& effects);
    void take(Answer& answer, const core::Yielded& yielded, Now now, Effects& effects);
    void take(Answer& answer, const core::Alive& alive, Now now, Effects& effects);
    void take(Answer& answer, const core::Refused& refused, Now now, Effects& effects);
    void acknowledge(OpenAttempt& attempt, Now now, Effects& effects);
    void ask_again(OpenAttempt& attempt, Now now, Effects& effects);
    void send_parts(OpenAttempt& attempt, std::size_t from, Effects& effects);
    void tend_attempt(Answer& answer, Now now, Effects& effects);
    void begin(Answer& answer, Effects& effects);
    void write(Answer& answer, std::string bytes, Effects& effects);
    void answer_stranger(const CarSaid& event, Effects& effects);

    // ended attempts (gateway_settling.cpp)
    void settle(Answer& answer, Now now, Effects& effects);
    void settle_written(const Written& event, Now now, Effects& effects);
    void tend_settling(Now now, Effects& effects);
    void stop_settling(http::RequestId request, Effects& effects);
    [[nodiscard]] const OpenAttempt* find_settling(const core::AttemptId& attempt) const;

    // ends (gateway_core.cpp)
    void fail(Answer& answer, int status, std::string_view code, std::string_view message,
              Effects& effects);
    void fail_without_capacity(Answer& answer, Effects& effects);
    void finish(Answer& answer);
    void forget(const core::WorkId& work);
    [[nodiscard]] Answer* find(const core::AttemptId& attempt);
    void tell(const OpenAttempt& attempt, core::ToCar message, Effects& effects) const;
    void remember_closed(const OpenAttempt& attempt);

    GatewayConfig config_;
    base::Prng prng_;
    FleetView fleet_;
    bool connected_ = false;
    base::Instant cut_off_at_;  // meaningful while not connected

    std::map<core::WorkId, Answer> answers_;
    std::unordered_map<http::RequestId, core::WorkId> by_request_;
    std::unordered_map<core::AttemptId, core::WorkId> by_attempt_;
    std::vector<core::WorkId> finished_;  // to be forgotten when the event is done
    std::size_t request_bytes_held_ = 0;

    // Ended attempts of which the client has not everything yet; may outlive their answers.
    std::map<http::RequestId, std::vector<OpenAttempt>> settling_;
    std::unordered_map<core::AttemptId, http::RequestId> settling_ids_;

    // Ended attempts: the last sequence, for cars that missed the last acknowledgement.
    std::unordered_map<core::AttemptId, std::uint64_t> closed_;
    std::deque<core::AttemptId> closed_order_;

    wire::GatewayFigures figures_;
    std::deque<double> gaps_ms_;
};

}  // namespace idlewatt::gateway
