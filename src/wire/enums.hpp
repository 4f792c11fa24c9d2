// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Closed lists of core against the stable numbers of api/wire.proto: the order in core may change,
// the numbers may not. Only for the sources and tests of this module.
#pragma once

#include <optional>

#include "core/core.hpp"
#include "wire.pb.h"

namespace idlewatt::wire {

[[nodiscard]] v1::Reason to_wire(core::Reason reason);
[[nodiscard]] v1::FinishReason to_wire(core::FinishReason reason);
[[nodiscard]] v1::Task to_wire(core::Task task);
[[nodiscard]] v1::AttemptEnd to_wire(core::AttemptEnd end);
[[nodiscard]] v1::Signal to_wire(core::SignalId signal);
[[nodiscard]] v1::KeyRole to_wire(core::KeyRole role);
[[nodiscard]] v1::DataClass to_wire(core::DataClass data_class);

// nullopt: a number that this version does not know, or unspecified.
[[nodiscard]] std::optional<core::Reason> from_wire(v1::Reason reason);
[[nodiscard]] std::optional<core::FinishReason> from_wire(v1::FinishReason reason);
[[nodiscard]] std::optional<core::Task> from_wire(v1::Task task);
[[nodiscard]] std::optional<core::AttemptEnd> from_wire(v1::AttemptEnd end);
[[nodiscard]] std::optional<core::SignalId> from_wire(v1::Signal signal);
[[nodiscard]] std::optional<core::KeyRole> from_wire(v1::KeyRole role);
[[nodiscard]] std::optional<core::DataClass> from_wire(v1::DataClass data_class);

}  // namespace idlewatt::wire
