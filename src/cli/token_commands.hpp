// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt vehicle token create | ls | revoke: one-time tokens with which cars enrol. Blocking.
#pragma once

#include <string>

#include "cli/admin_call.hpp"
#include "wire/admin.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// The token goes to the file (mode 0600) if one is named, else to out.
ExitCode token_create(const Connection& connection, const wire::EnrolmentOrder& order,
                      const SecretFile& out, const Output& output);
ExitCode token_ls(const Connection& connection, const Output& output);
ExitCode token_revoke(const Connection& connection, const std::string& id, const Output& output);

// Adds `token` to `vehicle`.
void add_token_commands(CLI::App& vehicle, Context& context);

}  // namespace idlewatt::cli
