// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/soci_store.hpp"

#include <utility>

#include "base/log.hpp"

namespace idlewatt::store {

namespace {

constexpr std::size_t group_records_max = 4096;
constexpr std::chrono::milliseconds reopen_period{500};

}  // namespace

SociStore::SociStore(base::Loop& loop, std::unique_ptr<Database> database, Open open_again)
    : loop_(loop),
      open_again_(std::move(open_again)),
      database_(std::move(database)),
      thread_([this] { work(); }) {}

SociStore::~SociStore() {
    alive_.reset();
    {
        const std::lock_guard lock(mutex_);
        closing_ = true;
    }
    changed_.notify_one();
    thread_.join();
}

// ── the loop's thread ───────────────────────────────────────────────────────────────────────────

bool SociStore::enqueue(Call call) {
    const std::lock_guard lock(mutex_);
    if (queue_.size() >= calls_max)
        return false;
    queue_.emplace_back(std::move(call));
    changed_.notify_one();
    return true;
}

template <class T, class Work>
void SociStore::ask(Callback<T> done, Work work) {
    if (!enqueue(Other{[this, done, work = std::move(work)] {
            answer(done, with_database<T>([&](Database& database) { return work(database); }));
        }})) {
        refuse(std::move(done));
    }
}

template <class Record>
void SociStore::add(std::vector<Record> records, Callback<std::size_t> done) {
    if (!enqueue(Add<Record>{std::move(records), done}))
        refuse(std::move(done));
}

template <class T>
void SociStore::refuse(Callback<T> done) {
    answer(std::move(done),
           base::Result<T>(base::fail(
               base::ErrorKind::unavailable,
               "store: " + std::to_string(calls_max) + " calls wait already; try again later")));
}

// Any thread.
template <class T>
void SociStore::answer(Callback<T> done, base::Result<T> result) {
    loop_.post([alive = alive_mark_, done = std::move(done), result = std::move(result)]() mutable {
        if (!alive.expired())
            done(std::move(result));
    });
}

void SociStore::put_vehicle(Vehicle vehicle, Callback<void> done) {
    ask(std::move(done), [vehicle = std::move(vehicle)](Database& database) {
        return database.put_vehicle(vehicle);
    });
}
void SociStore::list_vehicles(Callback<std::vector<Vehicle>> done) {
    ask(std::move(done), [](Database& database) { return database.list_vehicles(); });
}
void SociStore::add_enrolment(Enrolment enrolment, Callback<void> done) {
    ask(std::move(done), [enrolment = std::move(enrolment)](Database& database) {
        return database.add_enrolment(enrolment);
    });
}
void SociStore::list_enrolments(Callback<std::vector<Enrolment>> done) {
    ask(std::move(done), [](Database& database) { return database.list_enrolments(); });
}
void SociStore::revoke_enrolment(std::string id, base::WallTime at, Callback<Enrolment> done) {
    ask(std::move(done),
        [id = std::move(id), at](Database& database) { return database.revoke_enrolment(id, at); });
}
void SociStore::claim_enrolment(EnrolmentClaim claim, Callback<Vehicle> done) {
    ask(std::move(done),
        [claim = std::move(claim)](Database& database) { return database.claim_enrolment(claim); });
}
void SociStore::add_key(core::ApiKey key, Callback<std::uint64_t> done) {
    ask(std::move(done),
        [key = std::move(key)](Database& database) { return database.add_key(key); });
}
void SociStore::revoke_key(core::KeyId id, base::WallTime at, Callback<core::ApiKey> done) {
    ask(std::move(done),
        [id = std::move(id), at](Database& database) { return database.revoke_key(id, at); });
}
void SociStore::find_key(std::string secret_sha256, Callback<std::optional<core::ApiKey>> done) {
    ask(std::move(done), [secret_sha256 = std::move(secret_sha256)](Database& database) {
        return database.find_key(secret_sha256);
    });
}
void SociStore::key_page(core::KeyId after, std::size_t limit, Callback<KeyPage> done) {
    ask(std::move(done), [after = std::move(after), limit](Database& database) {
        return database.key_page(after, limit);
    });
}
void SociStore::put_model(core::Model model, Callback<void> done) {
    ask(std::move(done),
        [model = std::move(model)](Database& database) { return database.put_model(model); });
}
void SociStore::erase_model(std::string name, Callback<void> done) {
    ask(std::move(done),
        [name = std::move(name)](Database& database) { return database.erase_model(name); });
}
void SociStore::list_models(Callback<std::vector<core::Model>> done) {
    ask(std::move(done), [](Database& database) { return database.list_models(); });
}
void SociStore::put_assignments(std::vector<VehicleAssignment> assignments, Callback<void> done) {
    ask(std::move(done), [assignments = std::move(assignments)](Database& database) {
        return database.put_assignments(assignments);
    });
}
void SociStore::list_assignments(Callback<std::vector<VehicleAssignment>> done) {
    ask(std::move(done), [](Database& database) { return database.list_assignments(); });
}
void SociStore::add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) {
    add(std::move(receipts), std::move(done));
}
void SociStore::receipt_totals(Callback<ReceiptTotals> done) {
    ask(std::move(done), [](Database& database) { return database.receipt_totals(); });
}
void SociStore::add_deliveries(std::vector<StoredDelivery> deliveries, Callback<std::size_t> done) {
    add(std::move(deliveries), std::move(done));
}
void SociStore::delivery_totals(Callback<DeliveryTotals> done) {
    ask(std::move(done), [](Database& database) { return database.delivery_totals(); });
}

