// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Receipts and delivery records.
#include "store/database_records.hpp"

#include "base/encoding.hpp"

namespace idlewatt::store {

namespace {

void fill(ReceiptRow& row, const StoredReceipt& stored) {
    const core::Receipt& receipt = stored.receipt;
    row.id = receipt.id.value;
    row.vehicle = receipt.vehicle.value;
    row.gateway = receipt.gateway.value;
    row.work = receipt.work.value;
    row.attempt = receipt.attempt.value;
    row.model = receipt.model;
    row.attempt_end = core::name(receipt.end);
    row.prompt_tokens = receipt.prompt_tokens;
    row.generated_tokens = receipt.generated_tokens;
    row.acknowledged_tokens = receipt.acknowledged_tokens;
    row.started_at_us = receipt.started_at.us;
    row.duration_ns = receipt.duration.ns;
    row.energy_j = receipt.energy_j;
    row.energy_estimated = receipt.energy_estimated ? 1 : 0;
    row.payload = base::to_hex(stored.signed_receipt.payload);
    row.signature = base::to_hex(stored.signed_receipt.signature);
}

void fill(DeliveryRow& row, const StoredDelivery& stored) {
    const core::Delivery& delivery = stored.delivery;
    row.id = delivery.id.value;
    row.gateway = delivery.gateway.value;
    row.vehicle = delivery.vehicle.value;
    row.work = delivery.work.value;
    row.attempt = delivery.attempt.value;
    row.api_key = delivery.key.value;
    row.model = delivery.model;
    row.prompt_tokens = delivery.prompt_tokens;
    row.delivered_tokens = delivery.delivered_tokens;
    row.is_last = delivery.last ? 1 : 0;
    row.started_at_us = delivery.started_at.us;
    row.duration_ns = delivery.duration.ns;
    row.payload = base::to_hex(stored.signed_delivery.payload);
    row.signature = base::to_hex(stored.signed_delivery.signature);
}

// Inserts what is new, tells of each such record, and counts them by call.
template <class Row, class Record, class OnNew>
std::vector<std::size_t> insert_new(Insert<Row>& insert,
                                    const std::vector<const std::vector<Record>*>& calls,
                                    OnNew on_new) {
    std::vector<std::size_t> added;
    for (const std::vector<Record>* call : calls) {
        added.push_back(0);
        for (const Record& record : *call) {
            fill(insert.row, record);
            if (!insert())
                continue;
            ++added.back();
            on_new(record);
        }
    }
    return added;
}

}  // namespace

base::Result<std::vector<std::size_t>> Database::add_receipts(
    const std::vector<const std::vector<StoredReceipt>*>& calls) {
    return guarded("write receipts", [&] {
        long long receipts = 0;
        long long generated_tokens = 0;
        long long acknowledged_tokens = 0;
        soci::transaction transaction(*session_);
        auto added = insert_new(prepared_->receipt, calls, [&](const StoredReceipt& stored) {
            ++receipts;
            generated_tokens += stored.receipt.generated_tokens;
            acknowledged_tokens += stored.receipt.acknowledged_tokens;
        });
        if (receipts > 0) {
            *session_ << "UPDATE receipt_total SET receipts = receipts + :receipts,"
                         " generated_tokens = generated_tokens + :generated,"
                         " acknowledged_tokens = acknowledged_tokens + :acknowledged",
                soci::use(receipts), soci::use(generated_tokens), soci::use(acknowledged_tokens);
        }
        transaction.commit();
        return added;
    });
}

base::Result<ReceiptTotals> Database::receipt_totals() {
    return guarded("read the totals", [this] {
        long long receipts = 0;
        long long generated_tokens = 0;
        long long acknowledged_tokens = 0;
        *session_ << "SELECT receipts, generated_tokens, acknowledged_tokens FROM receipt_total",
            soci::into(receipts), soci::into(generated_tokens), soci::into(acknowledged_tokens);
        return ReceiptTotals{static_cast<std::uint64_t>(receipts),
                             static_cast<std::uint64_t>(generated_tokens),
                             static_cast<std::uint64_t>(acknowledged_tokens)};
    });
}

base::Result<std::vector<std::size_t>> Database::add_deliveries(
    const std::vector<const std::vector<StoredDelivery>*>& calls) {
    return guarded("write delivery records", [&] {
        long long deliveries = 0;
        long long delivered_tokens = 0;
        soci::transaction transaction(*session_);
        auto added = insert_new(prepared_->delivery, calls, [&](const StoredDelivery& stored) {
            ++deliveries;
            delivered_tokens += stored.delivery.delivered_tokens;
        });
        if (deliveries > 0) {
            *session_ << "UPDATE delivery_total SET deliveries = deliveries + :deliveries,"
                         " delivered_tokens = delivered_tokens + :delivered",
                soci::use(deliveries), soci::use(delivered_tokens);
        }
        transaction.commit();
        return added;
    });
}

base::Result<DeliveryTotals> Database::delivery_totals() {
    return guarded("read the totals", [this] {
        long long deliveries = 0;
        long long delivered_tokens = 0;
        *session_ << "SELECT deliveries, delivered_tokens FROM delivery_total",
            soci::into(deliveries), soci::into(delivered_tokens);
        return DeliveryTotals{static_cast<std::uint64_t>(deliveries),
                              static_cast<std::uint64_t>(delivered_tokens)};
    });
}

}  // namespace idlewatt::store
