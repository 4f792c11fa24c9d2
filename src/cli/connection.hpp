// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Whom a command talks to and how it asks: address and key from the settings (IDLEWATT_URL,
// IDLEWATT_COORDINATOR_URL, IDLEWATT_API_KEY), never from arguments, which other users can read.
// Blocking; for commands.
#pragma once

#include <functional>
#include <iosfwd>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "cli/exit_code.hpp"
#include "config/config.hpp"
#include "http/client.hpp"
#include "http/http.hpp"

namespace idlewatt::cli {

inline constexpr std::string_view default_url = "http://127.0.0.1:8080";

enum class Party { gateway, coordinator };
[[nodiscard]] std::string_view name(Party party);

struct Connection {
    std::string url;      // http(s)://host:port, without /v1 and without a slash at the end
    std::string api_key;  // empty: none is sent
    std::string ca_file{};
    Party party = Party::gateway;
};

using Environment = config::Environment;
[[nodiscard]] Environment process_environment();

// A trailing slash or /v1 (as OpenAI clients want it) is taken off.
[[nodiscard]] base::Result<Connection> connection_from(const config::Settings& settings,
                                                       Party party);
[[nodiscard]] base::Result<Connection> connection_from(const Environment& environment);

// The headers that every request on this connection carries.
[[nodiscard]] http::Headers request_headers(const Connection& connection);

// A call with address, key and certificates; the caller adds what it is about.
[[nodiscard]] http::Call call_to(const Connection& connection, const std::string& method,
                                 const std::string& path);

// One exchange; an error is a server that could not be reached or broke off, with what to do.
[[nodiscard]] base::Result<http::Response> ask(const Connection& connection,
                                               const std::string& method, const std::string& path,
                                               std::string body = {});
[[nodiscard]] base::Error not_reached(const Connection& connection, const base::Error& why);

// What an answer outside 2xx says of itself.
[[nodiscard]] std::string refusal_text(const http::Response& response);
// The next step after it; empty if there is none to name.
[[nodiscard]] std::string step_after(const Connection& connection, const http::Response& response);
// For an answer outside 2xx: says what, why and the next step, or with json the server's own
// error object, and gives the code to end with.
ExitCode report_refusal(const Connection& connection, const http::Response& response, bool json,
                        std::ostream& err);
ExitCode report_error(const base::Error& error, bool json, std::ostream& err);

}  // namespace idlewatt::cli
