// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The conversation about one attempt. FromCar with a Piece is the hot path: one a token.
#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/from_car_reader.hpp"
#include "wire/plain_proto.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds to_car_bounds{"ToCar", core::message_part_bytes_max + 4096, 8};
// A tool call of two bytes would be eighty in memory, so they are counted first.
constexpr Bounds from_car_bounds{"FromCar", from_car_bytes_max, 8, v1::FromCar::kPieceFieldNumber,
                                 core::tool_calls_max + 32};

static_assert(piece_tokens_max * 10ULL + piece_text_bytes_max + 4096 <= from_car_bounds.bytes_max,
              "a piece within its bounds fits, at ten bytes for a negative token id");

// Tags, lengths and numbers of a message that goes to a car.
constexpr std::size_t message_overhead_max = 48;

// ── gateway to car ──────────────────────────────────────────────────────────────────────────────

struct ToCarWriter {
    std::string& out;

    void operator()(const core::Open& open) const {
        std::string message;
        message.reserve(open.gateway.value.size() + open.part.size() + message_overhead_max);
        plain::append_bytes(message, v1::Open::kGatewayFieldNumber, open.gateway.value);
        plain::append_number(message, v1::Open::kPartsFieldNumber, open.parts);
        plain::append_number(message, v1::Open::kWorkBytesFieldNumber, open.work_bytes);
        plain::append_bytes(message, v1::Open::kPartFieldNumber, open.part);
        say(v1::ToCar::kOpenFieldNumber, message);
    }
    void operator()(const core::Body& body) const {
        std::string message;
        message.reserve(body.part.size() + message_overhead_max);
        plain::append_number(message, v1::Body::kIndexFieldNumber, body.index);
        plain::append_bytes(message, v1::Body::kPartFieldNumber, body.part);
        say(v1::ToCar::kBodyFieldNumber, message);
    }
    void operator()(const core::Ack& ack) const {
        std::string message;
        plain::append_number(message, v1::Ack::kSequenceFieldNumber, ack.sequence);
        say(v1::ToCar::kAckFieldNumber, message);
    }
    void operator()(const core::Resend& resend) const {
        std::string message;
        plain::append_number(message, v1::Resend::kFromFieldNumber, resend.from);
        say(v1::ToCar::kResendFieldNumber, message);
    }
    void operator()(const core::Cancel&) const { say(v1::ToCar::kCancelFieldNumber, {}); }

    void say(std::uint32_t kind, std::string_view message) const {
        out.reserve(message.size() + message_overhead_max);
        plain::append_message(out, kind, message);
    }
};

core::ToCar read_open(v1::Open& message, Checks& checks) {
    checks.id("open.gateway", message.gateway());
    checks.number("open.parts", message.parts(), 1, core::work_parts_max);
    checks.number("open.work_bytes", message.work_bytes(), 1, core::work_bytes_max);
    checks.number("open.part's length", message.part().size(), 1, core::message_part_bytes_max);
    checks.number("open.work_bytes", message.work_bytes(), message.part().size(),
                  message.parts() * std::uint64_t{core::message_part_bytes_max});
    return core::Open{core::GatewayId(std::move(*message.mutable_gateway())), message.parts(),
                      message.work_bytes(), std::move(*message.mutable_part())};
}

core::ToCar read_body(v1::Body& message, Checks& checks) {
    checks.number("body.index", message.index(), 1, core::work_parts_max - 1);
    checks.number("body.part's length", message.part().size(), 1, core::message_part_bytes_max);
    return core::Body{message.index(), std::move(*message.mutable_part())};
}

// ── car to gateway ──────────────────────────────────────────────────────────────────────────────

struct FromCarWriter {
    v1::FromCar& out;

