// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway's mind: a client's question in, one or more answers out that survive the cars which
// give them, as handle(event, now) → effects. It chooses cars from its own view, numbers and
// acknowledges what they say, and when one leaves lets another go on from the last token that the
// client was given.
//
//   asked ─▶ (waiting) ─▶ attempt open ─▶ pieces … ─▶ finished     for each answer of an exchange;
//                ▲                 │ car recalled, killed,          all finished: response ended
//                └─────────────────┘ silent, engine failed
//                  goes on elsewhere behind what was sent
//
// Pure but for the time and the seed that it is told. The parts: gateway_http.cpp (routes),
// gateway_ask.cpp (the door), gateway_batch.cpp (lines of batches), gateway_placement.cpp (which
// car), gateway_stream.cpp (what cars say), gateway_pieces.cpp (what clients get),
// gateway_settling.cpp (what ends slowly), gateway_metrics.cpp (what is counted),
// live_picture.cpp (what people see).
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "gateway/caller.hpp"
#include "gateway/event.hpp"
#include "gateway/exchange.hpp"
#include "gateway/fleet_view.hpp"
#include "gateway/key_ring.hpp"
#include "gateway/live_desk.hpp"
#include "gateway/live_page.hpp"
#include "gateway/notice_board.hpp"
#include "metrics/metrics.hpp"
#include "scheduler/scheduler.hpp"
#include "wire/api_error.hpp"
#include "wire/fleet.hpp"
#include "wire/models.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration tick_period = base::milliseconds(50);

inline constexpr std::size_t waiting_max = 64;
inline constexpr base::Duration waiting_time_max = base::seconds(30);
inline constexpr base::Duration migration_time_max = base::seconds(20);
inline constexpr std::size_t answers_max = 4096;
inline constexpr std::size_t request_bytes_held_max = std::size_t{512} * 1024 * 1024;
// Of one exchange that is not streamed, all its answers together: texts, or vectors. Its works may
// come to wire::works_bytes_max besides.
inline constexpr std::size_t whole_answer_bytes_max = std::size_t{64} * 1024 * 1024;

// A car that says nothing for this long while an attempt is open is taken for hung.
inline constexpr base::Duration silence_max = base::milliseconds(1200);
static_assert(core::alive_period * 4 < silence_max, "silence is several missing words");
static_assert(silence_max < core::lease_duration, "a car is given up before it gives up");
// A car that talks but cannot fill a gap, or take the request, for this long is given up, too.
inline constexpr base::Duration gap_max = base::seconds(2);
inline constexpr base::Duration repeat_period = base::milliseconds(150);
inline constexpr std::uint64_t acknowledge_every = 32;
static_assert(acknowledge_every * 4 < core::window_messages, "a window never waits for an ack");
// Pieces held back in case the car leaves; beyond it they are given.
inline constexpr std::size_t held_pieces_max = 128;
inline constexpr std::size_t held_bytes_max = 128 * 1024;
static_assert(held_pieces_max + acknowledge_every < core::window_messages &&
                  held_bytes_max + core::message_part_bytes_max < core::window_bytes,
              "what is held back does not stop the car");
// A question on which this many attempts in a row made no progress is at fault itself.
inline constexpr std::uint32_t fruitless_attempts_max = 6;
inline constexpr base::Duration avoid_for = base::seconds(1);
inline constexpr base::Duration comment_period = base::seconds(5);
// A client that takes no byte for this long while some wait is given up.
inline constexpr base::Duration client_stall_max = base::seconds(60);
inline constexpr std::size_t effects_room_max = 64;
inline constexpr std::size_t closed_attempts_remembered = 4096;
// Ended attempts whose pieces a slow client has not taken yet; beyond it the car is not told.
inline constexpr std::size_t settling_max = 4096;
inline constexpr std::uint32_t retry_after_full_s = 2;
inline constexpr std::uint32_t retry_after_empty_s = 10;
// Tokens reserved of a key's limit for a choice that names no max_tokens.
inline constexpr std::uint32_t tokens_reserved_default = 256;
inline constexpr std::size_t bytes_per_token_assumed = 4;
inline constexpr std::string_view stopping_words = "The gateway is stopping.";

// A client that has waited for a car for so long gets that of a batch's line, and for so long after
// that no other: cars take a moment to say that they are free.
inline constexpr base::Duration batch_yields_after = base::milliseconds(500);
inline constexpr base::Duration batch_yields_every = base::seconds(1);

// What cars could take on besides what they have.
struct Room {
    bool connected = false;  // and not about to stop
    std::uint64_t slots_free = 0;
    std::size_t clients_served = 0;  // answers of clients that a car works on
    bool clients_wait = false;       // some have no car yet
    friend bool operator==(const Room&, const Room&) = default;
};

