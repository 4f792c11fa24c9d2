// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Everything that can happen to a coordinator, and everything that it can cause. The core maps one
// to the other; the shell (coordinator.hpp) turns callbacks of edges into events and effects into
// calls.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/log.hpp"
#include "base/named_type.hpp"
#include "base/result.hpp"
#include "core/core.hpp"
#include "store/store.hpp"

namespace idlewatt::coordinator {

// A car's request that is being worked on; numbered by the shell.
using BatchId = base::NamedType<std::uint64_t, struct BatchIdTag>;

// A receipt as it came, and what its bytes say; nullopt: they say nothing that can be read.
struct Incoming {
    core::SignedReceipt signed_receipt;
    std::optional<core::Receipt> receipt;
};

// ── events ──────────────────────────────────────────────────────────────────────────────────────

struct Started {};
struct VehiclesLoaded {
    base::Result<std::vector<store::Vehicle>> vehicles;
};
// Somebody has shown up who is not in the list.
struct CarUnknown {};
// Adds the car or replaces what is known of it.
struct EnrolAsked {
    store::Vehicle vehicle;
};
struct VehicleStored {
    store::Vehicle vehicle;
    base::Result<void> done;
    bool was_asked = true;  // by EnrolAsked; else nobody waits for it
};
struct BatchArrived {
    BatchId batch;
    core::VehicleId vehicle;  // of the subject: checked by the server of the bus
    std::vector<Incoming> receipts;
};
struct SignaturesChecked {
    BatchId batch;
    std::vector<bool> valid;  // in the order in which they were asked for
};
struct Committed {
    BatchId batch;
    base::Result<std::size_t> added;
};
struct Woken {};

using Event = std::variant<Started, VehiclesLoaded, CarUnknown, EnrolAsked, VehicleStored,
                           BatchArrived, SignaturesChecked, Committed, Woken>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct LoadVehicles {};
struct StoreVehicle {
    store::Vehicle vehicle;
};
// To whom asked for it: empty when the car is enrolled, else why not.
struct Enrolled {
    core::VehicleId vehicle;
    base::Result<void> done;
};
struct CheckSignatures {
    BatchId batch;
    std::string public_key;
    std::vector<core::SignedReceipt> receipts;
};
struct Commit {
    BatchId batch;
    std::vector<store::StoredReceipt> receipts;
};
struct Answer {
    BatchId batch;
    std::vector<core::ReceiptId> committed;
    std::vector<core::ReceiptId> refused;
};
// No answer: the car will ask again.
struct Forget {
    BatchId batch;
};
struct WakeAfter {
    base::Duration delay;
};
struct Log {
    base::LogLevel level;
    std::string text;
};

using Effect = std::variant<LoadVehicles, StoreVehicle, Enrolled, CheckSignatures, Commit, Answer,
                            Forget, WakeAfter, Log>;

}  // namespace idlewatt::coordinator