    void operator()(const core::Piece& piece) const {
        v1::Piece& message = *out.mutable_piece();
        message.mutable_ids()->Add(piece.ids.begin(), piece.ids.end());
        message.set_text(piece.text);
        message.set_token_count(piece.token_count);
        message.set_reasoning(piece.reasoning);
        for (const core::ToolCall& call : piece.tool_calls) {
            v1::ToolCall& out_call = *message.add_tool_calls();
            out_call.set_id(call.id);
            out_call.set_name(call.name);
            out_call.set_arguments_json(call.arguments_json);
        }
        message.set_logprobs_json(piece.logprobs_json);
        message.set_prompt_tokens(piece.prompt_tokens);
    }
    void operator()(const core::Embedding& embedding) const {
        out.mutable_embedding()->set_index(embedding.index);
        out.mutable_embedding()->set_values(embedding.values);
    }
    void operator()(const core::Finished& finished) const {
        v1::Finished& message = *out.mutable_finished();
        message.set_reason(to_wire(finished.reason));
        message.set_prompt_tokens(finished.prompt_tokens);
        message.set_generated_tokens(finished.generated_tokens);
        message.set_cached_tokens(finished.cached_tokens);
    }
    void operator()(const core::Rejected& rejected) const {
        out.mutable_rejected()->set_http_status(rejected.http_status);
        out.mutable_rejected()->set_message(
            std::string(cut_to_fit(rejected.message, error_text_bytes_max)));
    }
    void operator()(const core::Yielded& yielded) const {
        out.mutable_yielded()->set_reason(to_wire(yielded.reason));
    }
    void operator()(const core::Numbered& numbered) const {
        out.set_sequence(numbered.sequence);
        std::visit(*this, numbered.content);
    }
    void operator()(const core::Refused& refused) const {
        out.mutable_refused()->set_reason(to_wire(refused.reason));
        out.mutable_refused()->set_busy(refused.busy);
    }
    void operator()(const core::Alive& alive) const {
        out.mutable_alive()->set_parts_received(alive.parts_received);
        out.mutable_alive()->set_last_sequence(alive.last_sequence);
    }
};

std::vector<core::ToolCall> read_tool_calls(v1::Piece& message, Checks& checks) {
    checks.number("the number of tool calls", static_cast<std::size_t>(message.tool_calls_size()),
                  0, core::tool_calls_max);
    std::vector<core::ToolCall> calls;
    if (!checks.ok())
        return calls;
    for (v1::ToolCall& call : *message.mutable_tool_calls()) {
        checks.number("tool_call.id's length", call.id().size(), 0, tool_name_bytes_max);
        checks.number("tool_call.name's length", call.name().size(), 1, tool_name_bytes_max);
        checks.number("tool_call.arguments_json's length", call.arguments_json().size(), 0,
                      piece_text_bytes_max);
        calls.push_back({std::move(*call.mutable_id()), std::move(*call.mutable_name()),
                         std::move(*call.mutable_arguments_json())});
    }
    return calls;
}

core::Piece read_piece(v1::Piece& message, Checks& checks) {
    const auto ids = static_cast<std::size_t>(message.ids_size());
    checks.number("piece.token_count", message.token_count(), 0, piece_tokens_max);
    checks.that(ids == 0 || ids == message.token_count(), "piece.ids",
                "as many as token_count, or none");
    checks.number("piece.text's length", message.text().size(), 0, piece_text_bytes_max);
    checks.number("piece.reasoning's length", message.reasoning().size(), 0, piece_text_bytes_max);
    checks.number("piece.logprobs_json's length", message.logprobs_json().size(), 0,
                  piece_text_bytes_max);
    return core::Piece{core::TokenIds(message.ids().begin(), message.ids().end()),
                       std::move(*message.mutable_text()),
                       message.token_count(),
                       std::move(*message.mutable_reasoning()),
                       read_tool_calls(message, checks),
                       std::move(*message.mutable_logprobs_json()),
                       message.prompt_tokens()};
}

core::Embedding read_embedding(v1::Embedding& message, Checks& checks) {
    checks.number("embedding.index", message.index(), 0, core::embedding_inputs_max - 1);
    checks.number("embedding.values' length", message.values().size(), 4, piece_text_bytes_max);
    checks.that(message.values().size() % 4 == 0, "embedding.values", "whole float32 numbers");
    return core::Embedding{message.index(), std::move(*message.mutable_values())};
}

