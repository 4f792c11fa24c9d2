// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt vehicle ls | show | why | signal: one car or all of them, as the gateway sees them.
// Blocking. Data goes to out, everything else to err.
#pragma once

#include <iosfwd>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "cli/connection.hpp"
#include "cli/context.hpp"
#include "cli/exit_code.hpp"
#include "wire/wire.hpp"

namespace CLI {
class App;
}

namespace idlewatt::cli {

ExitCode vehicle_ls(const Connection& connection, bool json, std::ostream& out, std::ostream& err);
ExitCode vehicle_show(const Connection& connection, const std::string& id, bool json,
                      std::ostream& out, std::ostream& err);
ExitCode vehicle_why(const Connection& connection, const std::string& id, bool json,
                     std::ostream& out, std::ostream& err);
// Returns when the car has taken the values, which it holds until they are changed.
ExitCode vehicle_signal(const Connection& connection, const std::string& id,
                        const std::vector<std::string>& assignments, std::ostream& out,
                        std::ostream& err);

// occupied=true, state_of_charge_percent=17.5, locked=missing. Senseless numbers are allowed: what
// a car makes of them is worth trying.
[[nodiscard]] base::Result<wire::SignalOverride> parse_assignments(
    const std::vector<std::string>& assignments);

// Adds `vehicle` to the program, with what others add below it.
void add_vehicle_commands(CLI::App& app, Context& context);

}  // namespace idlewatt::cli
