// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/batch_rows.hpp"

#include <array>

namespace idlewatt::store {

namespace {

// In the order of BatchStatus.
constexpr std::array<std::string_view, 8> batch_status_names{
    "validating", "failed",  "in_progress", "finalizing",
    "completed",  "expired", "cancelling",  "cancelled"};

}  // namespace

std::string_view name(BatchStatus status) {
    return batch_status_names.at(static_cast<std::size_t>(status));
}

std::optional<BatchStatus> batch_status(std::string_view name) {
    for (std::size_t i = 0; i < batch_status_names.size(); ++i) {
        if (batch_status_names.at(i) == name)
            return static_cast<BatchStatus>(i);
    }
    return std::nullopt;
}

bool is_terminal(BatchStatus status) {
    return status == BatchStatus::failed || status == BatchStatus::completed ||
           status == BatchStatus::expired || status == BatchStatus::cancelled;
}

}  // namespace idlewatt::store
