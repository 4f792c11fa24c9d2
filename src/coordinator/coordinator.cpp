// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/coordinator.hpp"

#include <utility>

#include "base/log.hpp"
#include "coordinator/admin_desk.hpp"
#include "coordinator/blob_desk.hpp"
#include "coordinator/delivery_desk.hpp"
#include "coordinator/key_desk.hpp"
#include "coordinator/placement_desk.hpp"
#include "coordinator/revocation_desk.hpp"
#include "identity/identity.hpp"
#include "wire/cell.hpp"
#include "wire/wire.hpp"

namespace idlewatt::coordinator {

namespace {

// Checking a signature takes some 50 µs: a few at a time, so that the loop is never held up.
constexpr std::size_t checks_per_task = 16;

}  // namespace

// The signatures of one batch on their way.
struct Coordinator::Check {
    CheckSignatures asked;
    std::vector<bool> valid;
};

// What a coordinator that signs has beside its core, in the order in which they need each other.
struct Coordinator::Desks {
    Desks(const Parts& parts, Cars& cars, Options options)
        : credentials(options.cell, *options.authority, options.jwt_life),
          revocations(parts.loop, parts.bus, credentials),
          keys(parts.loop, parts.bus, parts.store, options.cell),
          deliveries(parts.loop, parts.bus, parts.store, options.cell,
                     credentials.account_public_key()),
          placement(
              parts.loop, parts.bus, parts.store, cars,
              {options.cell, options.public_url + std::string(blobs_path),
               [this](const core::Model& model) { return !blobs || blobs->has(model.sha256); }}) {
        if (parts.server == nullptr)
            return;
        if (parts.blobs != nullptr) {
            blobs.emplace(parts.loop, *parts.server, *parts.blobs);
            blobs->on_whole([this] { placement.place_soon(); });
            door.emplace(parts.loop, *parts.server, options.seed + 1);
            files.emplace(parts.loop, parts.store, *parts.blobs, *door);
            batches.emplace(
                BatchDeskParts{parts.loop, parts.bus, parts.store, *parts.blobs, *files, *door},
                options.cell, [this, &loop = parts.loop](const std::string& model) {
                    return placement.placer().knows_model(model, loop.now());
                });
        }
        admin.emplace(
            AdminParts{parts.loop, *parts.server, parts.store, cars, credentials, placement, keys,
                       revocations, blobs ? &*blobs : nullptr, door ? &*door : nullptr,
                       files ? &*files : nullptr, batches ? &*batches : nullptr},
            AdminOptions{options.cell, std::move(options.nats_urls),
                         std::move(options.operator_key_sha256), options.seed});
    }

