// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/from_car_reader.hpp"

#include <algorithm>
#include <array>

#include "wire/chat_text.hpp"
#include "wire/plain_proto.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

// As numbered in api/wire.proto.
constexpr std::uint32_t piece_field = 1;
constexpr std::uint32_t finished_field = 2;
constexpr std::uint32_t sequence_field = 7;
constexpr std::uint32_t reason_stop = 1;
constexpr std::uint32_t reason_tool_calls = 3;

bool take_ids(const plain::Field& field, core::TokenIds& ids) {
    // The last byte of each number is the only one below 128.
    const auto count = std::ranges::count_if(
        field.bytes, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
    if (!field.has_bytes || count > piece_tokens_max)
        return false;
    ids.reserve(static_cast<std::size_t>(count));
    for (plain::Reader reader(field.bytes); !reader.at_end();) {
        const auto id = reader.varint();
        if (!id || *id > std::numeric_limits<std::int32_t>::max())
            return false;
        ids.push_back(static_cast<std::int32_t>(*id));
    }
    return true;
}

bool take_text(const plain::Field& field, std::string& text) {
    if (!field.has_bytes || field.bytes.size() > piece_text_bytes_max ||
        first_bad_utf8(field.bytes))
        return false;
    text = field.bytes;
    return true;
}

bool take_piece_field(const plain::Field& field, core::Piece& piece) {
    switch (field.number) {
        case 1:
            return take_ids(field, piece.ids);
        case 2:
            return take_text(field, piece.text);
        case 3:
            return plain::take_number(field, piece.token_count);
        case 4:
            return take_text(field, piece.reasoning);
        case 6:
            return take_text(field, piece.logprobs_json);
        case 7:
            return plain::take_number(field, piece.prompt_tokens);
        default:
            return false;
    }
}

bool read_plain_piece(std::string_view bytes, core::Piece& piece) {
    for (plain::Reader reader(bytes); !reader.at_end();) {
        const auto field = reader.next();
        if (!field || !take_piece_field(*field, piece))
            return false;
    }
    return piece.token_count <= piece_tokens_max &&
           (piece.ids.empty() || piece.ids.size() == piece.token_count);
}

bool take_finished_field(const plain::Field& field, core::Finished& finished,
                         std::uint32_t& reason) {
    switch (field.number) {
        case 1:
            return plain::take_number(field, reason);
        case 2:
            return plain::take_number(field, finished.prompt_tokens);
        case 3:
            return plain::take_number(field, finished.generated_tokens);
        case 4:
            return plain::take_number(field, finished.cached_tokens);
        default:
            return false;
    }
}

bool read_plain_end(std::string_view bytes, core::Finished& finished) {
    std::uint32_t reason = 0;
    for (plain::Reader reader(bytes); !reader.at_end();) {
        const auto field = reader.next();
        if (!field || !take_finished_field(*field, finished, reason))
            return false;
    }
    constexpr std::array reasons{core::FinishReason::stop, core::FinishReason::length,
                                 core::FinishReason::tool_calls};
    if (reason < reason_stop || reason > reason_tool_calls)
        return false;
    finished.reason = reasons[reason - reason_stop];
    return true;
}

}  // namespace

std::optional<core::FromCar> read_from_car(std::string_view bytes) {
    if (bytes.size() > from_car_bytes_max)
        return std::nullopt;
    std::optional<core::FromCar> said(std::in_place, std::in_place_type<core::Numbered>);
    auto& numbered = std::get<core::Numbered>(*said);
    bool sound = false;
    for (plain::Reader reader(bytes); !reader.at_end();) {
        const auto field = reader.next();
        if (!field)
            return std::nullopt;
        if (field->number == piece_field && field->has_bytes && !sound) {
            sound = read_plain_piece(field->bytes, std::get<core::Piece>(numbered.content));
        } else if (field->number == finished_field && field->has_bytes && !sound) {
            sound = read_plain_end(field->bytes, numbered.content.emplace<core::Finished>());
        } else if (field->number == sequence_field && !field->has_bytes) {
            numbered.sequence = field->value;
        } else {
            return std::nullopt;
        }
        if (!sound)
            return std::nullopt;
    }
    if (!sound || numbered.sequence == 0)
        return std::nullopt;
    return said;
}

}  // namespace idlewatt::wire
