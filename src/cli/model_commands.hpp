// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt model ls | add | rm: the models of a cell; make-random: a model file with random
// weights. Blocking.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <map>
#include <string>

#include "cli/admin_call.hpp"
#include "core/model.hpp"
#include "engine/random_model.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

// Tokens of context that cars give an answer, by model, as a gateway knows it. What a model could
// have is in its file; what it gets is the cars' setting.
using ServedContext = std::map<std::string, std::uint32_t>;
inline constexpr base::Duration served_context_max = base::seconds(5);
// Empty without a gateway.
[[nodiscard]] ServedContext served_context(const Connection& gateway);

ExitCode model_ls(const Connection& connection, const ServedContext& served, const Output& output);
// An empty name: the one in the file's header, or the file's.
ExitCode model_add(const Connection& connection, const std::string& path, const std::string& name,
                   std::uint32_t replicas_min, const Output& output);
ExitCode model_rm(const Connection& connection, const std::string& name, const Output& output);
// A shape without a name: the file's.
ExitCode model_make_random(const std::string& path, engine::RandomModelShape shape,
                           std::uint64_t seed, bool force, std::ostream& out, std::ostream& err);

void add_model_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