struct GatewayConfig {
    core::GatewayId gateway;
    // Without a key and without a key book none is asked for (loopback only).
    std::string api_key;
    std::uint64_t seed = 0;
    bool uses_key_book = false;
    std::vector<std::string> cors_origins{};  // exactly as browsers send them
    bool hedges = true;
    Page page{};  // empty: none is served
};

class GatewayCore {
public:
    explicit GatewayCore(GatewayConfig config);

    [[nodiscard]] Effects handle(const Event& event, base::Instant now, base::WallTime wall_now);

    // Effects that have been dealt with, so that the next ones need no room of their own.
    void take_back(Effects effects);

    [[nodiscard]] wire::GatewayFigures figures() const;
    // For a scrape of /metrics.
    [[nodiscard]] std::string metrics_text(base::Instant now, base::WallTime wall_now);
    // What the bus has lost so far, for the same.
    void note_losses(const bus::Losses& losses) { bus_losses_ = losses; }
    [[nodiscard]] const FleetView& fleet() const { return fleet_; }
    [[nodiscard]] const core::KeyBook& key_book() const { return keys_.book(); }
    [[nodiscard]] Room room() const;
    // After Stopping: everything that streams were given is with the kernel.
    [[nodiscard]] bool all_told() const { return leaving_.empty() && settling_.empty(); }
    // What was asked for since the last call; once in a while, for the coordinator.
    [[nodiscard]] std::vector<core::ModelDemand> take_demand(base::Instant now);

private:
    struct Now {
        base::Instant instant;
        base::WallTime wall;
    };
    // One of the two attempts of one answer.
    struct Place {
        Exchange* exchange = nullptr;
        Answer* answer = nullptr;
        OpenAttempt* attempt = nullptr;
        [[nodiscard]] bool is_rival() const { return answer->rival && attempt == &*answer->rival; }
    };
    struct ModelState {
        scheduler::ServiceTime service;
        scheduler::Hedge hedge;
        std::uint64_t tokens = 0;  // since demand was last told
    };
    using AnswerKey = std::pair<http::RequestId, std::uint32_t>;

    void on(const Asked& event, Now now, Effects& effects);
    void on(const BatchAsked& event, Now now, Effects& effects);
    void on(const ClientGone& event, Now now, Effects& effects);
    void on(const Written& event, Now now, Effects& effects);
    void on(const Announced& event, Now now, Effects& effects);
    void on(const CarSaid& event, Now now, Effects& effects);
    void on(const CarLeft& event, Now now, Effects& effects);
    void on(const Unheard& event, Now now, Effects& effects);
    void on(const BusChanged& event, Now now, Effects& effects);
    void on(const OrderAnswered& event, Now now, Effects& effects);
    void on(const KeyBookChanged& event, Now now, Effects& effects);
    void on(const KeyBookConfirmed& event, Now now, Effects& effects);
    void on(const Stopping& event, Now now, Effects& effects);
    void on(const Tick& event, Now now, Effects& effects);

    // HTTP (gateway_http.cpp)
    void route(const http::Request& request, Now now, Effects& effects);
    void serve_model(const http::Request& request, std::string_view escaped, Now now,
                     Effects& effects);
    void order_signals(const http::Request& request, Now now, Effects& effects);
    void forward(const http::Request& request, Effects& effects);
    [[nodiscard]] bool authorised(const http::Request& request, Now now, Effects& effects);
    [[nodiscard]] std::vector<wire::ModelRow> model_rows() const;
    void respond(http::RequestId request, http::Response response, Now now, Effects& effects);
    // retry_after_s: of 429 and 503, said in words, too; 0: asking again is of no use.
    void refuse(http::RequestId request, const wire::ApiError& error, Now now, Effects& effects,
                std::optional<std::uint32_t> retry_after_s = std::nullopt);

    // the page (live_picture.cpp)
    void follow(const http::Request& request, Now now, Effects& effects);
    void put_notice(const http::Request& request, Now now, Effects& effects);
    void tend_live(Now now, Effects& effects);
    void serve_vehicle(const http::Request& request, std::string_view vehicle, Now now,
                       Effects& effects);
    [[nodiscard]] LivePicture live_picture(Now now);
    void tell_end(const Exchange& exchange, int status);
    void count_cars_left_out(Now now);
    static void add_to(LivePicture& picture, const Exchange& exchange);

