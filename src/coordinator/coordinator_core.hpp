// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a cell's coordinator decides: which receipts are true and new. Pure.
//
// A batch goes   arrived ─▶ signatures checked ─▶ committed ─▶ answered.
// A receipt is refused for good only against a list of cars that was read after it arrived, since
// another process may have enrolled the car a moment ago. A batch whose commit fails is forgotten
// without an answer, and the car sends it again: nothing is acknowledged that is not on the disk.
#pragma once

#include <map>
#include <set>
#include <vector>

#include "base/time.hpp"
#include "coordinator/event.hpp"

namespace idlewatt::coordinator {

// More batches, or bytes of them, are not taken on; their cars ask again.
inline constexpr std::size_t batches_max = 256;
inline constexpr std::size_t batch_bytes_max = 64 * 1024 * 1024;
// Between two readings of the list of cars.
inline constexpr base::Duration load_period_min = base::seconds(1);

class CoordinatorCore {
public:
    [[nodiscard]] std::vector<Effect> handle(const Event& event, base::Instant now);

    // Whether a batch of this car would be taken on; asked before its bytes are looked at. One at
    // a time of each car, so that none can fill the queue.
    [[nodiscard]] bool has_room(const core::VehicleId& vehicle) const;
    [[nodiscard]] std::size_t batches_open() const { return batches_.size(); }
    [[nodiscard]] bool list_was_read() const { return list_was_read_; }
    [[nodiscard]] const std::map<core::VehicleId, store::Vehicle>& vehicles() const {
        return vehicles_;
    }

private:
    struct Batch {
        core::VehicleId vehicle;
        base::Instant arrived_at;
        std::size_t bytes = 0;
        std::vector<store::StoredReceipt> receipts;  // to be checked, then to be committed
        std::vector<core::ReceiptId> refused;
        std::string checked_key;      // under which the signatures are checked
        bool waits_for_cars = false;  // for a newer list of cars
    };
    using Effects = std::vector<Effect>;

    void on(const Started&, base::Instant now, Effects& effects);
    void on(const VehiclesLoaded& loaded, base::Instant now, Effects& effects);
    void on(const CarUnknown&, base::Instant now, Effects& effects);
    void on(const EnrolAsked& asked, base::Instant now, Effects& effects);
    void on(const VehicleStored& stored, base::Instant now, Effects& effects);
    void on(const BatchArrived& arrived, base::Instant now, Effects& effects);
    void on(const SignaturesChecked& checked, base::Instant now, Effects& effects);
    void on(const Committed& committed, base::Instant now, Effects& effects);
    void on(const Woken&, base::Instant now, Effects& effects);

    // Checks the batch under the car's key, or finds out who the car is first.
    void check(BatchId id, Batch& batch, base::Instant now, Effects& effects);
    void wait_for_cars(Batch& batch, base::Instant now, Effects& effects);
    void commit(BatchId id, Batch& batch, Effects& effects);
    void answer(BatchId id, std::vector<core::ReceiptId> committed, Effects& effects);
    void refuse_all(BatchId id, Batch& batch, const char* why, Effects& effects);
    void load(base::Instant now, Effects& effects);
    [[nodiscard]] bool list_is_newer_than(base::Instant time) const { return list_read_at_ > time; }
    void close(BatchId id);

    std::map<core::VehicleId, store::Vehicle> vehicles_;
    bool list_was_read_ = false;
    bool loading_ = false;
    bool wake_set_ = false;
    base::Instant load_asked_at_{INT64_MIN / 2};
    base::Instant list_read_at_{INT64_MIN / 2};  // the state of the list is not older than this

    std::map<BatchId, Batch> batches_;
    std::set<core::VehicleId> busy_;
    std::size_t bytes_ = 0;
};

}  // namespace idlewatt::coordinator
