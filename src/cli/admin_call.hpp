// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One question of a command, with everything that can go wrong said in one way: not reached,
// refused, an answer that is not understood.
#pragma once

#include <iosfwd>
#include <string>
#include <utility>

#include <tl/expected.hpp>

#include "cli/connection.hpp"
#include "cli/context.hpp"
#include "cli/exit_code.hpp"

namespace idlewatt::cli {

// Where a command writes and whether it is read by a program.
struct Output {
    std::ostream& out;  // data
    std::ostream& err;  // all else
    bool json = false;
};

struct Question {
    std::string method = "GET";
    std::string path;
    std::string body{};
    std::string where_to_look{};  // for people, when there is no such object
};

// Where a secret goes that is shown once; an empty path: stdout.
struct SecretFile {
    std::string path{};
    bool force = false;  // also over a file that is there
};

// The answer's body, or the code to end with when there is none (and it was said why).
[[nodiscard]] tl::expected<std::string, ExitCode> ask_for_body(const Connection& connection,
                                                               const Question& question,
                                                               const Output& output);
ExitCode report_not_understood(const base::Error& error, const Output& output);

// parse: base::Result<T>(std::string_view body).
template <class Parse>
auto ask_for(const Connection& connection, const Question& question, const Output& output,
             Parse parse)
    -> tl::expected<typename decltype(parse(std::string_view()))::value_type, ExitCode> {
    auto body = ask_for_body(connection, question, output);
    if (!body)
        return tl::unexpected(body.error());
    auto parsed = parse(*body);
    if (!parsed)
        return tl::unexpected(report_not_understood(parsed.error(), output));
    return std::move(*parsed);
}

// The connection that the settings name, or the code to end with.
[[nodiscard]] tl::expected<Connection, ExitCode> connection_of(const Context& context, Party party,
                                                               const Output& output);

}  // namespace idlewatt::cli