    // the door (gateway_ask.cpp)
    void ask(const http::Request& request, core::Task task, Now now, Effects& effects);
    [[nodiscard]] std::optional<wire::ApiError> check_placement(const wire::ApiRequest& asked,
                                                                Caller& caller,
                                                                const http::Request& request,
                                                                CarNeeds& needs) const;
    // Without those that wait.
    [[nodiscard]] scheduler::Crowd crowd(const std::string& model, const CarNeeds& needs,
                                         Now now) const;
    [[nodiscard]] scheduler::AdmissionAnswer admit(scheduler::Crowd crowd,
                                                   const std::string& model) const;
    [[nodiscard]] static wire::ApiError nobody_error(const scheduler::Crowd& crowd);
    // True: it has failed.
    bool refuse_hopeless(Exchange& exchange, const Answer& answer, Now now, Effects& effects);
    [[nodiscard]] bool has_free_car(const std::string& model, const CarNeeds& needs) const;
    // The youngest line of a batch on a car that would do; null: there is none.
    [[nodiscard]] Exchange* line_in_the_way(const Exchange& client);
    void yield_to_clients(Now now, Effects& effects);
    [[nodiscard]] bool within_limits(const http::Request& request, std::uint64_t tokens, Now now,
                                     Effects& effects);
    void start(const http::Request& request, wire::ApiRequest asked, CarNeeds needs,
               std::uint64_t tokens_reserved, Now now, Effects& effects);
    void reject(http::RequestId request, const wire::ApiError& error, Now now, Effects& effects,
                std::optional<std::uint32_t> retry_after_s = std::nullopt);

