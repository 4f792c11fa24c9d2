// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Everything that can happen to a gateway, and everything that it can cause.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "bus/bus.hpp"
#include "core/core.hpp"
#include "http/http.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt::gateway {

// Lines of batches have request ids of their own, behind all that a server gives: in every list
// those of clients come first.
inline constexpr auto batch_requests_begin = http::RequestId{std::uint64_t{1} << 63};
[[nodiscard]] constexpr bool is_batch(http::RequestId request) {
    return request >= batch_requests_begin;
}

// ── events ──────────────────────────────────────────────────────────────────────────────────────

struct Asked {
    http::Request request;
};
// A line of a batch, as if the key's owner had sent it by HTTP, without streaming: its whole answer
// comes as Respond. It is not charged against the key's limits, and is not begun unless a car that
// may have it is free now (BatchDeferred).
struct BatchAsked {
    http::RequestId request;  // is_batch()
    core::KeyId key;
    core::Task task = core::Task::chat;
    std::string body;
};
// Also of a line of a batch that nobody wants any more.
struct ClientGone {
    http::RequestId request;
};
struct Written {
    http::RequestId request;
    std::uint64_t bytes = 0;  // of this response, since its beginning
};
struct Announced {
    core::Announcement announcement;
    std::string fleet{};  // that its membership proves, verified; empty: none
};
struct CarSaid {
    wire::OutAddress from;
    core::FromCar message;
};
struct CarLeft {
    core::VehicleId vehicle;
    core::Incarnation incarnation;
};
// Nobody is subscribed to what was said to this attempt.
struct Unheard {
    core::AttemptId attempt;
};
struct BusChanged {
    bool connected = false;
};
struct OrderAnswered {
    http::RequestId request;
    bus::ReplyStatus status = bus::ReplyStatus::timed_out;
    wire::OrderAnswer answer;
};
// The coordinator handed out another book of keys, or one was found on the disk.
struct KeyBookChanged {
    core::KeyBook book;
};
// The coordinator says that the known book is still the newest.
struct KeyBookConfirmed {
    base::WallTime issued_at;
};
// The program is about to end: nothing new is taken, and clients are told what becomes of the rest.
struct Stopping {};
struct Tick {};

using Event =
    std::variant<Asked, BatchAsked, ClientGone, Written, Announced, CarSaid, CarLeft, Unheard,
                 BusChanged, OrderAnswered, KeyBookChanged, KeyBookConfirmed, Stopping, Tick>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct Respond {
    http::RequestId request;
    http::Response response;
};
struct BeginResponse {
    http::RequestId request;
    http::Response response;
};
struct WriteResponse {
    http::RequestId request;
    std::string bytes;
};
struct EndResponse {
    http::RequestId request;
};
struct AbortResponse {
    http::RequestId request;
};
struct Tell {
    core::VehicleId vehicle;
    core::Incarnation incarnation;
    core::AttemptId attempt;
    core::ToCar message;
    bool report_unheard = false;
};
struct OrderSignals {
    http::RequestId request;
    core::VehicleId vehicle;
    wire::SignalOverride order;
};
// What one attempt brought to its client: to be signed, kept and delivered.
struct Record {
    core::Delivery delivery;
};
// To be handed on to the coordinator; its answer gets these headers, too.
struct Forward {
    http::Request request;
    http::Headers headers;
};
// No car is free for it: nothing was begun, or a client needed the car. To be asked again later.
struct BatchDeferred {
    http::RequestId request;
    bool begun = false;
};

using Effect = std::variant<Respond, BeginResponse, WriteResponse, EndResponse, AbortResponse, Tell,
                            OrderSignals, Record, Forward, BatchDeferred>;
using Effects = std::vector<Effect>;

}  // namespace idlewatt::gateway
