// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The rules, one file each. A rule gives the reason for which it objects, or nothing. The order in
// which they are asked stands in policy.hpp.
#pragma once

#include <optional>

#include "policy/checked_signals.hpp"

namespace idlewatt::policy {

using Objection = std::optional<core::Reason>;

[[nodiscard]] Objection consent_rule(const core::OwnerSettings& settings);
[[nodiscard]] Objection presence_rule(const CheckedSignals& signals);
[[nodiscard]] Objection plug_rule(const CheckedSignals& signals);
[[nodiscard]] Objection floor_rule(const core::OwnerSettings& settings,
                                   const CheckedSignals& signals);
[[nodiscard]] Objection doubt_rule(const CheckedSignals& signals);

// The only rule with a memory: updates drained and drained_at.
[[nodiscard]] Objection reserve_rule(const core::OwnerSettings& settings,
                                     const CheckedSignals& signals, base::Instant now,
                                     Memory& memory);

}  // namespace idlewatt::policy
