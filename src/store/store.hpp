// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The coordinator's memory: who is enrolled, which keys and models there are, what each car is to
// hold, which receipts and delivery records have arrived, which files and batches clients have.
// Hides the database (SOCI over SQLite or PostgreSQL). What is acknowledged has been committed.
//
// Lifecycle: opened by sqlite_store.hpp, postgresql_store.hpp or memory_store.hpp. Destruction
// waits for the calls under way; their callbacks do not run any more. Threads: calls and callbacks
// belong to the loop given at opening; the database works on a thread of its own. Callbacks come in
// the order of the calls that were taken.
// Errors of every call: io when the database refuses (a full disk, damage), unavailable when its
// server is away (the call may or may not have been carried out; a later one finds it again), or
// when calls_max wait.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/batch_rows.hpp"
#include "store/rows.hpp"

namespace idlewatt::store {

inline constexpr std::size_t calls_max = 4096;

class Store {
public:
    template <class T>
    using Callback = std::function<void(base::Result<T>)>;

    virtual ~Store() = default;

    // ── cars ────────────────────────────────────────────────────────────────────────────────────

    // Adds or replaces.
    virtual void put_vehicle(Vehicle vehicle, Callback<void> done) = 0;
    virtual void list_vehicles(Callback<std::vector<Vehicle>> done) = 0;

    virtual void add_enrolment(Enrolment enrolment, Callback<void> done) = 0;
    virtual void list_enrolments(Callback<std::vector<Enrolment>> done) = 0;
    // As it is now; not_found. One that was used stays used.
    virtual void revoke_enrolment(std::string id, base::WallTime at, Callback<Enrolment> done) = 0;
    // Uses a token up and makes the car, in one transaction: of several cars with the same token
    // one wins. The winner may ask again (it may not have heard the answer). A car whose key is
    // enrolled already stays the car that it is, in the token's fleet. denied: the token is
    // unknown, used, revoked or too old, or the car's key has been revoked.
    virtual void claim_enrolment(EnrolmentClaim claim, Callback<Vehicle> done) = 0;

    // ── keys ────────────────────────────────────────────────────────────────────────────────────

    // The new version of the key book. limit_exceeded: core::keys_max.
    virtual void add_key(core::ApiKey key, Callback<std::uint64_t> done) = 0;
    // As it is now; not_found. Revoking again changes nothing.
    virtual void revoke_key(core::KeyId id, base::WallTime at, Callback<core::ApiKey> done) = 0;
    virtual void find_key(std::string secret_sha256,
                          Callback<std::optional<core::ApiKey>> done) = 0;
    // In the order of their ids, those behind `after`.
    virtual void key_page(core::KeyId after, std::size_t limit, Callback<KeyPage> done) = 0;

    // ── models ──────────────────────────────────────────────────────────────────────────────────

    // Adds or replaces.
    virtual void put_model(core::Model model, Callback<void> done) = 0;
    virtual void erase_model(std::string name, Callback<void> done) = 0;  // not_found
    virtual void list_models(Callback<std::vector<core::Model>> done) = 0;
    // Adds or replaces, all of them or none.
    virtual void put_assignments(std::vector<VehicleAssignment> assignments,
                                 Callback<void> done) = 0;
    virtual void list_assignments(Callback<std::vector<VehicleAssignment>> done) = 0;

    // ── what was done ───────────────────────────────────────────────────────────────────────────

    // One transaction for all: after an error none of them is there. A receipt that is already
    // there, or another one of the same vehicle and attempt, is left as it is: sending one twice
    // is harmless. The result is how many were new.
    virtual void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) = 0;
    virtual void receipt_totals(Callback<ReceiptTotals> done) = 0;
    // Likewise, by gateway and attempt.
    virtual void add_deliveries(std::vector<StoredDelivery> deliveries,
                                Callback<std::size_t> done) = 0;
    virtual void delivery_totals(Callback<DeliveryTotals> done) = 0;

    // ── files and batches ───────────────────────────────────────────────────────────────────────

    virtual void add_file(File file, Callback<void> done) = 0;
    virtual void erase_file(std::string id, Callback<void> done) = 0;  // not_found
    virtual void list_files(Callback<std::vector<File>> done) = 0;     // by id

    // Adds or replaces.
    virtual void put_batch(Batch batch, Callback<void> done) = 0;
    virtual void find_batch(std::string id, Callback<std::optional<Batch>> done) = 0;
    // Those of a key, behind `after` in the order of their ids, the newest first.
    virtual void batch_page(core::KeyId key, std::string after, std::size_t limit,
                            Callback<BatchPage> done) = 0;
    // Those that have not ended.
    virtual void open_batches(Callback<std::vector<Batch>> done) = 0;
    // Erases those that are there, unless they begin behind the first line.
    virtual void add_batch_lines(std::string batch, std::vector<BatchLine> lines,
                                 Callback<void> done) = 0;
    virtual void batch_state(std::string batch, Callback<BatchState> done) = 0;
    // As add_receipts(): a line that has a result keeps it, and a line that is not there gets none.
    virtual void add_batch_results(std::vector<BatchResult> results,
                                   Callback<std::size_t> done) = 0;
    // Lines behind `after`: at most so many, and no more bytes of bodies than that, but one always.
    virtual void batch_items(std::string batch, std::uint32_t after, std::size_t limit,
                             std::size_t bytes_max, Callback<BatchItemPage> done) = 0;
    // The end of a batch in one transaction: its row, its files, and its lines are no more.
    virtual void end_batch(Batch batch, std::vector<File> files, Callback<void> done) = 0;
    // Those that ended before then, the earliest first.
    virtual void ended_batches(base::WallTime before, std::size_t limit,
                               Callback<std::vector<Batch>> done) = 0;
    // Of one that has ended; no effect on another, or when there is none.
    virtual void erase_batch(std::string id, Callback<void> done) = 0;
};

}  // namespace idlewatt::store
