// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/coordinator_core.hpp"

#include <utility>

#include "base/assert.hpp"

namespace idlewatt::coordinator {

namespace {

// What is wrong with a receipt whatever its signature says; empty: nothing.
std::string_view contradiction(const core::VehicleId& vehicle, const Incoming& incoming) {
    if (!incoming.receipt)
        return "cannot be read";
    if (incoming.receipt->vehicle != vehicle)
        return "names another car";
    if (incoming.receipt->id != incoming.signed_receipt.id)
        return "has two ids";
    return {};
}

Log refusal(const core::VehicleId& vehicle, const core::ReceiptId& receipt, std::string_view why) {
    return {base::LogLevel::warning, "refused receipt " + receipt.value + " of car " +
                                         vehicle.value + ": it " + std::string(why)};
}

}  // namespace

std::vector<Effect> CoordinatorCore::handle(const Event& event, base::Instant now) {
    Effects effects;
    std::visit([&](const auto& one) { on(one, now, effects); }, event);
    return effects;
}

bool CoordinatorCore::has_room(const core::VehicleId& vehicle) const {
    return batches_.size() < batches_max && bytes_ < batch_bytes_max && !busy_.contains(vehicle);
}

// ── the list of cars ────────────────────────────────────────────────────────────────────────────

void CoordinatorCore::on(const Started&, base::Instant now, Effects& effects) {
    load(now, effects);
}

void CoordinatorCore::load(base::Instant now, Effects& effects) {
    if (loading_ || wake_set_)
        return;
    const base::Duration wait = load_asked_at_ + load_period_min - now;
    if (wait > base::Duration{}) {
        wake_set_ = true;
        effects.emplace_back(WakeAfter{wait});
        return;
    }
    loading_ = true;
    load_asked_at_ = now;
    effects.emplace_back(LoadVehicles{});
}

void CoordinatorCore::on(const Woken&, base::Instant now, Effects& effects) {
    wake_set_ = false;
    load(now, effects);
}

void CoordinatorCore::on(const VehiclesLoaded& loaded, base::Instant now, Effects& effects) {
    loading_ = false;
    if (!loaded.vehicles) {
        effects.emplace_back(Log{base::LogLevel::error, loaded.vehicles.error().message});
        load(now, effects);
        return;
    }
    for (const store::Vehicle& vehicle : *loaded.vehicles) {
        vehicles_[vehicle.id] = vehicle;
    }
    list_read_at_ = load_asked_at_;
    list_was_read_ = true;
    std::vector<BatchId> waiting;
    for (const auto& [id, batch] : batches_) {
        if (batch.waits_for_cars)
            waiting.push_back(id);
    }
    for (const BatchId id : waiting) {
        Batch& batch = batches_.at(id);
        batch.waits_for_cars = false;
        check(id, batch, now, effects);
    }
}

void CoordinatorCore::on(const CarUnknown&, base::Instant now, Effects& effects) {
    load(now, effects);
}

void CoordinatorCore::on(const EnrolAsked& asked, base::Instant, Effects& effects) {
    effects.emplace_back(StoreVehicle{asked.vehicle});
}

void CoordinatorCore::on(const VehicleStored& stored, base::Instant, Effects& effects) {
    if (stored.done) {
        vehicles_[stored.vehicle.id] = stored.vehicle;
    } else {
        effects.emplace_back(Log{base::LogLevel::error, stored.done.error().message});
    }
    if (stored.was_asked)
        effects.emplace_back(Enrolled{stored.vehicle.id, stored.done});
}

// ── receipts ────────────────────────────────────────────────────────────────────────────────────

void CoordinatorCore::on(const BatchArrived& arrived, base::Instant now, Effects& effects) {
    if (!has_room(arrived.vehicle)) {
        effects.emplace_back(Forget{arrived.batch});
        return;
    }
    Batch& batch = batches_[arrived.batch];
    batch.vehicle = arrived.vehicle;
    batch.arrived_at = now;
    busy_.insert(arrived.vehicle);
    for (const Incoming& incoming : arrived.receipts) {
        const std::string_view why = contradiction(arrived.vehicle, incoming);
        if (!why.empty()) {
            effects.emplace_back(refusal(arrived.vehicle, incoming.signed_receipt.id, why));
            batch.refused.push_back(incoming.signed_receipt.id);
            continue;
        }
        batch.bytes += incoming.signed_receipt.payload.size();
        batch.receipts.push_back({*incoming.receipt, incoming.signed_receipt});
    }
    bytes_ += batch.bytes;
    if (batch.receipts.empty()) {
        answer(arrived.batch, {}, effects);
    } else {
        check(arrived.batch, batch, now, effects);
    }
}

void CoordinatorCore::check(BatchId id, Batch& batch, base::Instant now, Effects& effects) {
    const auto vehicle = vehicles_.find(batch.vehicle);
    if (vehicle == vehicles_.end()) {
        if (list_is_newer_than(batch.arrived_at)) {
            refuse_all(id, batch, "comes from a car that is not enrolled", effects);
        } else {
            wait_for_cars(batch, now, effects);
        }
        return;
    }
    CheckSignatures ask{id, vehicle->second.public_key, {}};
    for (const store::StoredReceipt& stored : batch.receipts) {
        ask.receipts.push_back(stored.signed_receipt);
    }
    batch.checked_key = vehicle->second.public_key;
    effects.emplace_back(std::move(ask));
}

void CoordinatorCore::wait_for_cars(Batch& batch, base::Instant now, Effects& effects) {
    batch.waits_for_cars = true;
    load(now, effects);
}

void CoordinatorCore::on(const SignaturesChecked& checked, base::Instant now, Effects& effects) {
    Batch& batch = batches_.at(checked.batch);
    IDLEWATT_ASSERT(checked.valid.size() == batch.receipts.size());
    std::vector<store::StoredReceipt> good;
    std::vector<core::ReceiptId> bad;
    for (std::size_t i = 0; i < checked.valid.size(); ++i) {
        if (checked.valid[i]) {
            good.push_back(batch.receipts[i]);
        } else {
            bad.push_back(batch.receipts[i].receipt.id);
        }
    }
    if (!bad.empty() && !list_is_newer_than(batch.arrived_at)) {
        wait_for_cars(batch, now, effects);  // perhaps the car has a new key
        return;
    }
    if (!bad.empty() && vehicles_.at(batch.vehicle).public_key != batch.checked_key) {
        check(checked.batch, batch, now, effects);
        return;
    }
    for (const core::ReceiptId& id : bad) {
        effects.emplace_back(refusal(batch.vehicle, id, "is not signed with the car's key"));
        batch.refused.push_back(id);
    }
    batch.receipts = std::move(good);
    commit(checked.batch, batch, effects);
}

void CoordinatorCore::commit(BatchId id, Batch& batch, Effects& effects) {
    if (batch.receipts.empty()) {
        answer(id, {}, effects);
        return;
    }
    effects.emplace_back(Commit{id, batch.receipts});
}

void CoordinatorCore::on(const Committed& committed, base::Instant, Effects& effects) {
    const Batch& batch = batches_.at(committed.batch);
    if (!committed.added) {
        effects.emplace_back(Log{base::LogLevel::error, committed.added.error().message});
        effects.emplace_back(Forget{committed.batch});
        close(committed.batch);
        return;
    }
    std::vector<core::ReceiptId> ids;
    for (const store::StoredReceipt& stored : batch.receipts)
        ids.push_back(stored.receipt.id);
    answer(committed.batch, std::move(ids), effects);
}

void CoordinatorCore::refuse_all(BatchId id, Batch& batch, const char* why, Effects& effects) {
    for (const store::StoredReceipt& stored : batch.receipts) {
        batch.refused.push_back(stored.receipt.id);
    }
    effects.emplace_back(refusal(
        batch.vehicle, batch.receipts.front().receipt.id,
        std::string(why) + " (and " + std::to_string(batch.receipts.size() - 1) + " more)"));
    answer(id, {}, effects);
}

void CoordinatorCore::answer(BatchId id, std::vector<core::ReceiptId> committed, Effects& effects) {
    effects.emplace_back(Answer{id, std::move(committed), batches_.at(id).refused});
    close(id);
}

void CoordinatorCore::close(BatchId id) {
    const auto batch = batches_.find(id);
    IDLEWATT_ASSERT(batch != batches_.end());
    bytes_ -= batch->second.bytes;
    busy_.erase(batch->second.vehicle);
    batches_.erase(batch);
}

}  // namespace idlewatt::coordinator
