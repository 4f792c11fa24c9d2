// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A store whose database works on a thread of its own: calls queue up, and all receipts (or all
// delivery records, or results of batches) that stand behind each other in the queue become one
// transaction, so that one sync of the disk serves many cars. A lost database is opened again by
// the next call, at most once in reopen_period. Only for the sources of this module.
#pragma once

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <variant>

#include "base/loop.hpp"
#include "store/database.hpp"
#include "store/store.hpp"

namespace idlewatt::store {

class SociStore final : public Store {
public:
    // Called on the database's thread; blocks.
    using Open = std::function<base::Result<std::unique_ptr<Database>>()>;

    SociStore(base::Loop& loop, std::unique_ptr<Database> database, Open open_again);
    ~SociStore() override;

    SociStore(const SociStore&) = delete;
    SociStore& operator=(const SociStore&) = delete;

    void put_vehicle(Vehicle vehicle, Callback<void> done) override;
    void list_vehicles(Callback<std::vector<Vehicle>> done) override;
    void add_enrolment(Enrolment enrolment, Callback<void> done) override;
    void list_enrolments(Callback<std::vector<Enrolment>> done) override;
    void revoke_enrolment(std::string id, base::WallTime at, Callback<Enrolment> done) override;
    void claim_enrolment(EnrolmentClaim claim, Callback<Vehicle> done) override;
    void add_key(core::ApiKey key, Callback<std::uint64_t> done) override;
    void revoke_key(core::KeyId id, base::WallTime at, Callback<core::ApiKey> done) override;
    void find_key(std::string secret_sha256, Callback<std::optional<core::ApiKey>> done) override;
    void key_page(core::KeyId after, std::size_t limit, Callback<KeyPage> done) override;
    void put_model(core::Model model, Callback<void> done) override;
    void erase_model(std::string name, Callback<void> done) override;
    void list_models(Callback<std::vector<core::Model>> done) override;
    void put_assignments(std::vector<VehicleAssignment> assignments, Callback<void> done) override;
    void list_assignments(Callback<std::vector<VehicleAssignment>> done) override;
    void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) override;
    void receipt_totals(Callback<ReceiptTotals> done) override;
    void add_deliveries(std::vector<StoredDelivery> deliveries,
                        Callback<std::size_t> done) override;
    void delivery_totals(Callback<DeliveryTotals> done) override;

    void add_file(File file, Callback<void> done) override;
    void erase_file(std::string id, Callback<void> done) override;
    void list_files(Callback<std::vector<File>> done) override;
    void put_batch(Batch batch, Callback<void> done) override;
    void find_batch(std::string id, Callback<std::optional<Batch>> done) override;
    void batch_page(core::KeyId key, std::string after, std::size_t limit,
                    Callback<BatchPage> done) override;
    void open_batches(Callback<std::vector<Batch>> done) override;
    void add_batch_lines(std::string batch, std::vector<BatchLine> lines,
                         Callback<void> done) override;
    void batch_state(std::string batch, Callback<BatchState> done) override;
    void add_batch_results(std::vector<BatchResult> results, Callback<std::size_t> done) override;
    void batch_items(std::string batch, std::uint32_t after, std::size_t limit,
                     std::size_t bytes_max, Callback<BatchItemPage> done) override;
    void end_batch(Batch batch, std::vector<File> files, Callback<void> done) override;
    void ended_batches(base::WallTime before, std::size_t limit,
                       Callback<std::vector<Batch>> done) override;
    void erase_batch(std::string id, Callback<void> done) override;

private:
    template <class Record>
    struct Add {
        std::vector<Record> records;
        Callback<std::size_t> done;
    };
    struct Other {
        std::function<void()> run;  // on the database's thread
    };
    using Call = std::variant<Other, Add<StoredReceipt>, Add<StoredDelivery>, Add<BatchResult>>;

    // False when too many wait.
    bool enqueue(Call call);
    template <class T, class Work>
    void ask(Callback<T> done, Work work);
    template <class Record>
    void add(std::vector<Record> records, Callback<std::size_t> done);
    template <class T>
    void answer(Callback<T> done, base::Result<T> result);
    template <class T>
    void refuse(Callback<T> done);

    // On the database's thread.
    void work();
    template <class Record>
    void run_group(std::deque<Call>& calls);
    template <class T, class Work>
    base::Result<T> with_database(Work work);
    static base::Result<std::vector<std::size_t>> add_all(
        Database& database, const std::vector<const std::vector<StoredReceipt>*>& calls);
    static base::Result<std::vector<std::size_t>> add_all(
        Database& database, const std::vector<const std::vector<StoredDelivery>*>& calls);
    static base::Result<std::vector<std::size_t>> add_all(
        Database& database, const std::vector<const std::vector<BatchResult>*>& calls);

    // Constant after construction.
    base::Loop& loop_;
    const Open open_again_;
    // The loop's thread: callbacks look whether the store is still there.
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    const std::weak_ptr<bool> alive_mark_ = alive_;

    // Guarded by mutex_.
    std::mutex mutex_;
    std::condition_variable changed_;
    std::deque<Call> queue_;
    bool closing_ = false;

    // The database's thread.
    std::unique_ptr<Database> database_;  // nullptr: lost
    std::chrono::steady_clock::time_point next_open_{};
    std::string lost_because_;
    std::thread thread_;  // last: starts when all else is there
};

}  // namespace idlewatt::store
