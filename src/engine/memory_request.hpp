// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the in-memory twin sees in a request, and what follows for its answer. Values only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stream.hpp"

namespace idlewatt::engine {

struct MemoryRequest {
    std::string complaint;  // why it is no request; empty: it is one
    std::optional<std::uint32_t> tokens_max;
    std::optional<std::uint32_t> top_logprobs;
    std::uint32_t reasoning_tokens = 0;
    std::optional<std::vector<std::string>> form;  // JSON in tokens
    bool calls_asked = false;
    bool calls_demanded = false;
    std::uint32_t words_before_calls = 0;
    std::uint32_t call_tokens = 0;
    std::vector<core::ToolCall> calls;
};

[[nodiscard]] MemoryRequest read_memory_request(std::string_view request_json, core::Task task,
                                                std::uint64_t seed);

}  // namespace idlewatt::engine
