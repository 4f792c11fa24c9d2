// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// When a car asks for its next credentials, and when it begins to use them. A value.
//
// It asks in the middle of their life, so that a coordinator may be away for hours; it changes over
// while no answer runs, because that costs the connection, and at the latest when little is left.
#pragma once

#include <cstdint>
#include <optional>

#include "agent/event.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"

namespace idlewatt::agent {

inline constexpr base::Duration renewal_retry_min = base::seconds(5);
inline constexpr base::Duration renewal_retry_max = base::minutes(5);
// Of the life of the old credentials, left when the new ones are taken whatever runs.
inline constexpr std::int64_t change_over_at_last_part = 8;

class RenewalPlan {
public:
    // Without a life: credentials that never end, or nobody knows.
    RenewalPlan(const std::optional<CredentialsLife>& life, std::uint64_t seed);

    void ask_now(base::Instant now) { ask_at_ = now; }
    void answered(const std::optional<wire::Renewal>& renewal, base::Instant now,
                  base::WallTime wall_now);
    void steer(base::Instant now, base::WallTime wall_now, bool connected, bool busy,
               Effects& effects);

private:
    [[nodiscard]] bool due(base::WallTime now) const;

    std::optional<CredentialsLife> life_;
    base::Prng prng_;
    double due_at_part_;  // of the life
    bool asking_ = false;
    base::Instant ask_at_{};
    base::Duration retry_ = renewal_retry_min;
    // The connection still lives by the old ones, until then.
    std::optional<base::WallTime> change_over_by_;
};

}  // namespace idlewatt::agent
