// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The signals as the rules see them: each is either known, that is present, in range and fresh by
// both clocks, or doubtful for one reason.
#pragma once

#include <array>
#include <optional>

#include "policy/policy.hpp"

namespace idlewatt::policy {

struct CheckedSignal {
    std::optional<double> value;              // known
    core::Reason doubt = core::Reason::ok;    // why it is not, unless it is
    std::optional<base::Instant> changes_at;  // when this may change without a new reading
};

class CheckedSignals {
public:
    explicit CheckedSignals(const Facts& facts);

    [[nodiscard]] const CheckedSignal& get(core::SignalId id) const {
        return signals_[static_cast<std::size_t>(id)];
    }
    // Known to have this value; doubt is neither true nor false.
    [[nodiscard]] bool is(core::SignalId id, bool value) const {
        return get(id).value == (value ? 1.0 : 0.0);
    }
    [[nodiscard]] bool any_doubt(core::Reason reason) const;
    [[nodiscard]] bool all_known() const { return all_known_; }
    [[nodiscard]] std::optional<base::Instant> first_change() const;

private:
    std::array<CheckedSignal, core::signal_count> signals_;
    bool all_known_ = true;
};

}  // namespace idlewatt::policy
