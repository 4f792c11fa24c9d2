// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The manual, made from the tree of commands and the schema of settings. The hidden command
// `idlewatt write-documents FOLDER` writes man pages, completions and the example file, for
// packages.
#pragma once

#include <string>

#include "cli/context.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// idlewatt.1, in the language of man(7).
[[nodiscard]] std::string program_manual(const CLI::App& app, const std::string& version);

// FOLDER/man1/idlewatt.1, man5/idlewatt.toml.5, completions/{idlewatt,_idlewatt,idlewatt.fish},
// idlewatt.toml.
[[nodiscard]] base::Result<void> write_documents(const CLI::App& app, const std::string& version,
                                                 const std::string& folder);

// Call it when all commands are there.
void add_manual_command(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
