// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/books_checker.hpp"

#include "base/assert.hpp"
#include "wire/wire.hpp"

namespace idlewatt::simulator {

void BooksChecker::on_disk(std::string_view key, std::string_view value, Trace& trace) {
    constexpr std::string_view prefix = "receipt/";
    constexpr std::size_t signature_bytes = 64;
    if (!key.starts_with(prefix))
        return;
    const auto receipt = wire::decode_receipt(value.substr(signature_bytes));
    IDLEWATT_ASSERT(receipt.has_value());
    if (!signed_.emplace(receipt->id, *receipt).second)
        return;
    acknowledged_[receipt->work.value] += receipt->acknowledged_tokens;
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
    }
}

}  // namespace idlewatt::simulator
