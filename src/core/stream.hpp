// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a gateway and a car say to each other about one attempt. NATS delivers at most once and may
// drop silently, so everything that matters is numbered, acknowledged cumulatively and repeatable.
//
//   gateway                                   car
//   Open (request, part 0) [Body part 1..]  ─▶  collects the parts
//                                           ◀─  Refused, or Alive while it works
//                                           ◀─  Numbered{1} Numbered{2} …  (Piece | Finished | …)
//   Ack{n}: everything up to n is with the client; also the car's lease
//   Resend{n}: a gap was seen               ─▶  n, n+1, … once more
//   Cancel                                  ─▶  stops the engine, keeps the receipt
//
// Subjects carry cell, car, incarnation and attempt, so what belongs to an older run or try never
// reaches a newer one; see wire/subject.hpp.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "core/id.hpp"
#include "core/reason.hpp"
#include "core/resume_point.hpp"

namespace idlewatt::core {

inline constexpr std::size_t message_part_bytes_max = 256 * 1024;
inline constexpr std::size_t request_bytes_max = 16 * 1024 * 1024;
// A resume point rides with the request; both together are cut into parts.
inline constexpr std::size_t work_bytes_max = request_bytes_max + 4 * 1024 * 1024;
inline constexpr std::uint32_t work_parts_max =
    static_cast<std::uint32_t>(work_bytes_max / message_part_bytes_max) + 1;

// How many numbered messages, and bytes of them, a car may have unacknowledged.
inline constexpr std::uint32_t window_messages = 512;
inline constexpr std::size_t window_bytes = 512 * 1024;

inline constexpr base::Duration lease_duration = base::seconds(2);
inline constexpr base::Duration ack_period = base::milliseconds(400);
inline constexpr base::Duration alive_period = base::milliseconds(250);
static_assert(ack_period * 4 < lease_duration, "a lease survives three lost acknowledgements");

enum class Task {
    chat,        // messages in, one message out
    completion,  // one prompt in (text or token ids), its continuation out
    embedding,   // texts or token ids in, one vector each out
};

// The work itself: the client's request as JSON in OpenAI's form for the task (a completion has one
// prompt, n is 1), and how far its answer already is.
struct Work {
    WorkId id;
    std::string model;
    std::string request_json;
    ResumePoint resume;  // of an embedding: empty
    Task task = Task::chat;

    friend bool operator==(const Work&, const Work&) = default;
};

// ── gateway to car ──────────────────────────────────────────────────────────────────────────────

struct Open {
    GatewayId gateway;
    std::uint32_t parts = 1;       // of the encoded Work
    std::uint64_t work_bytes = 0;  // length of the encoded Work
    std::string part;              // part 0

    friend bool operator==(const Open&, const Open&) = default;
};

struct Body {
    std::uint32_t index = 0;  // 1 .. parts - 1
    std::string part;

    friend bool operator==(const Body&, const Body&) = default;
};

struct Ack {
    std::uint64_t sequence = 0;  // all up to here are with the client
    friend bool operator==(const Ack&, const Ack&) = default;
};

struct Resend {
    std::uint64_t from = 1;
    friend bool operator==(const Resend&, const Resend&) = default;
};

struct Cancel {
    friend bool operator==(const Cancel&, const Cancel&) = default;
};

using ToCar = std::variant<Open, Body, Ack, Resend, Cancel>;

// ── car to gateway ──────────────────────────────────────────────────────────────────────────────

// A call of a function of the client's. Always whole: a car keeps it back until it has all of it,
// so that nobody has seen a part when the car leaves.
struct ToolCall {
    std::string id;
    std::string name;
    std::string arguments_json;
    friend bool operator==(const ToolCall&, const ToolCall&) = default;
};
inline constexpr std::size_t tool_calls_max = 128;

// Some tokens of the answer. The ids are complete (ids.size() == token_count) or empty.
struct Piece {
    TokenIds ids;
    std::string text;  // valid UTF-8
    std::uint32_t token_count = 0;
    // What a reasoning model thinks aloud; not part of the text. Whole, before the text begins.
    std::string reasoning{};
    std::vector<ToolCall> tool_calls{};
    // Entries of OpenAI's logprobs.content, as a JSON array; empty: not asked for.
    std::string logprobs_json{};
    // Of the request alone, as Finished says it: whoever ends the answer may not be able to count
    // them any more. 0: not known yet.
    std::uint32_t prompt_tokens = 0;
    friend bool operator==(const Piece&, const Piece&) = default;
};

// The vector of one input.
struct Embedding {
    std::uint32_t index = 0;  // of the input, from 0
    std::string values;       // float32, little-endian
    friend bool operator==(const Embedding&, const Embedding&) = default;
};
inline constexpr std::uint32_t embedding_inputs_max = 2048;

enum class FinishReason { stop, length, tool_calls };

struct Finished {
    FinishReason reason = FinishReason::stop;
    std::uint32_t prompt_tokens = 0;     // of the request alone, without the resumed part
    std::uint32_t generated_tokens = 0;  // in this attempt, including those without text
    std::uint32_t cached_tokens = 0;     // of the prompt, found in the engine's cache
    friend bool operator==(const Finished&, const Finished&) = default;
};

// The client's own mistake as the engine saw it (4xx): never tried elsewhere.
struct Rejected {
    std::uint32_t http_status = 400;
    std::string message;
    friend bool operator==(const Rejected&, const Rejected&) = default;
};

// The car stops before the end; the answer goes on elsewhere.
struct Yielded {
    Reason reason = Reason::draining;
    friend bool operator==(const Yielded&, const Yielded&) = default;
};

struct Numbered {
    std::uint64_t sequence = 0;  // from 1, without holes
    std::variant<Piece, Embedding, Finished, Rejected, Yielded> content;
    friend bool operator==(const Numbered&, const Numbered&) = default;
};

// Not admitted: no slot, not ready, too large. Nothing was generated.
struct Refused {
    Reason reason = Reason::draining;
    bool busy = false;  // ready, but all slots are taken
    friend bool operator==(const Refused&, const Refused&) = default;
};

// Every alive_period while the attempt is open.
struct Alive {
    std::uint32_t parts_received = 0;  // without holes from 0
    std::uint64_t last_sequence = 0;   // the newest numbered message sent
    friend bool operator==(const Alive&, const Alive&) = default;
};

using FromCar = std::variant<Numbered, Refused, Alive>;

}  // namespace idlewatt::core
