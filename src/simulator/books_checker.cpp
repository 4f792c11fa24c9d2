// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/books_checker.hpp"

#include "base/assert.hpp"
#include "wire/wire.hpp"

namespace idlewatt::simulator {

void BooksChecker::on_disk(std::string_view key, std::string_view value) {
    constexpr std::string_view prefix = "receipt/";
    constexpr std::size_t signature_bytes = 64;
    if (!key.starts_with(prefix))
        return;
    const auto receipt = wire::decode_receipt(value.substr(signature_bytes));
    IDLEWATT_ASSERT(receipt.has_value());
    if (signed_.emplace(receipt->id, *receipt).second)
        acknowledged_[receipt->work.value] += receipt->acknowledged_tokens;
}

void BooksChecker::committed(const core::Receipt& receipt) {
    committed_.emplace(receipt.id, receipt);
}

std::uint32_t BooksChecker::acknowledged_of(const std::string& work) const {
    const auto found = acknowledged_.find(work);
    return found == acknowledged_.end() ? 0 : found->second;
}

void BooksChecker::check(Trace& trace) const {
    std::map<core::AttemptId, core::ReceiptId> by_attempt;
    for (const auto& [id, receipt] : signed_) {
        const auto arrived = committed_.find(id);
        if (arrived == committed_.end()) {
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
    if (committed_.size() > signed_.size())
        trace.violation("books", "more receipts were committed than signed");
}

}  // namespace idlewatt::simulator
