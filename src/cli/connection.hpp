// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which gateway a command talks to and how it asks: address and key from the environment
// (IDLEWATT_URL, IDLEWATT_API_KEY), never from arguments, which other users can read.
// Blocking; for commands.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/exit_code.hpp"
#include "http/http.hpp"

namespace idlewatt::cli {

inline constexpr std::string_view default_url = "http://127.0.0.1:8080";

struct Connection {
    std::string url;      // http://host:port, without /v1 and without a slash at the end
    std::string api_key;  // empty: none is sent
};

using Environment = std::function<std::optional<std::string>(std::string_view name)>;
[[nodiscard]] Environment process_environment();

// A trailing slash or /v1 (as OpenAI clients want it) is taken off.
[[nodiscard]] base::Result<Connection> connection_from(const Environment& environment);

// The headers that every request to this gateway carries.
[[nodiscard]] http::Headers request_headers(const Connection& connection);

// One exchange; an error is a gateway that could not be reached or broke off, with what to do.
[[nodiscard]] base::Result<http::Response> ask(const Connection& connection,
                                               const std::string& method, const std::string& path,
                                               std::string body = {});

// For an answer outside 2xx: says what, why and the next step, or with json the gateway's own
// error object, and gives the code to end with.
ExitCode report_refusal(const http::Response& response, bool json, std::ostream& err);
ExitCode report_error(const base::Error& error, bool json, std::ostream& err);

}  // namespace idlewatt::cli
