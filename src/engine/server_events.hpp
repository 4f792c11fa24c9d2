// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Takes the events out of a body that llama-server streams, and the engine's own words out of its
// errors. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace idlewatt::engine {

struct EngineError {
    std::uint32_t status = 500;
    std::string message;
};

struct ServerEvent {
    bool is_error = false;
    std::string_view json;  // until the next call
};

class ServerEvents {
public:
    static constexpr std::size_t event_bytes_max = 8 * 1024 * 1024;

    void feed(std::string_view body) { pending_.append(body); }
    // The next whole event; nothing: more bytes are needed. An error is final.
    [[nodiscard]] base::Result<std::optional<ServerEvent>> next();

private:
    std::string pending_;
    std::size_t begin_ = 0;
};

// From an error body, or the body's beginning.
[[nodiscard]] std::string error_message(std::string_view response_json);
// From an event that is an error; nothing: it is none.
[[nodiscard]] std::optional<EngineError> event_error(const ServerEvent& event);

}  // namespace idlewatt::engine
