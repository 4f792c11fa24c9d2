// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt completion bash | zsh | fish, made from the tree of commands, so that it cannot differ
// from it.
#pragma once

#include <string>

namespace CLI {
class App;
}

namespace idlewatt::cli {

[[nodiscard]] std::string bash_completion(const CLI::App& app);
[[nodiscard]] std::string zsh_completion(const CLI::App& app);
[[nodiscard]] std::string fish_completion(const CLI::App& app);

// Call it when all commands are there.
void add_completion_command(CLI::App& app);

}  // namespace idlewatt::cli