    Credentials credentials;
    RevocationDesk revocations;
    KeyDesk keys;
    DeliveryDesk deliveries;
    std::optional<BlobDesk> blobs;
    PlacementDesk placement;
    std::optional<ClientDoor> door;
    std::optional<FileDesk> files;
    std::optional<BatchDesk> batches;
    std::optional<AdminDesk> admin;
};

Coordinator::Coordinator(const Parts& parts, Options options)
    : loop_(parts.loop), bus_(parts.bus), store_(parts.store), subjects_{options.cell} {
    if (options.authority)
        desks_ = std::make_unique<Desks>(parts, static_cast<Cars&>(*this), std::move(options));
}

Coordinator::~Coordinator() {
    for (const bus::SubscriptionId subscription : subscriptions_)
        bus_.unsubscribe(subscription);
}

void Coordinator::start() {
    subscriptions_.push_back(bus_.subscribe(
        subjects_.all_receipts(), [this](const bus::Message& message) { on_receipts(message); }));
    subscriptions_.push_back(
        bus_.subscribe(subjects_.coordinator_totals(),
                       [this](const bus::Message& message) { on_totals(message); }));
    if (desks_) {
        subscriptions_.push_back(
            bus_.subscribe(subjects_.all_renewals(),
                           [this](const bus::Message& message) { on_renewal(message); }));
        bus_.on_state([this, alive = std::weak_ptr(alive_)](bool connected) {
            if (alive.expired() || !connected)
                return;
            desks_->revocations.connected();
            desks_->placement.connected();
        });
        desks_->placement.on_loaded([this] {
            for (const auto& [name, model] : desks_->placement.placer().models()) {
                if (desks_->blobs)
                    desks_->blobs->keep(name, model.sha256);
            }
        });
        desks_->placement.start();
        if (desks_->batches) {
            desks_->files->start();
            desks_->batches->start();
        }
    }
    feed(Started{});
}

// ── what desks ask about cars ───────────────────────────────────────────────────────────────────

const store::Vehicle* Coordinator::find(const core::VehicleId& vehicle) const {
    const auto found = core_.vehicles().find(vehicle);
    return found == core_.vehicles().end() ? nullptr : &found->second;
}

std::vector<store::Vehicle> Coordinator::all() const {
    std::vector<store::Vehicle> all;
    for (const auto& [id, vehicle] : core_.vehicles())
        all.push_back(vehicle);
    return all;
}

std::vector<store::Vehicle> Coordinator::revoked() const {
    std::vector<store::Vehicle> revoked;
    for (const auto& [id, vehicle] : core_.vehicles()) {
        if (vehicle.revoked_at)
            revoked.push_back(vehicle);
    }
    return revoked;
}

void Coordinator::put(store::Vehicle vehicle, std::function<void(base::Result<void>)> done) {
    enrolling_.emplace(vehicle.id, std::move(done));
    feed(EnrolAsked{std::move(vehicle)});
}

bool Coordinator::revocations_settled() const {
    return !desks_ || desks_->revocations.settled();
}

// The server of the bus has checked that the car is the one of the subject.
void Coordinator::on_renewal(const bus::Message& message) {
    const auto vehicle = wire::parse_vehicle(message.subject);
    if (!vehicle || message.reply.empty())
        return;
    const store::Vehicle* const car = find(*vehicle);
    if (car == nullptr)
        return look_again();
    if (car->revoked_at)
        return;
    bus_.reply(message, wire::encode(desks_->credentials.for_vehicle(*car, loop_.wall_now())));
}

void Coordinator::enrol(core::VehicleId vehicle, std::string public_key,
                        std::function<void(base::Result<void>)> done) {
    put({std::move(vehicle), std::move(public_key), loop_.wall_now()}, std::move(done));
}

void Coordinator::on_receipts(const bus::Message& message) {
    const std::optional<core::VehicleId> vehicle = wire::parse_vehicle(message.subject);
    if (!vehicle || message.reply.empty() || !core_.has_room(*vehicle)) {
        ++counts_.batches_not_taken;
        return;
    }
    auto receipts = wire::decode_receipts(message.payload);
    if (!receipts) {
        ++counts_.batches_not_taken;
        base::log_warning("coordinator", "car " + vehicle->value + ": " + receipts.error().message);
        return;
    }
    ++counts_.batches;
    const BatchId batch(next_batch_++);
    requests_[batch] = bus::Message{message.subject, message.reply, {}};
    BatchArrived arrived{batch, *vehicle, {}};
    for (core::SignedReceipt& receipt : *receipts) {
        const auto decoded = wire::decode_receipt(receipt.payload);
        arrived.receipts.push_back(
            {std::move(receipt), decoded ? std::optional(*decoded) : std::nullopt});
    }
    feed(arrived);
}

// A question that needs no decision: from the store to the asker.
void Coordinator::on_totals(const bus::Message& message) {
    store_.receipt_totals([this, alive = std::weak_ptr(alive_),
                           message](const base::Result<store::ReceiptTotals>& totals) {
        if (alive.expired() || !totals)
            return;
        bus_.reply(message, wire::encode(wire::Totals{totals->receipts, totals->generated_tokens,
                                                      totals->acknowledged_tokens}));
    });
}

void Coordinator::feed(const Event& event) {
    for (Effect& effect : core_.handle(event, loop_.now())) {
        std::visit([this](auto& one) { run(one); }, effect);
    }
}

void Coordinator::run(LoadVehicles&) {
    store_.list_vehicles([this, alive = std::weak_ptr(alive_)](auto vehicles) {
        if (alive.expired())
            return;
        feed(VehiclesLoaded{std::move(vehicles)});
        if (desks_)
            desks_->revocations.update(revoked());
    });
}

void Coordinator::run(StoreVehicle& effect) {
    store_.put_vehicle(effect.vehicle, [this, alive = std::weak_ptr(alive_),
                                        vehicle = effect.vehicle](base::Result<void> done) {
        if (!alive.expired())
            feed(VehicleStored{vehicle, std::move(done)});
    });
}

void Coordinator::run(Enrolled& effect) {
    const auto asked = enrolling_.find(effect.vehicle);
    if (asked == enrolling_.end())
        return;
    const auto done = std::move(asked->second);
    enrolling_.erase(asked);
    done(effect.done);
}

void Coordinator::run(CheckSignatures& effect) {
    check_some(std::make_shared<Check>(Check{std::move(effect), {}}));
}

void Coordinator::check_some(const std::shared_ptr<Check>& check) {
    loop_.post([this, alive = std::weak_ptr(alive_), check] {
        if (alive.expired())
            return;
        const std::vector<core::SignedReceipt>& receipts = check->asked.receipts;
        for (std::size_t n = 0; n < checks_per_task && check->valid.size() < receipts.size(); ++n) {
            const core::SignedReceipt& receipt = receipts[check->valid.size()];
            check->valid.push_back(
                identity::verify(check->asked.public_key, receipt.payload, receipt.signature));
        }
        if (check->valid.size() < receipts.size()) {
            check_some(check);
        } else {
            feed(SignaturesChecked{check->asked.batch, std::move(check->valid)});
        }
    });
}

void Coordinator::run(Commit& effect) {
    store_.add_receipts(std::move(effect.receipts),
                        [this, alive = std::weak_ptr(alive_),
                         batch = effect.batch](base::Result<std::size_t> added) {
                            if (!alive.expired())
                                feed(Committed{batch, std::move(added)});
                        });
}

void Coordinator::run(Answer& effect) {
    const auto request = requests_.find(effect.batch);
    if (request == requests_.end())
        return;
    counts_.receipts_committed += effect.committed.size();
    counts_.receipts_refused += effect.refused.size();
    bus_.reply(request->second, wire::encode(wire::ReceiptsAnswer{std::move(effect.committed),
                                                                  std::move(effect.refused)}));
    requests_.erase(request);
}

void Coordinator::run(Forget& effect) {
    requests_.erase(effect.batch);
}

void Coordinator::run(WakeAfter& effect) {
    loop_.after(effect.delay, [this, alive = std::weak_ptr(alive_)] {
        if (!alive.expired())
            feed(Woken{});
    });
}

void Coordinator::run(Log& effect) {
    base::log(effect.level, "coordinator", effect.text);
}

}  // namespace idlewatt::coordinator
