// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt model ls | add | rm: the models of a cell; make-random: a model file with random
// weights. Blocking.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "cli/admin_call.hpp"
#include "core/model.hpp"
#include "engine/random_model.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

ExitCode model_ls(const Connection& connection, const Output& output);
// An empty name: the one in the file's header, or the file's.
ExitCode model_add(const Connection& connection, const std::string& path, const std::string& name,
                   std::uint32_t replicas_min, const Output& output);
ExitCode model_rm(const Connection& connection, const std::string& name, const Output& output);
ExitCode model_make_random(const std::string& path, const engine::RandomModelShape& shape,
                           std::uint64_t seed, std::ostream& out, std::ostream& err);

void add_model_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
