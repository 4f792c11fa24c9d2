// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt key create | ls | revoke: who may ask. A key's secret is shown once, when it is made;
// the coordinator keeps only its hash. Blocking.
#pragma once

#include <string>

#include "cli/admin_call.hpp"
#include "wire/admin.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// The secret goes to the file (mode 0600) if one is named, else to out.
ExitCode key_create(const Connection& connection, const wire::KeyOrder& order,
                    const SecretFile& out, const Output& output);
ExitCode key_ls(const Connection& connection, const Output& output);
ExitCode key_revoke(const Connection& connection, const std::string& id, const Output& output);

void add_key_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
