// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// protobuf's encoding by hand, for the few messages of which each token or each answer makes some:
// the library would build an object of its own for each. What these write is what the library
// writes; what they read, the library reads alike. Only for the sources and tests of this module.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

namespace idlewatt::wire::plain {

inline constexpr unsigned varint_bits = 7;
inline constexpr unsigned varint_bytes_max = 9;  // of those that are read here
inline constexpr std::uint32_t kind_number = 0;
inline constexpr std::uint32_t kind_bytes = 2;

// ── writing; like the library, fields in the order of their numbers, defaults left out ──────────

inline void append_varint(std::string& out, std::uint64_t value) {
    for (; value >= 0x80; value >>= varint_bits)
        out += static_cast<char>(0x80 | (value & 0x7F));
    out += static_cast<char>(value);
}

// Of fields below 16: their tags are one byte.
inline void append_tag(std::string& out, std::uint32_t field, std::uint32_t kind) {
    out += static_cast<char>(field << 3U | kind);
}

inline void append_number(std::string& out, std::uint32_t field, std::uint64_t value) {
    if (value == 0)
        return;
    append_tag(out, field, kind_number);
    append_varint(out, value);
}

// Of a member of a oneof, whose presence is said even where it is empty.
inline void append_message(std::string& out, std::uint32_t field, std::string_view bytes) {
    append_tag(out, field, kind_bytes);
    append_varint(out, bytes.size());
    out += bytes;
}

inline void append_bytes(std::string& out, std::uint32_t field, std::string_view bytes) {
    if (!bytes.empty())
        append_message(out, field, bytes);
}

// ── reading ─────────────────────────────────────────────────────────────────────────────────────

struct Field {
    std::uint32_t number = 0;
    std::uint64_t value = 0;   // of a number
    std::string_view bytes{};  // of what has a length
    bool has_bytes = false;
};

// Field by field through one message. Nothing where it is not as a writer like the one above would
// have made it; the library must then say what it is.
class Reader {
public:
    explicit Reader(std::string_view bytes) : at_(bytes.data()), end_(at_ + bytes.size()) {}

    [[nodiscard]] bool at_end() const { return at_ == end_; }

    [[nodiscard]] std::optional<std::uint64_t> varint() {
        std::uint64_t value = 0;
        for (unsigned i = 0; i < varint_bytes_max && at_ != end_; ++i) {
            const auto byte = static_cast<unsigned char>(*at_++);
            value |= static_cast<std::uint64_t>(byte & 0x7FU) << (varint_bits * i);
            if (byte < 0x80)
                return value;
        }
        return std::nullopt;
    }

    // Each field of a message at most once, in the order of their numbers.
    [[nodiscard]] std::optional<Field> next() {
        const auto tag = static_cast<unsigned char>(*at_);
        Field field;
        field.number = tag >> 3U;
        field.has_bytes = (tag & 7U) == kind_bytes;
        if (tag >= 0x80 || field.number <= last_ || (!field.has_bytes && (tag & 7U) != kind_number))
            return std::nullopt;
        last_ = field.number;
        ++at_;
        const auto value = varint();
        if (!value)
            return std::nullopt;
        field.value = *value;
        if (!field.has_bytes)
            return field;
        if (*value > static_cast<std::uint64_t>(end_ - at_))
            return std::nullopt;
        field.bytes = {at_, static_cast<std::size_t>(*value)};
        at_ += *value;
        return field;
    }

private:
    const char* at_;
    const char* end_;
    std::uint32_t last_ = 0;
};

// False: it is not such a number, or too large.
[[nodiscard]] inline bool take_number(const Field& field, std::uint32_t& number) {
    number = static_cast<std::uint32_t>(field.value);
    return !field.has_bytes && field.value <= std::numeric_limits<std::uint32_t>::max();
}

}  // namespace idlewatt::wire::plain
