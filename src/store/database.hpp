// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The tables and every statement on them, through SOCI. The SQL is the part that SQLite and
// PostgreSQL share: bytes are hexadecimal text, numbers are 64 bits wide, "already there" is ON
// CONFLICT DO NOTHING and never a caught error (which would end a transaction on PostgreSQL).
//
// Blocking; belongs to one thread, the database's. SOCI's exceptions end here. Only for the
// sources of this module.
#pragma once

#include <memory>
#include <vector>

#include "base/result.hpp"
#include "store/store.hpp"

namespace soci {
class session;
}

namespace idlewatt::store {

class Database {
public:
    // Makes the tables where there are none.
    [[nodiscard]] static base::Result<std::unique_ptr<Database>> open(
        std::unique_ptr<soci::session> session, std::string name);
    ~Database();

    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    [[nodiscard]] base::Result<void> put_vehicle(const Vehicle& vehicle);
    [[nodiscard]] base::Result<std::vector<Vehicle>> list_vehicles();
    // Many calls' receipts in one transaction; the results are in their order.
    [[nodiscard]] base::Result<std::vector<std::size_t>> add_receipts(
        const std::vector<const std::vector<StoredReceipt>*>& calls);
    [[nodiscard]] base::Result<ReceiptTotals> receipt_totals();

private:
    struct Insert;

    Database(std::unique_ptr<soci::session> session, std::string name);
    void make_tables();
    [[nodiscard]] base::Result<void> check_version();
    template <class Work>
    auto guarded(const char* what, Work work) -> base::Result<decltype(work())>;

    std::string name_;
    std::unique_ptr<soci::session> session_;
    std::unique_ptr<Insert> insert_;
};

}  // namespace idlewatt::store
