// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt model make-random: a model file with random weights.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "cli/exit_code.hpp"
#include "engine/random_model.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

ExitCode model_make_random(const std::string& path, const engine::RandomModelShape& shape,
                           std::uint64_t seed, std::ostream& out, std::ostream& err);

// Adds `model` to the program. exit_code is set when one of the commands has run.
void add_model_commands(CLI::App& app, int& exit_code);

}  // namespace idlewatt::cli
