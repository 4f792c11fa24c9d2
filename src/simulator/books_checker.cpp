// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/books_checker.hpp"

#include "base/assert.hpp"
#include "wire/cell.hpp"
#include "wire/wire.hpp"

namespace idlewatt::simulator {

namespace {

// A request's choices are works of their own, named after the first.
std::string answer_of(const core::WorkId& work) {
    return work.value.substr(0, work.value.find('_'));
}

}  // namespace

void BooksChecker::on_disk(std::string_view key, std::string_view value, Trace& trace) {
    constexpr std::string_view prefix = "receipt/";
    constexpr std::size_t signature_bytes = 64;
    if (!key.starts_with(prefix))
        return;
    const auto receipt = wire::decode_receipt(value.substr(signature_bytes));
    IDLEWATT_ASSERT(receipt.has_value());
    if (!signed_.emplace(receipt->id, *receipt).second)
        return;
    acknowledged_[answer_of(receipt->work)] += receipt->acknowledged_tokens;
    trace.line(receipt->vehicle.value, "signs for " + receipt->attempt.value + ": " +
                                           std::string(core::name(receipt->end)) + ", made " +
                                           std::to_string(receipt->generated_tokens) +
                                           ", acknowledged " +
                                           std::to_string(receipt->acknowledged_tokens));
}

std::uint32_t BooksChecker::acknowledged_of(const std::string& work) const {
    const auto found = acknowledged_.find(work);
    return found == acknowledged_.end() ? 0 : found->second;
}

void BooksChecker::on_gateways_disk(std::string_view key, std::string_view value, Trace& trace) {
    constexpr std::string_view prefix = "delivery/";
    constexpr std::size_t signature_bytes = 64;
    if (!key.starts_with(prefix))
        return;
    const auto delivery = wire::decode_delivery(value.substr(signature_bytes));
    IDLEWATT_ASSERT(delivery.has_value());
    if (!deliveries_.emplace(delivery->attempt, *delivery).second)
        trace.violation("books", "two records of attempt " + delivery->attempt.value);
    delivered_[answer_of(delivery->work)] += delivery->delivered_tokens;
    trace.line(delivery->gateway.value, "records " + delivery->attempt.value + ": delivered " +
                                            std::to_string(delivery->delivered_tokens) +
                                            (delivery->last ? ", the last" : ""));
}

std::uint32_t BooksChecker::delivered_of(const std::string& work) const {
    const auto found = delivered_.find(work);
    return found == delivered_.end() ? 0 : found->second;
}

void BooksChecker::check(const store::MemoryDatabase& database, Trace& trace) const {
    std::map<core::ReceiptId, core::Receipt> committed;
    for (const store::StoredReceipt& stored : database.receipts) {
        if (!committed.emplace(stored.receipt.id, stored.receipt).second)
            trace.violation("books", "receipt " + stored.receipt.id.value + " is there twice");
        if (!signed_.contains(stored.receipt.id))
            trace.violation("books", "receipt " + stored.receipt.id.value + " was never signed");
    }
    std::map<core::AttemptId, core::ReceiptId> by_attempt;
    for (const auto& [id, receipt] : signed_) {
        const auto arrived = committed.find(id);
        if (arrived == committed.end()) {
            trace.violation("books", "receipt " + id.value + " of " + receipt.attempt.value +
                                         " was signed and did not arrive");
        } else if (arrived->second != receipt) {
            trace.violation("books", "receipt " + id.value + " arrived changed");
        }
        if (receipt.acknowledged_tokens > receipt.generated_tokens)
            trace.violation("books", "receipt " + id.value + " acknowledges more than was made");
        if (!by_attempt.emplace(receipt.attempt, id).second)
            trace.violation("books", "two receipts for attempt " + receipt.attempt.value);
        // A gateway that was killed has no record; of a whole answer that failed it says zero.
        const auto delivery = deliveries_.find(receipt.attempt);
        if (delivery != deliveries_.end() && delivery->second.delivered_tokens > 0 &&
            delivery->second.delivered_tokens < receipt.acknowledged_tokens) {
            trace.violation("books", "attempt " + receipt.attempt.value + " acknowledges " +
                                         std::to_string(receipt.acknowledged_tokens) +
                                         ", its gateway recorded " +
                                         std::to_string(delivery->second.delivered_tokens));
        }
    }
}

}  // namespace idlewatt::simulator
