// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// idlewatt vehicle pause | resume | drain | revoke | enrolled: what an operator may tell a car, and
// the coordinator's list of them. Blocking.
#pragma once

#include <string>
#include <string_view>

#include "cli/admin_call.hpp"

namespace idlewatt::cli {

enum class VehicleOrder { pause, resume, drain, revoke };
[[nodiscard]] std::string_view name(VehicleOrder order);

ExitCode vehicle_order(const Connection& connection, const std::string& id, VehicleOrder order,
                       const Output& output);
ExitCode enrolled_ls(const Connection& connection, const Output& output);

}  // namespace idlewatt::cli
