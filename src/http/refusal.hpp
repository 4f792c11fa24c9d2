// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the servers answer by themselves, before a handler is asked.
#pragma once

#include <string_view>

#include "http/http.hpp"

namespace idlewatt::http {

// As in RFC 9110; "Status" for a number that it does not name.
[[nodiscard]] std::string_view reason_phrase(int status);

// A short plain text that says what was found and what is expected.
[[nodiscard]] Response refusal(int status);

// A status between 400 and 599 when a limit of http.hpp is broken, else 0.
[[nodiscard]] int refused_for_size(const Request& request);

}  // namespace idlewatt::http
