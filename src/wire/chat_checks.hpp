// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only chat requests have. Each function may rewrite the document into what an engine
// understands and says so by setting rewritten. Only for the sources of this module.
#pragma once

#include "wire/request_checks.hpp"

namespace idlewatt::wire {

struct ChatDocument {
    RequestJson json;
    bool rewritten = false;
};

// Roles, contents, parts, earlier calls; sets has_images.
[[nodiscard]] Objection read_messages(ChatDocument& document, ApiRequest& request);
// tools, tool_choice, parallel_tool_calls, and the legacy functions; sets wants_tools.
[[nodiscard]] Objection read_tools(ChatDocument& document, ApiRequest& request);
// response_format and the engine's own ways to bind an answer; sets wants_schema.
[[nodiscard]] Objection read_format(const RequestJson& document, ApiRequest& request);

}  // namespace idlewatt::wire
