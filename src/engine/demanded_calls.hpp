// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Calls that a client demands (tool_choice required, or a function by name). A template's own
// syntax leaves it to the model when it calls, and some never do. So the whole answer is bound to a
// schema of ours, a list of calls, and read back here. Values only, no I/O.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/stream.hpp"
#include "engine/engine_json.hpp"

namespace idlewatt::engine {

// Of one answer, where several are allowed; a model need not know when to stop.
inline constexpr std::uint32_t demanded_calls_max = 8;

// As fields of the engine's: an object with json_schema. tools: OpenAI's, each of them with a name.
[[nodiscard]] std::string demanded_calls_form(const Json& tools, bool several);

// What such an answer says. Of one that was cut: the calls before the cut that are whole.
[[nodiscard]] std::vector<core::ToolCall> read_demanded_calls(
    std::string_view text, const std::function<std::string()>& make_id);

// A call of such an answer has arguments that are no object: the client's schema for them allows
// something else.
[[nodiscard]] bool calls_without_object(std::string_view text);

}  // namespace idlewatt::engine
