// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How decoding refuses: the size first, then the number of fields, then protobuf, then each bound.
// Only for the sources of this module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "core/id.hpp"

namespace idlewatt::wire {

[[nodiscard]] bool is_model_name(std::string_view text);

// Remembers the first broken bound of one message.
class Checks {
public:
    explicit Checks(std::string_view message) : message_(message) {}

    void that(bool holds, std::string_view field, std::string_view expected) {
        if (!holds) [[unlikely]]
            broken(field, "another value", expected);
    }

    void number(std::string_view field, std::uint64_t found, std::uint64_t min, std::uint64_t max) {
        if (found < min || found > max) [[unlikely]]
            out_of_range(field, found, min, max);
    }

    // Also refuses what is not finite.
    void real(std::string_view field, double found, double min, double max) {
        if (!(found >= min && found <= max)) [[unlikely]]
            out_of_range(field, found, min, max);
    }

    void id(std::string_view field, std::string_view text);
    void model(std::string_view field, std::string_view text);
    void optional_id(std::string_view field, std::string_view text) {
        if (!text.empty())
            id(field, text);
    }
    // For people to read: may be empty, has no control characters.
    void text(std::string_view field, std::string_view text, std::size_t bytes_max);
    void sha256(std::string_view field, std::string_view text);

    [[nodiscard]] bool ok() const { return problem_.empty(); }
    [[nodiscard]] tl::unexpected<base::Error> error() const;

private:
    void broken(std::string_view field, std::string_view found, std::string_view expected);
    void out_of_range(std::string_view field, std::uint64_t found, std::uint64_t min,
                      std::uint64_t max);
    void out_of_range(std::string_view field, double found, double min, double max);

    std::string_view message_;
    std::string problem_;
};

struct Bounds {
    std::string_view message;  // its name in api/wire.proto
    std::size_t bytes_max;
    std::size_t fields_max;  // of the outermost message, counting each of a repeated field
    // The one field, if any, that is a message with a repeated message in it.
    std::uint32_t inner_field = 0;
    std::size_t inner_fields_max = 0;
};

// An empty string field costs two bytes on the wire and forty in memory, so fields are counted
// before protobuf makes anything of them.
[[nodiscard]] base::Result<void> check_size(std::string_view bytes, const Bounds& bounds);
[[nodiscard]] tl::unexpected<base::Error> malformed(const Bounds& bounds);

template <class Message>
[[nodiscard]] base::Result<void> parse(Message& message, std::string_view bytes,
                                       const Bounds& bounds) {
    if (base::Result<void> size = check_size(bytes, bounds); !size)
        return size;
    if (!message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
        return malformed(bounds);
    }
    return {};
}

// The longest beginning of the text that fits and does not cut a character.
[[nodiscard]] std::string_view cut_to_fit(std::string_view text, std::size_t bytes_max);

}  // namespace idlewatt::wire
