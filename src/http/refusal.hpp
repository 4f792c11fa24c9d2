// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the servers answer by themselves, before a handler is asked.
#pragma once

#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

// As in RFC 9110; "Status" for a number that it does not name.
[[nodiscard]] std::string_view reason_phrase(int status);

// The API's error object, with a text that says what was found and what is expected. upload: of a
// request whose body was claimed, so that what is too large is a file.
[[nodiscard]] Response refusal(int status, const std::string& request_id, bool upload = false);

// "req_" and 24 hexadecimal digits.
[[nodiscard]] std::string request_id(base::Prng& prng);

// A status between 400 and 599 when a limit of http.hpp is broken, else 0.
[[nodiscard]] int refused_for_size(const Request& request,
                                   std::uint64_t body_bytes_allowed = body_bytes_max);

}  // namespace idlewatt::http
