// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/admin_call.hpp"

namespace idlewatt::cli {

tl::expected<std::string, ExitCode> ask_for_body(const Connection& connection,
                                                 const Question& question, const Output& output) {
    auto response = ask(connection, question.method, question.path, question.body);
    if (!response)
        return tl::unexpected(report_error(response.error(), output.json, output.err));
    if (response->status < 200 || response->status > 299) {
        const ExitCode code = report_refusal(connection, *response, output.json, output.err);
        if (code == ExitCode::not_found && !output.json && !question.where_to_look.empty())
            output.err << question.where_to_look << '\n';
        return tl::unexpected(code);
    }
    return std::move(response->body);
}

ExitCode report_not_understood(const base::Error& error, const Output& output) {
    report_error({base::ErrorKind::io,
                  error.message + ". Is the server of the same version as this program?"},
                 output.json, output.err);
    return ExitCode::failure;
}

tl::expected<Connection, ExitCode> connection_of(const Context& context, Party party,
                                                 const Output& output) {
    const auto settings = load_settings(context, {});
    if (!settings)
        return tl::unexpected(report_error(settings.error(), output.json, output.err));
    auto connection = connection_from(*settings, party);
    if (!connection)
        return tl::unexpected(report_error(connection.error(), output.json, output.err));
    return std::move(*connection);
}

}  // namespace idlewatt::cli
