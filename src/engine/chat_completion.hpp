// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Translation between a client's chat and llama-server's /v1/chat/completions, which knows the
// syntax of each model's template: calls of functions, reasoning, pictures. Values only, no I/O.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "core/stream.hpp"
#include "engine/request.hpp"
#include "engine/server_events.hpp"

namespace idlewatt::engine {

// What the client has of an answer that goes on.
struct Said {
    std::string text;
    std::string reasoning;
    std::uint32_t tokens = 0;
};

// Body for /v1/chat/completions. An answer goes on as a last message that the engine continues.
[[nodiscard]] std::string chat_body(const Request& request, const Said& said);

// A part of a call, as the engine streams it.
struct CallPart {
    std::uint32_t index = 0;
    std::string id;
    std::string name;
    std::string arguments;
};

// What one event says.
struct ChatEvent {
    std::string text;
    std::string reasoning;
    std::vector<CallPart> calls;
    std::string logprobs_json;  // llama-server's entries, as a list; empty: none
    bool counts = false;
    std::uint32_t tokens_predicted = 0;
    std::uint32_t tokens_evaluated = 0;
    std::uint32_t cached_tokens = 0;
    std::optional<core::FinishReason> reason;  // of the last one with a choice
};

class ChatEvents {
public:
    void feed(std::string_view body) { events_.feed(body); }
    // The next whole event; nothing: more bytes are needed. An error is final.
    [[nodiscard]] base::Result<std::optional<std::variant<ChatEvent, EngineError>>> next();

private:
    ServerEvents events_;
};

// Calls as they grow. A call is whole when the answer is over and its arguments are JSON.
class CallBook {
public:
    void take(const CallPart& part);
    [[nodiscard]] bool empty() const { return calls_.empty(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    // Every whole call; one that was cut off is left out.
    [[nodiscard]] std::vector<core::ToolCall> whole() const;

private:
    std::vector<core::ToolCall> calls_;
    std::size_t bytes_ = 0;
};

}  // namespace idlewatt::engine
