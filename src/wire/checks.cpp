// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/checks.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

#include <google/protobuf/stubs/logging.h>

#include "core/announcement.hpp"
#include "core/model.hpp"

namespace idlewatt::wire {

namespace {

// protobuf prints to stderr when a text is not UTF-8; here that is an error like any other.
const auto silenced = google::protobuf::SetLogHandler(nullptr);

// Moves past one varint; false when there is none.
bool skip_varint(std::string_view& bytes, std::uint64_t& value) {
    value = 0;
    for (std::size_t i = 0; i < 10 && i < bytes.size(); ++i) {
        const auto byte = static_cast<unsigned char>(bytes[i]);
        value |= static_cast<std::uint64_t>(byte & 0x7f) << (7 * i);
        if (byte < 0x80) {
            bytes.remove_prefix(i + 1);
            return true;
        }
    }
    return false;
}

struct Field {
    std::uint32_t number = 0;
    std::string_view content;  // of a text, bytes or message
};

// Moves past one field; false when it is malformed. Groups are not used by us: malformed.
bool skip_field(std::string_view& bytes, Field& field) {
    std::uint64_t tag = 0;
    std::uint64_t length = 0;
    if (!skip_varint(bytes, tag))
        return false;
    field = {static_cast<std::uint32_t>(tag >> 3), {}};
    switch (tag & 7) {
        case 0:
            return skip_varint(bytes, length);
        case 1:
            length = 8;
            break;
        case 2:
            if (!skip_varint(bytes, length))
                return false;
            break;
        case 5:
            length = 4;
            break;
        default:
            return false;
    }
    if (length > bytes.size())
        return false;
    if ((tag & 7) == 2)
        field.content = bytes.substr(0, length);
    bytes.remove_prefix(length);
    return true;
}

bool is_control(char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
}

}  // namespace

bool is_model_name(std::string_view text) {
    return !text.empty() && text.size() <= core::model_name_bytes_max &&
           !std::ranges::any_of(text, is_control);
}

void Checks::id(std::string_view field, std::string_view text) {
    if (!core::is_id(text)) [[unlikely]] {
        broken(field, "a text of " + std::to_string(text.size()) + " bytes",
               "1 to 64 characters of [a-z0-9_-]");
    }
}

void Checks::model(std::string_view field, std::string_view text) {
    if (!is_model_name(text)) [[unlikely]] {
        broken(field, "a text of " + std::to_string(text.size()) + " bytes",
               "1 to 128 bytes without control characters");
    }
}

void Checks::text(std::string_view field, std::string_view text, std::size_t bytes_max) {
    if (text.size() > bytes_max || std::ranges::any_of(text, is_control)) [[unlikely]] {
        broken(field, "a text of " + std::to_string(text.size()) + " bytes",
               "at most " + std::to_string(bytes_max) + " bytes without control characters");
    }
}

void Checks::sha256(std::string_view field, std::string_view text) {
    if (!core::is_sha256(text)) [[unlikely]] {
        broken(field, "a text of " + std::to_string(text.size()) + " bytes",
               "64 hexadecimal digits in lower case");
    }
}

tl::unexpected<base::Error> Checks::error() const {
    return base::fail(base::ErrorKind::bad_input,
                      std::string(message_) + ": " + problem_ +
                          "; the message is refused: look for a sender of another version");
}

void Checks::broken(std::string_view field, std::string_view found, std::string_view expected) {
    if (!problem_.empty())
        return;
    problem_.append(field).append(" is ").append(found).append(", expected ").append(expected);
}

void Checks::out_of_range(std::string_view field, std::uint64_t found, std::uint64_t min,
                          std::uint64_t max) {
    broken(field, std::to_string(found), std::to_string(min) + " to " + std::to_string(max));
}

void Checks::out_of_range(std::string_view field, double found, double min, double max) {
    const auto text = [](double number) {
        std::array<char, 32> digits{};
        std::snprintf(digits.data(), digits.size(), "%.9g", number);
        return std::string(digits.data());
    };
    broken(field, text(found), text(min) + " to " + text(max));
}

base::Result<void> check_size(std::string_view bytes, const Bounds& bounds) {
    Checks checks(bounds.message);
    checks.number("its size in bytes", bytes.size(), 0, bounds.bytes_max);
    if (!checks.ok())
        return checks.error();
    std::size_t fields = 0;
    std::size_t inner_fields = 0;
    Field field;
    while (!bytes.empty()) {
        if (!skip_field(bytes, field))
            return malformed(bounds);
        if (++fields > bounds.fields_max) {
            checks.number("its number of fields", fields, 0, bounds.fields_max);
            return checks.error();
        }
        if (field.number != bounds.inner_field)
            continue;
        for (Field inner; !field.content.empty();) {
            if (!skip_field(field.content, inner))
                return malformed(bounds);
            if (++inner_fields > bounds.inner_fields_max) {
                checks.number("its number of inner fields", inner_fields, 0,
                              bounds.inner_fields_max);
                return checks.error();
            }
        }
    }
    return {};
}

tl::unexpected<base::Error> malformed(const Bounds& bounds) {
    return base::fail(base::ErrorKind::bad_input,
                      std::string(bounds.message) +
                          ": the bytes are not such a message of idlewatt.wire.v1, or a text in it "
                          "is not UTF-8; the message is refused");
}

std::string_view cut_to_fit(std::string_view text, std::size_t bytes_max) {
    if (text.size() <= bytes_max)
        return text;
    std::size_t end = bytes_max;
    while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
        --end;
    return text.substr(0, end);
}

}  // namespace idlewatt::wire
