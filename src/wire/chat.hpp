// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The OpenAI chat API as text: requests in, answers and events out. Hides nlohmann-json. Fields as
// documented by OpenAI, plus those that llama-server understands, which pass through untouched.
// Texts that go out may hold any bytes: what is not UTF-8 is replaced (U+FFFD), never invalid JSON.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/announcement.hpp"
#include "core/stream.hpp"

namespace idlewatt::wire {

struct ChatRequest {
    std::string model;  // empty: the default model
    bool stream = false;
    bool include_usage = false;
    std::string json;  // for the engine: the body as it came, but the role developer as system
};

// How deep and how large a request's JSON may be.
inline constexpr std::size_t chat_depth_max = 64;
inline constexpr std::size_t chat_values_max = 200'000;
inline constexpr std::size_t chat_stops_max = 4;

// Why a request is not served; always the client's to change (status 400).
struct ChatRefusal : base::Error {
    std::string code;       // "invalid_value", "unsupported_parameter"; empty: not JSON
    std::string parameter;  // as in messages[2].content; empty: the body as a whole
};

// Refuses what cannot be served: no messages, wrong types, features that are not supported.
[[nodiscard]] tl::expected<ChatRequest, ChatRefusal> parse_chat_request(std::string_view body);

// What all parts of one answer have in common.
struct AnswerHead {
    core::WorkId work;
    std::string model;
    base::WallTime created;
    bool include_usage = false;  // every chunk says "usage":null, as documented for that option
};

struct Usage {
    std::uint32_t prompt_tokens = 0;
    std::uint32_t completion_tokens = 0;
    std::uint32_t cached_tokens = 0;
};

// Server-sent events, each a whole "data: …\n\n".
[[nodiscard]] std::string role_event(const AnswerHead& head);
[[nodiscard]] std::string text_event(const AnswerHead& head, std::string_view text);
[[nodiscard]] std::string finish_event(const AnswerHead& head, core::FinishReason reason);
[[nodiscard]] std::string usage_event(const AnswerHead& head, const Usage& usage);
// In the middle of a stream; ends it without done_event(). The type follows from the code.
[[nodiscard]] std::string error_event(std::string_view code, std::string_view message);
[[nodiscard]] std::string done_event();
[[nodiscard]] std::string comment_event(std::string_view text);

// Whole bodies. An empty code is null.
[[nodiscard]] std::string chat_answer(const AnswerHead& head, std::string_view text,
                                      core::FinishReason reason, const Usage& usage);
[[nodiscard]] std::string error_body(std::string_view type, std::string_view code,
                                     std::string_view message);
// The body of the 400 that answers a refused request.
[[nodiscard]] std::string error_body(const ChatRefusal& refusal);
[[nodiscard]] std::string models_body(const std::vector<std::string>& models,
                                      base::WallTime created);

}  // namespace idlewatt::wire
