// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/memory_store.hpp"

#include <algorithm>

#include "store/memory_batches.hpp"

namespace idlewatt::store {

namespace {

tl::unexpected<base::Error> deny_claim(const char* why) {
    return base::fail(base::ErrorKind::denied, std::string("the car cannot be enrolled: ") + why);
}

template <class Key, class Value>
std::vector<Value> values(const std::map<Key, Value>& map) {
    std::vector<Value> all;
    for (const auto& [key, value] : map)
        all.push_back(value);
    return all;
}

Enrolment* find_token(MemoryDatabase& database, const std::string& token_sha256) {
    for (auto& [id, enrolment] : database.enrolments) {
        if (enrolment.token_sha256 == token_sha256)
            return &enrolment;
    }
    return nullptr;
}

base::Result<Vehicle> claim(MemoryDatabase& database, const EnrolmentClaim& asked) {
    Enrolment* const token = find_token(database, asked.token_sha256);
    if (token == nullptr)
        return deny_claim("the token is unknown");
    if (token->revoked_at)
        return deny_claim("the token was withdrawn");
    if (token->expires_at <= asked.now)
        return deny_claim("the token is too old");
    const auto known = std::ranges::find_if(database.vehicles, [&](const auto& one) {
        return one.second.public_key == asked.public_key;
    });
    const bool is_known = known != database.vehicles.end();
    if (token->used_at && (!is_known || known->first != token->vehicle))
        return deny_claim("the token has been used by another car");
    if (is_known && known->second.revoked_at)
        return deny_claim("its key has been revoked; make it a new one");
    if (token->used_at)
        return known->second;
    Vehicle vehicle{{}, asked.public_key, asked.now};
    if (is_known)
        vehicle = known->second;
    vehicle.label = asked.label.empty() ? token->label : asked.label;
    vehicle.fleet = token->fleet;
    vehicle.jwt_expires_at = asked.jwt_expires_at;
    if (!is_known) {
        const auto free = std::ranges::find_if(
            asked.ids, [&](const auto& id) { return !database.vehicles.contains(id); });
        if (free == asked.ids.end())
            return deny_claim("no free id was found for it; try again");
        vehicle.id = *free;
    }
    database.vehicles[vehicle.id] = vehicle;
    token->used_at = asked.now;
    token->vehicle = vehicle.id;
    return vehicle;
}

KeyPage page_of(const MemoryDatabase& database, const core::KeyId& after, std::size_t limit) {
    KeyPage page{database.key_book_version};
    for (auto one = database.keys.upper_bound(after); one != database.keys.end(); ++one) {
        if (page.keys.size() == limit) {
            page.more = true;
            break;
        }
        page.keys.push_back(one->second);
    }
    return page;
}

class MemoryStore final : public Store {
public:
    MemoryStore(base::Loop& loop, std::shared_ptr<MemoryDatabase> database)
        : loop_(loop), database_(std::move(database)) {}

    void put_vehicle(Vehicle vehicle, Callback<void> done) override {
        call<void>(std::move(done), [vehicle = std::move(vehicle)](MemoryDatabase& database) {
            database.vehicles[vehicle.id] = vehicle;
        });
    }

    void list_vehicles(Callback<std::vector<Vehicle>> done) override {
        call<std::vector<Vehicle>>(
            std::move(done), [](MemoryDatabase& database) { return values(database.vehicles); });
    }

    void add_enrolment(Enrolment enrolment, Callback<void> done) override {
        call<void>(std::move(done), [enrolment = std::move(enrolment)](MemoryDatabase& database) {
            database.enrolments.emplace(enrolment.id, enrolment);
        });
    }

    void list_enrolments(Callback<std::vector<Enrolment>> done) override {
        call<std::vector<Enrolment>>(
            std::move(done), [](MemoryDatabase& database) { return values(database.enrolments); });
    }

    void revoke_enrolment(std::string id, base::WallTime at, Callback<Enrolment> done) override {
        call<Enrolment>(
            std::move(done),
            [id = std::move(id), at](MemoryDatabase& database) -> base::Result<Enrolment> {
                const auto found = database.enrolments.find(id);
                if (found == database.enrolments.end())
                    return base::fail(base::ErrorKind::not_found, "no enrolment token has this id");
                if (!found->second.revoked_at)
                    found->second.revoked_at = at;
                return found->second;
            });
    }

    void claim_enrolment(EnrolmentClaim asked, Callback<Vehicle> done) override {
        call<Vehicle>(std::move(done), [asked = std::move(asked)](MemoryDatabase& database) {
            return claim(database, asked);
        });
    }

    void add_key(core::ApiKey key, Callback<std::uint64_t> done) override {
        call<std::uint64_t>(
            std::move(done),
            [key = std::move(key)](MemoryDatabase& database) -> base::Result<std::uint64_t> {
                if (database.keys.size() >= core::keys_max)
                    return base::fail(base::ErrorKind::limit_exceeded, "too many keys");
                const bool taken = std::ranges::any_of(database.keys, [&key](const auto& one) {
                    return one.second.secret_sha256 == key.secret_sha256;
                });
                if (taken || !database.keys.emplace(key.id, key).second)
                    return base::fail(base::ErrorKind::bad_input,
                                      "a key with this id or secret exists already");
                return ++database.key_book_version;
            });
    }

