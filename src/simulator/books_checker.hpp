// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Watches the receipts from both ends: what cars signed (seen at their disks) and what was
// committed. Each signed receipt must arrive, once and unchanged, and the tokens acknowledged for
// an answer must never be more than its client has.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

#include "core/delivery.hpp"
#include "core/receipt.hpp"
#include "simulator/trace.hpp"
#include "store/memory_store.hpp"

namespace idlewatt::simulator {

class BooksChecker {
public:
    // A record that a car puts on its disk.
    void on_disk(std::string_view key, std::string_view value, Trace& trace);

    // A record that a gateway puts on its disk.
    void on_gateways_disk(std::string_view key, std::string_view value, Trace& trace);

    // The sum over all receipts of an answer, whatever its choices.
    [[nodiscard]] std::uint32_t acknowledged_of(const std::string& work) const;
    // The same of the gateways' records.
    [[nodiscard]] std::uint32_t delivered_of(const std::string& work) const;
    [[nodiscard]] const std::map<core::ReceiptId, core::Receipt>& signed_receipts() const {
        return signed_;
    }
    // When everything should have arrived.
    void check(const store::MemoryDatabase& database, Trace& trace) const;

private:
    std::map<core::ReceiptId, core::Receipt> signed_;
    std::map<core::AttemptId, core::Delivery> deliveries_;
    std::map<std::string, std::uint32_t> acknowledged_;  // by answer
    std::map<std::string, std::uint32_t> delivered_;
};

}  // namespace idlewatt::simulator
