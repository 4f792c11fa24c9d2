// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The tables and every statement on them, through SOCI. The SQL is the part that SQLite and
// PostgreSQL share: bytes are hexadecimal text, numbers are 64 bits wide, "already there" is ON
// CONFLICT DO NOTHING and never a caught error (which would end a transaction on PostgreSQL). No
// vector statements: on PostgreSQL a second use of one sends the first batch's values again.
//
// Blocking; belongs to one thread, the database's. SOCI's exceptions end here. Only for the
// sources of this module.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "store/batch_rows.hpp"
#include "store/rows.hpp"

namespace soci {
class session;
}

namespace idlewatt::store {

class Database {
public:
    // Makes the tables where there are none, and brings older ones up to date.
    [[nodiscard]] static base::Result<std::unique_ptr<Database>> open(
        std::unique_ptr<soci::session> session, std::string name);
    ~Database();

    Database(const Database&) = delete;
    Database& operator=(const Database&) = delete;

    // The connection is gone for good: open another one.
    [[nodiscard]] bool lost() const { return lost_; }

    // database_vehicles.cpp
    [[nodiscard]] base::Result<void> put_vehicle(const Vehicle& vehicle);
    [[nodiscard]] base::Result<std::vector<Vehicle>> list_vehicles();
    [[nodiscard]] base::Result<void> add_enrolment(const Enrolment& enrolment);
    [[nodiscard]] base::Result<std::vector<Enrolment>> list_enrolments();
    [[nodiscard]] base::Result<Enrolment> revoke_enrolment(const std::string& id,
                                                           base::WallTime at);
    [[nodiscard]] base::Result<Vehicle> claim_enrolment(const EnrolmentClaim& claim);

    // database_keys.cpp
    [[nodiscard]] base::Result<std::uint64_t> add_key(const core::ApiKey& key);
    [[nodiscard]] base::Result<core::ApiKey> revoke_key(const core::KeyId& id, base::WallTime at);
    [[nodiscard]] base::Result<std::optional<core::ApiKey>> find_key(
        const std::string& secret_sha256);
    [[nodiscard]] base::Result<KeyPage> key_page(const core::KeyId& after, std::size_t limit);

    // database_models.cpp
    [[nodiscard]] base::Result<void> put_model(const core::Model& model);
    [[nodiscard]] base::Result<void> erase_model(const std::string& name);
    [[nodiscard]] base::Result<std::vector<core::Model>> list_models();
    [[nodiscard]] base::Result<void> put_assignments(
        const std::vector<VehicleAssignment>& assignments);
    [[nodiscard]] base::Result<std::vector<VehicleAssignment>> list_assignments();

    // database_records.cpp. Many calls' records in one transaction; the results are in their order.
    [[nodiscard]] base::Result<std::vector<std::size_t>> add_receipts(
        const std::vector<const std::vector<StoredReceipt>*>& calls);
    [[nodiscard]] base::Result<ReceiptTotals> receipt_totals();
    [[nodiscard]] base::Result<std::vector<std::size_t>> add_deliveries(
        const std::vector<const std::vector<StoredDelivery>*>& calls);
    [[nodiscard]] base::Result<DeliveryTotals> delivery_totals();

    // database_batches.cpp
    [[nodiscard]] base::Result<void> add_file(const File& file);
    [[nodiscard]] base::Result<void> erase_file(const std::string& id);
    [[nodiscard]] base::Result<std::vector<File>> list_files();
    [[nodiscard]] base::Result<void> put_batch(const Batch& batch);
    [[nodiscard]] base::Result<std::optional<Batch>> find_batch(const std::string& id);
    [[nodiscard]] base::Result<BatchPage> batch_page(const core::KeyId& key,
                                                     const std::string& after, std::size_t limit);
    [[nodiscard]] base::Result<std::vector<Batch>> open_batches();
    [[nodiscard]] base::Result<void> end_batch(const Batch& batch, const std::vector<File>& files);
    [[nodiscard]] base::Result<std::vector<Batch>> ended_batches(base::WallTime before,
                                                                 std::size_t limit);
    [[nodiscard]] base::Result<void> erase_batch(const std::string& id);

    // database_lines.cpp
    [[nodiscard]] base::Result<void> add_batch_lines(const std::string& batch,
                                                     const std::vector<BatchLine>& lines);
    [[nodiscard]] base::Result<BatchState> batch_state(const std::string& batch);
    [[nodiscard]] base::Result<std::vector<std::size_t>> add_batch_results(
        const std::vector<const std::vector<BatchResult>*>& calls);
    [[nodiscard]] base::Result<BatchItemPage> batch_items(const std::string& batch,
                                                          std::uint32_t after, std::size_t limit,
                                                          std::size_t bytes_max);

private:
    struct Prepared;

    Database(std::unique_ptr<soci::session> session, std::string name);
    void make_tables();
    [[nodiscard]] base::Result<void> check_version();
    void prepare();
    // Runs the work, which returns a value or a result, and turns exceptions into errors.
    template <class Work>
    auto guarded(const char* what, Work work);

    std::string name_;
    std::unique_ptr<soci::session> session_;
    std::unique_ptr<Prepared> prepared_;  // gone before the session
    bool lost_ = false;
};

}  // namespace idlewatt::store