    void revoke_key(core::KeyId id, base::WallTime at, Callback<core::ApiKey> done) override {
        call<core::ApiKey>(
            std::move(done),
            [id = std::move(id), at](MemoryDatabase& database) -> base::Result<core::ApiKey> {
                const auto found = database.keys.find(id);
                if (found == database.keys.end())
                    return base::fail(base::ErrorKind::not_found, "no key has this id");
                if (!found->second.revoked_at) {
                    found->second.revoked_at = at;
                    ++database.key_book_version;
                }
                return found->second;
            });
    }

    void find_key(std::string secret_sha256, Callback<std::optional<core::ApiKey>> done) override {
        using Found = std::optional<core::ApiKey>;
        call<Found>(std::move(done),
                    [secret_sha256 = std::move(secret_sha256)](MemoryDatabase& database) -> Found {
                        for (const auto& [id, key] : database.keys) {
                            if (key.secret_sha256 == secret_sha256)
                                return key;
                        }
                        return std::nullopt;
                    });
    }

    void key_page(core::KeyId after, std::size_t limit, Callback<KeyPage> done) override {
        call<KeyPage>(std::move(done), [after = std::move(after), limit](MemoryDatabase& database) {
            return page_of(database, after, limit);
        });
    }

    void put_model(core::Model model, Callback<void> done) override {
        call<void>(std::move(done), [model = std::move(model)](MemoryDatabase& database) {
            database.models[model.name] = model;
        });
    }

    void erase_model(std::string name, Callback<void> done) override {
        call<void>(std::move(done),
                   [name = std::move(name)](MemoryDatabase& database) -> base::Result<void> {
                       if (database.models.erase(name) == 0)
                           return base::fail(base::ErrorKind::not_found, "no model has this name");
                       return {};
                   });
    }

    void list_models(Callback<std::vector<core::Model>> done) override {
        call<std::vector<core::Model>>(
            std::move(done), [](MemoryDatabase& database) { return values(database.models); });
    }

    void put_assignments(std::vector<VehicleAssignment> assignments, Callback<void> done) override {
        call<void>(std::move(done),
                   [assignments = std::move(assignments)](MemoryDatabase& database) {
                       for (const VehicleAssignment& one : assignments)
                           database.assignments[one.vehicle] = one;
                   });
    }

    void list_assignments(Callback<std::vector<VehicleAssignment>> done) override {
        call<std::vector<VehicleAssignment>>(
            std::move(done), [](MemoryDatabase& database) { return values(database.assignments); });
    }

    void add_receipts(std::vector<StoredReceipt> receipts, Callback<std::size_t> done) override {
        call<std::size_t>(std::move(done),
                          [receipts = std::move(receipts)](MemoryDatabase& database) {
                              std::size_t added = 0;
                              for (const StoredReceipt& one : receipts) {
                                  const core::Receipt& receipt = one.receipt;
                                  const std::pair attempt{receipt.vehicle, receipt.attempt};
                                  if (database.attempts.contains(attempt))
                                      continue;
                                  if (!database.ids.emplace(receipt.vehicle, receipt.id).second)
                                      continue;
                                  database.attempts.insert(attempt);
                                  database.receipts.push_back(one);
                                  ++added;
                              }
                              return added;
                          });
    }

    void receipt_totals(Callback<ReceiptTotals> done) override {
        call<ReceiptTotals>(std::move(done), [](MemoryDatabase& database) {
            ReceiptTotals totals;
            for (const StoredReceipt& one : database.receipts) {
                ++totals.receipts;
                totals.generated_tokens += one.receipt.generated_tokens;
                totals.acknowledged_tokens += one.receipt.acknowledged_tokens;
            }
            return totals;
        });
    }

    void add_deliveries(std::vector<StoredDelivery> deliveries,
                        Callback<std::size_t> done) override {
        call<std::size_t>(
            std::move(done), [deliveries = std::move(deliveries)](MemoryDatabase& database) {
                std::size_t added = 0;
                for (const StoredDelivery& one : deliveries) {
                    const core::Delivery& delivery = one.delivery;
                    const std::pair attempt{delivery.gateway, delivery.attempt};
                    if (database.delivered_attempts.contains(attempt))
                        continue;
                    if (!database.delivery_ids.emplace(delivery.gateway, delivery.id).second)
                        continue;
                    database.delivered_attempts.insert(attempt);
                    database.deliveries.push_back(one);
                    ++added;
                }
                return added;
            });
    }

    void delivery_totals(Callback<DeliveryTotals> done) override {
        call<DeliveryTotals>(std::move(done), [](MemoryDatabase& database) {
            DeliveryTotals totals;
            for (const StoredDelivery& one : database.deliveries) {
                ++totals.deliveries;
                totals.delivered_tokens += one.delivery.delivered_tokens;
            }
            return totals;
        });
    }

