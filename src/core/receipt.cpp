// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/receipt.hpp"

#include "base/assert.hpp"

namespace idlewatt::core {

std::string_view name(AttemptEnd end) {
    switch (end) {
        case AttemptEnd::finished:
            return "finished";
        case AttemptEnd::cancelled:
            return "cancelled";
        case AttemptEnd::recalled:
            return "recalled";
        case AttemptEnd::drained:
            return "drained";
        case AttemptEnd::lease_expired:
            return "lease_expired";
        case AttemptEnd::engine_failed:
            return "engine_failed";
        case AttemptEnd::interrupted:
            return "interrupted";
    }
    base::assertion_failed("closed enum AttemptEnd", __FILE__, __LINE__);
}

}  // namespace idlewatt::core
