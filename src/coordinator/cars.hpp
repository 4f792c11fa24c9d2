// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The enrolled cars as the desks of a coordinator see them: from memory, so that the database may
// be away for a while.
#pragma once

#include <functional>
#include <vector>

#include "base/result.hpp"
#include "store/rows.hpp"

namespace idlewatt::coordinator {

class Cars {
public:
    virtual ~Cars() = default;

    // nullptr: not enrolled, as far as is known. Valid until the next change.
    [[nodiscard]] virtual const store::Vehicle* find(const core::VehicleId& vehicle) const = 0;
    // The list has been read: who is not in it is not enrolled, or was a moment ago.
    [[nodiscard]] virtual bool loaded() const = 0;
    [[nodiscard]] virtual std::vector<store::Vehicle> all() const = 0;
    [[nodiscard]] virtual std::vector<store::Vehicle> revoked() const = 0;
    // Somebody has shown up who is not known: another process may have enrolled it.
    virtual void look_again() = 0;
    // Into the store first, then here.
    virtual void put(store::Vehicle vehicle, std::function<void(base::Result<void>)> done) = 0;
    // It is in the store already.
    virtual void stored(const store::Vehicle& vehicle) = 0;
};

}  // namespace idlewatt::coordinator
