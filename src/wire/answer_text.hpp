// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Parts that events and whole bodies of an answer share. Only for the sources of this module.
#pragma once

#include <string>
#include <string_view>

#include "wire/answer.hpp"

namespace idlewatt::wire {

[[nodiscard]] std::string_view finish_name(core::FinishReason reason);

// {"id":…,"object":…,"created":…,"model":…,"system_fingerprint":…,
void append_head(std::string& out, const AnswerHead& head, std::string_view object);
// "service_tier":…, if it is known
void append_tier(std::string& out, const AnswerHead& head);
// "usage":{…}
void append_usage_object(std::string& out, const Usage& usage);
// "function":{"name":…,"arguments":…}
void append_function(std::string& out, std::string_view name, std::string_view arguments_json);

}  // namespace idlewatt::wire