core::Finished read_finished(const v1::Finished& message, Checks& checks) {
    const std::optional<core::FinishReason> reason = from_wire(message.reason());
    checks.that(reason.has_value(), "finished.reason", "stop, length or tool_calls");
    return core::Finished{reason.value_or(core::FinishReason::stop), message.prompt_tokens(),
                          message.generated_tokens(), message.cached_tokens()};
}

core::Rejected read_rejected(v1::Rejected& message, Checks& checks) {
    checks.number("rejected.http_status", message.http_status(), 400, 499);
    checks.number("rejected.message's length", message.message().size(), 0, error_text_bytes_max);
    return core::Rejected{message.http_status(), std::move(*message.mutable_message())};
}

core::Reason read_reason(v1::Reason found, Checks& checks) {
    const std::optional<core::Reason> reason = from_wire(found);
    checks.that(reason.has_value(), "reason", "one of api/reasons.toml");
    return reason.value_or(core::Reason::unreachable);
}

}  // namespace

std::string encode(const core::ToCar& message) {
    std::string out;
    std::visit(ToCarWriter{out}, message);
    return out;
}

base::Result<core::ToCar> decode_to_car(std::string_view bytes) {
    v1::ToCar in;
    if (base::Result<void> parsed = parse(in, bytes, to_car_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(to_car_bounds.message);
    core::ToCar message;
    switch (in.content_case()) {
        case v1::ToCar::kOpen:
            message = read_open(*in.mutable_open(), checks);
            break;
        case v1::ToCar::kBody:
            message = read_body(*in.mutable_body(), checks);
            break;
        case v1::ToCar::kAck:
            message = core::Ack{in.ack().sequence()};
            break;
        case v1::ToCar::kResend:
            checks.number("resend.from", in.resend().from(), 1, UINT64_MAX);
            message = core::Resend{in.resend().from()};
            break;
        case v1::ToCar::kCancel:
            message = core::Cancel{};
            break;
        case v1::ToCar::CONTENT_NOT_SET:
            checks.that(false, "content", "one of its kinds");
    }
    if (!checks.ok())
        return checks.error();
    return message;
}

std::string encode(const core::FromCar& message) {
    v1::FromCar out;
    std::visit(FromCarWriter{out}, message);
    return out.SerializeAsString();
}

base::Result<core::FromCar> decode_from_car(std::string_view bytes) {
    if (auto said = read_from_car(bytes))
        return std::move(*said);
    return read_from_car_by_library(bytes);
}

base::Result<core::FromCar> read_from_car_by_library(std::string_view bytes) {
    v1::FromCar in;
    if (base::Result<void> parsed = parse(in, bytes, from_car_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(from_car_bounds.message);
    bool numbered = true;
    core::FromCar message = core::Numbered{in.sequence(), {}};
    auto& content = std::get<core::Numbered>(message).content;
    switch (in.content_case()) {
        case v1::FromCar::kPiece:
            content = read_piece(*in.mutable_piece(), checks);
            break;
        case v1::FromCar::kEmbedding:
            content = read_embedding(*in.mutable_embedding(), checks);
            break;
        case v1::FromCar::kFinished:
            content = read_finished(in.finished(), checks);
            break;
        case v1::FromCar::kRejected:
            content = read_rejected(*in.mutable_rejected(), checks);
            break;
        case v1::FromCar::kYielded:
            content = core::Yielded{read_reason(in.yielded().reason(), checks)};
            break;
        case v1::FromCar::kRefused:
            message =
                core::Refused{read_reason(in.refused().reason(), checks), in.refused().busy()};
            numbered = false;
            break;
        case v1::FromCar::kAlive:
            checks.number("alive.parts_received", in.alive().parts_received(), 0,
                          core::work_parts_max);
            message = core::Alive{in.alive().parts_received(), in.alive().last_sequence()};
            numbered = false;
            break;
        case v1::FromCar::CONTENT_NOT_SET:
            checks.that(false, "content", "one of its kinds");
    }
    checks.that((in.sequence() != 0) == numbered, "sequence",
                "1 or more in a numbered message, absent in others");
    if (!checks.ok())
        return checks.error();
    return message;
}

}  // namespace idlewatt::wire
