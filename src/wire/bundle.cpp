// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/bundle.hpp"

#include <cstdint>
#include <optional>

#include "base/assert.hpp"

namespace idlewatt::wire {

namespace {

// FromCarBundle.messages in api/wire.proto: field 15, of bytes. No field of FromCar begins so.
constexpr char messages_tag = (15 << 3) | 2;
constexpr unsigned varint_bits = 7;
constexpr std::size_t messages_expected = 8;
constexpr unsigned length_bits_max = 21;  // bundle_bytes_max and more

void append_length(std::string& out, std::size_t length) {
    for (; length >= 0x80; length >>= varint_bits)
        out += static_cast<char>(0x80 | (length & 0x7F));
    out += static_cast<char>(length);
}

std::optional<std::size_t> take_length(std::string_view& bytes) {
    std::size_t length = 0;
    for (unsigned shift = 0; shift < length_bits_max && !bytes.empty(); shift += varint_bits) {
        const auto byte = static_cast<unsigned char>(bytes.front());
        bytes.remove_prefix(1);
        length |= static_cast<std::size_t>(byte & 0x7F) << shift;
        if (byte < 0x80)
            return length;
    }
    return std::nullopt;
}

}  // namespace

std::string bundle(std::span<const std::string> messages) {
    IDLEWATT_ASSERT(!messages.empty() && messages.size() <= bundle_messages_max);
    if (messages.size() == 1)
        return messages.front();
    std::size_t bytes = 0;
    for (const std::string& message : messages)
        bytes += message.size() + 4;
    std::string out;
    out.reserve(bytes);
    for (const std::string& message : messages) {
        out += messages_tag;
        append_length(out, message.size());
        out += message;
    }
    return out;
}

base::Result<std::vector<std::string_view>> unbundle(std::string_view bytes) {
    std::vector<std::string_view> messages;
    if (!bytes.starts_with(messages_tag)) {
        messages.push_back(bytes);
        return messages;
    }
    messages.reserve(messages_expected);
    while (!bytes.empty()) {
        const bool known = bytes.front() == messages_tag;
        bytes.remove_prefix(1);
        const auto length = known ? take_length(bytes) : std::nullopt;
        if (!length || *length > bytes.size() || messages.size() == bundle_messages_max) {
            return base::fail(base::ErrorKind::bad_input,
                              "FromCarBundle: the bytes are not 1 to " +
                                  std::to_string(bundle_messages_max) +
                                  " messages with their lengths; all are refused");
        }
        messages.push_back(bytes.substr(0, *length));
        bytes.remove_prefix(*length);
    }
    return messages;
}

}  // namespace idlewatt::wire