    // placement (gateway_placement.cpp)
    void place(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    bool open(Exchange& exchange, Answer& answer, std::optional<OpenAttempt>& slot, Now now,
              Effects& effects);
    [[nodiscard]] OpenAttempt new_attempt(const Exchange& exchange, const Answer& answer,
                                          CarNumber number, Now now) const;
    void place_waiting(Now now, Effects& effects);
    void lose_attempt(Exchange& exchange, Answer& answer, scheduler::Ending ending,
                      std::string_view why, Now now, Effects& effects);
    void move_on(Exchange& exchange, Answer& answer, CarNumber from, std::string_view why, Now now,
                 Effects& effects);
    // All on this car but those of the given run of its agent.
    void lose_attempts_on(CarNumber car, std::optional<core::Incarnation> except,
                          std::string_view why, Now now, Effects& effects);
    void tend_waiting(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    void tend_hedge(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    // The rival has spoken first, or is the only one left.
    void promote_rival(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    void drop_rival(Exchange& exchange, Answer& answer, scheduler::Ending ending, Now now,
                    Effects& effects);
    void send_parts(OpenAttempt& attempt, std::size_t from, Effects& effects);

    // what cars say (gateway_stream.cpp)
    void take(Place& place, const core::Numbered& message, Now now, Effects& effects);
    void take(Place& place, const core::Alive& alive, Now now, Effects& effects);
    void take(Place& place, const core::Refused& refused, Now now, Effects& effects);
    void take(Exchange& exchange, Answer& answer, const core::Piece& piece, Now now,
              Effects& effects);
    void take(Exchange& exchange, Answer& answer, const core::Embedding& embedding, Now now,
              Effects& effects);
    void take(Exchange& exchange, Answer& answer, const core::Finished& finished, Now now,
              Effects& effects);
    void take(Exchange& exchange, Answer& answer, const core::Rejected& rejected, Now now,
              Effects& effects);
    void take(Exchange& exchange, Answer& answer, const core::Yielded& yielded, Now now,
              Effects& effects);
    void acknowledge(OpenAttempt& attempt, Now now, Effects& effects);
    void ask_again(OpenAttempt& attempt, Now now, Effects& effects);
    void tend_attempt(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    void tend_rival(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    void keep_in_touch(OpenAttempt& attempt, Now now, Effects& effects);
    [[nodiscard]] bool given_up(const OpenAttempt& attempt, Now now) const;
    void answer_stranger(const CarSaid& event, Effects& effects);

    // what clients get (gateway_pieces.cpp)
    void give(Exchange& exchange, Answer& answer, std::uint64_t sequence, const core::Piece& piece,
              Now now, Effects& effects);
    void give_held(Exchange& exchange, Answer& answer, Now now, Effects& effects);
    void note_progress(Exchange& exchange, Answer& answer, Now now);
    void begin(Exchange& exchange, Now now, Effects& effects);
    void write(Exchange& exchange, std::string bytes, Now now, Effects& effects);
    void end_answer(Exchange& exchange, Answer& answer, const core::Finished& finished, Now now,
                    Effects& effects);
    void end_exchange(Exchange& exchange, Now now, Effects& effects);
    bool hold_bytes(Exchange& exchange, std::size_t bytes, Now now, Effects& effects);
    bool tend_exchange(Exchange& exchange, Now now, Effects& effects);

    // ended attempts (gateway_settling.cpp)
    // tokens: that its last word brought.
    void settle(Exchange& exchange, Answer& answer, scheduler::Ending ending, std::uint32_t tokens,
                Now now, Effects& effects);
    void settle_written(const Written& event, Now now, Effects& effects);
    void tend_settling(Now now, Effects& effects);
    void stop_settling(http::RequestId request, Now now, Effects& effects);
    [[nodiscard]] const OpenAttempt* find_settling(const core::AttemptId& attempt) const;
    // Takes it out of the answer; what it brought is recorded unless it settles elsewhere.
    void close_attempt(Exchange& exchange, Answer& answer, std::optional<OpenAttempt>& slot,
                       scheduler::Ending ending, bool record, Now now, Effects& effects);
    // Takes the record out of the attempt, which is over.
    void record(Exchange* exchange, OpenAttempt& attempt, Now now, Effects& effects);

    // figures (gateway_metrics.cpp)
    void count_request(const Exchange& exchange, int status, const wire::Usage& told,
                       std::uint64_t output_tokens, Now now);
    void count_queue_wait(const Exchange& exchange, Now now);
    void count_lost_attempt(const Answer& answer, std::string_view why);
    void count_losses();

    // ends (gateway_core.cpp)
    void fail(Exchange& exchange, const wire::ApiError& error, Now now, Effects& effects,
              std::optional<std::uint32_t> retry_after_s = std::nullopt);
    void fail_without_capacity(Exchange& exchange, const Answer& answer, Now now, Effects& effects);
    void cancel_attempts(Exchange& exchange, Now now, Effects& effects);
    void finish(Exchange& exchange, int status, Now now, Effects& effects);
    void forget(http::RequestId request);
    [[nodiscard]] Place find(const core::AttemptId& attempt);
    void tell(const OpenAttempt& attempt, core::ToCar message, Effects& effects) const;
    void remember_closed(const OpenAttempt& attempt);
    [[nodiscard]] static wire::Usage usage(const Exchange& exchange);
    // Of clients.
    [[nodiscard]] std::size_t exchanges_waiting(const std::string& model) const;

    GatewayConfig config_;
    base::Prng prng_;
    KeyRing keys_;
    FleetView fleet_;
    scheduler::RateLimiter limiter_;
    std::map<std::string, ModelState> models_;
    bool connected_ = false;
    base::Instant cut_off_at_;    // meaningful while not connected
    base::Instant connected_at_;  // meaningful while connected
    base::WallTime started_at_;   // of the first event

    std::unordered_map<http::RequestId, Caller> callers_;  // until the response has its headers
    std::map<http::RequestId, Exchange> exchanges_;        // in the order of their coming
    std::set<AnswerKey> waiting_;                          // answers without an attempt
    std::size_t answers_open_ = 0;
    base::Instant yields_again_at_;  // lines of batches to clients
    std::unordered_map<core::AttemptId, AnswerKey> by_attempt_;
    Effects spare_;                          // empty: room for the next ones
    std::vector<http::RequestId> finished_;  // to be forgotten when the event is done
    std::size_t request_bytes_held_ = 0;

    // Ended attempts of which the client has not everything yet; may outlive their exchanges.
    std::map<http::RequestId, std::vector<OpenAttempt>> settling_;
    std::unordered_map<core::AttemptId, http::RequestId> settling_ids_;

    // Ended attempts: the last sequence, for cars that missed the last acknowledgement.
    std::unordered_map<core::AttemptId, std::uint64_t> closed_;
    std::deque<core::AttemptId> closed_order_;

    bool stopping_ = false;
    std::map<http::RequestId, std::uint64_t> leaving_;  // streams that Stopping ended: their bytes

    LiveDesk live_;
    NoticeBoard notices_;
    // Cars that no picture shows are counted once in a while only.
    struct LeftOut {
        wire::LiveTotals totals;
        std::uint64_t cars = 0;
        std::optional<base::Instant> counted_at;
    } left_out_;

    wire::GatewayFigures figures_;
    std::uint64_t announcements_taken_ = 0;
    std::uint64_t announcements_outdated_ = 0;
    bus::Losses bus_losses_;
    std::deque<double> gaps_ms_;
    std::unique_ptr<metrics::Registry> metrics_ = std::make_unique<metrics::Registry>();
    base::Instant demand_told_at_;
};

}  // namespace idlewatt::gateway