// ── files and batches ───────────────────────────────────────────────────────────────────────────

void SociStore::add_file(File file, Callback<void> done) {
    ask(std::move(done),
        [file = std::move(file)](Database& database) { return database.add_file(file); });
}
void SociStore::erase_file(std::string id, Callback<void> done) {
    ask(std::move(done),
        [id = std::move(id)](Database& database) { return database.erase_file(id); });
}
void SociStore::list_files(Callback<std::vector<File>> done) {
    ask(std::move(done), [](Database& database) { return database.list_files(); });
}
void SociStore::put_batch(Batch batch, Callback<void> done) {
    ask(std::move(done),
        [batch = std::move(batch)](Database& database) { return database.put_batch(batch); });
}
void SociStore::find_batch(std::string id, Callback<std::optional<Batch>> done) {
    ask(std::move(done),
        [id = std::move(id)](Database& database) { return database.find_batch(id); });
}
void SociStore::batch_page(core::KeyId key, std::string after, std::size_t limit,
                           Callback<BatchPage> done) {
    ask(std::move(done),
        [key = std::move(key), after = std::move(after), limit](Database& database) {
            return database.batch_page(key, after, limit);
        });
}
void SociStore::open_batches(Callback<std::vector<Batch>> done) {
    ask(std::move(done), [](Database& database) { return database.open_batches(); });
}
void SociStore::add_batch_lines(std::string batch, std::vector<BatchLine> lines,
                                Callback<void> done) {
    ask(std::move(done), [batch = std::move(batch), lines = std::move(lines)](Database& database) {
        return database.add_batch_lines(batch, lines);
    });
}
void SociStore::batch_state(std::string batch, Callback<BatchState> done) {
    ask(std::move(done),
        [batch = std::move(batch)](Database& database) { return database.batch_state(batch); });
}
void SociStore::add_batch_results(std::vector<BatchResult> results, Callback<std::size_t> done) {
    add(std::move(results), std::move(done));
}
void SociStore::batch_items(std::string batch, std::uint32_t after, std::size_t limit,
                            std::size_t bytes_max, Callback<BatchItemPage> done) {
    ask(std::move(done), [batch = std::move(batch), after, limit, bytes_max](Database& database) {
        return database.batch_items(batch, after, limit, bytes_max);
    });
}
void SociStore::end_batch(Batch batch, std::vector<File> files, Callback<void> done) {
    ask(std::move(done), [batch = std::move(batch), files = std::move(files)](Database& database) {
        return database.end_batch(batch, files);
    });
}