    void add_file(File file, Callback<void> done) override {
        call<void>(std::move(done), [file = std::move(file)](MemoryDatabase& database) {
            database.files.emplace(file.id, file);
        });
    }

    void erase_file(std::string id, Callback<void> done) override {
        call<void>(std::move(done),
                   [id = std::move(id)](MemoryDatabase& database) -> base::Result<void> {
                       if (database.files.erase(id) == 0)
                           return base::fail(base::ErrorKind::not_found, "no file has this id");
                       return {};
                   });
    }

    void list_files(Callback<std::vector<File>> done) override {
        call<std::vector<File>>(std::move(done),
                                [](MemoryDatabase& database) { return values(database.files); });
    }

    void put_batch(Batch batch, Callback<void> done) override {
        call<void>(std::move(done), [batch = std::move(batch)](MemoryDatabase& database) {
            database.batches[batch.id] = batch;
        });
    }

    void find_batch(std::string id, Callback<std::optional<Batch>> done) override {
        using Found = std::optional<Batch>;
        call<Found>(std::move(done), [id = std::move(id)](MemoryDatabase& database) -> Found {
            const auto found = database.batches.find(id);
            return found == database.batches.end() ? Found{} : found->second;
        });
    }

    void batch_page(core::KeyId key, std::string after, std::size_t limit,
                    Callback<BatchPage> done) override {
        call<BatchPage>(std::move(done), [key = std::move(key), after = std::move(after),
                                          limit](MemoryDatabase& database) {
            return memory_batch_page(database, key, after, limit);
        });
    }

    void open_batches(Callback<std::vector<Batch>> done) override {
        call<std::vector<Batch>>(std::move(done), [](MemoryDatabase& database) {
            std::vector<Batch> open = values(database.batches);
            std::erase_if(open, [](const Batch& one) { return is_terminal(one.status); });
            return open;
        });
    }

    void add_batch_lines(std::string batch, std::vector<BatchLine> lines,
                         Callback<void> done) override {
        call<void>(std::move(done),
                   [batch = std::move(batch), lines = std::move(lines)](MemoryDatabase& database) {
                       memory_add_lines(database, batch, lines);
                   });
    }

    void batch_state(std::string batch, Callback<BatchState> done) override {
        call<BatchState>(std::move(done), [batch = std::move(batch)](MemoryDatabase& database) {
            return memory_batch_state(database, batch);
        });
    }

    void add_batch_results(std::vector<BatchResult> results, Callback<std::size_t> done) override {
        call<std::size_t>(std::move(done),
                          [results = std::move(results)](MemoryDatabase& database) {
                              return memory_add_results(database, results);
                          });
    }

    void batch_items(std::string batch, std::uint32_t after, std::size_t limit,
                     std::size_t bytes_max, Callback<BatchItemPage> done) override {
        call<BatchItemPage>(std::move(done), [batch = std::move(batch), after, limit,
                                              bytes_max](MemoryDatabase& database) {
            return memory_batch_items(database, batch, after, limit, bytes_max);
        });
    }

    void end_batch(Batch batch, std::vector<File> files, Callback<void> done) override {
        call<void>(std::move(done),
                   [batch = std::move(batch), files = std::move(files)](MemoryDatabase& database) {
                       memory_end_batch(database, batch, files);
                   });
    }

    void ended_batches(base::WallTime before, std::size_t limit,
                       Callback<std::vector<Batch>> done) override {
        call<std::vector<Batch>>(std::move(done), [before, limit](MemoryDatabase& database) {
            return memory_ended_batches(database, before, limit);
        });
    }

    void erase_batch(std::string id, Callback<void> done) override {
        call<void>(std::move(done), [id = std::move(id)](MemoryDatabase& database) {
            const auto found = database.batches.find(id);
            if (found != database.batches.end() && is_terminal(found->second.status))
                database.batches.erase(found);
        });
    }

private:
    // The work is done now, as by a database that is killed only after the commit; the answer
    // comes after the latency.
    template <class T, class Work>
    void call(Callback<T> done, Work work) {
        base::Result<T> result =
            base::fail(base::ErrorKind::unavailable, "store in memory: told to fail");
        if (waiting_->count >= calls_max) {
            result = base::fail(base::ErrorKind::unavailable, "store: too many calls wait");
        } else if (!database_->failing) {
            if constexpr (std::is_void_v<decltype(work(*database_))>) {
                work(*database_);
                result = {};
            } else {
                result = work(*database_);
            }
        }
        ++waiting_->count;
        loop_.after(database_->latency, [waiting = std::weak_ptr(waiting_), done = std::move(done),
                                         result = std::move(result)] {
            const auto alive = waiting.lock();
            if (!alive)
                return;
            --alive->count;
            done(result);
        });
    }

    struct Waiting {
        std::size_t count = 0;
    };

    base::Loop& loop_;
    std::shared_ptr<MemoryDatabase> database_;
    std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();  // gone with the store
};

}  // namespace

std::unique_ptr<Store> open_memory_store(base::Loop& loop,
                                         std::shared_ptr<MemoryDatabase> database) {
    return std::make_unique<MemoryStore>(loop, std::move(database));
}

}  // namespace idlewatt::store