void SociStore::ended_batches(base::WallTime before, std::size_t limit,
                              Callback<std::vector<Batch>> done) {
    ask(std::move(done),
        [before, limit](Database& database) { return database.ended_batches(before, limit); });
}

void SociStore::erase_batch(std::string id, Callback<void> done) {
    ask(std::move(done),
        [id = std::move(id)](Database& database) { return database.erase_batch(id); });
}

// ── the database's thread ───────────────────────────────────────────────────────────────────────

void SociStore::work() {
    while (true) {
        std::deque<Call> calls;
        {
            std::unique_lock lock(mutex_);
            changed_.wait(lock, [this] { return closing_ || !queue_.empty(); });
            if (queue_.empty())
                return;
            calls.swap(queue_);
        }
        while (!calls.empty()) {
            if (std::holds_alternative<Add<StoredReceipt>>(calls.front())) {
                run_group<StoredReceipt>(calls);
            } else if (std::holds_alternative<Add<StoredDelivery>>(calls.front())) {
                run_group<StoredDelivery>(calls);
            } else if (std::holds_alternative<Add<BatchResult>>(calls.front())) {
                run_group<BatchResult>(calls);
            } else {
                std::get<Other>(calls.front()).run();
                calls.pop_front();
            }
        }
    }
}

template <class T, class Work>
base::Result<T> SociStore::with_database(Work work) {
    if (!database_) {
        if (std::chrono::steady_clock::now() >= next_open_) {
            auto opened = open_again_();
            // From its end: a try may take longer than the period.
            next_open_ = std::chrono::steady_clock::now() + reopen_period;
            if (opened) {
                database_ = std::move(*opened);
                base::log_info("store", "the database is back");
            } else {
                lost_because_ = opened.error().message;
            }
        }
        if (!database_)
            return base::fail(base::ErrorKind::unavailable, lost_because_);
    }
    base::Result<T> result = work(*database_);
    if (database_->lost() && open_again_) {
        lost_because_ = result.error().message;
        base::log_warning("store", lost_because_);
        database_.reset();
    }
    return result;
}

base::Result<std::vector<std::size_t>> SociStore::add_all(
    Database& database, const std::vector<const std::vector<StoredReceipt>*>& calls) {
    return database.add_receipts(calls);
}
base::Result<std::vector<std::size_t>> SociStore::add_all(
    Database& database, const std::vector<const std::vector<StoredDelivery>*>& calls) {
    return database.add_deliveries(calls);
}
base::Result<std::vector<std::size_t>> SociStore::add_all(
    Database& database, const std::vector<const std::vector<BatchResult>*>& calls) {
    return database.add_batch_results(calls);
}

// Takes the calls of one transaction off the front.
template <class Record>
void SociStore::run_group(std::deque<Call>& calls) {
    std::vector<Add<Record>> group;
    std::size_t records = 0;
    while (!calls.empty() && records < group_records_max) {
        auto* call = std::get_if<Add<Record>>(&calls.front());
        if (call == nullptr)
            break;
        records += call->records.size();
        group.push_back(std::move(*call));
        calls.pop_front();
    }
    std::vector<const std::vector<Record>*> batches;
    for (const Add<Record>& call : group)
        batches.push_back(&call.records);
    using Added = std::vector<std::size_t>;
    const auto write = [this](const std::vector<const std::vector<Record>*>& some) {
        return with_database<Added>(
            [&some](Database& database) { return add_all(database, some); });
    };
    const base::Result<Added> added = write(batches);
    for (std::size_t i = 0; i < group.size(); ++i) {
        if (added) {
            answer<std::size_t>(std::move(group[i].done), added->at(i));
            continue;
        }
        base::Result<std::size_t> result = tl::unexpected(added.error());
        // One batch that the database does not take must not keep the others out.
        if (group.size() > 1 && database_) {
            result = write({batches[i]}).map([](const Added& counts) { return counts.at(0); });
        }
        answer(std::move(group[i].done), std::move(result));
    }
}

}  // namespace idlewatt::store
