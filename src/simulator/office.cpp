// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/office.hpp"

#include "identity/identity.hpp"
#include "wire/wire.hpp"

namespace idlewatt::simulator {

void Office::enrol(const core::VehicleId& vehicle, std::string public_key) {
    keys_[vehicle] = std::move(public_key);
}

void Office::open() {
    bus_ = world_.hub.connect("coordinator", "coordinator");
    bus_->subscribe(world_.subjects.all_receipts(),
                    [this](const bus::Message& message) { take(message); });
}

void Office::close() {
    bus_.reset();
}

void Office::take(const bus::Message& message) {
    const auto vehicle = wire::parse_vehicle(message.subject);
    const auto batch = wire::decode_receipts(message.payload);
    if (!vehicle || !batch) {
        world_.trace.violation("office", "garbage on " + message.subject);
        return;
    }
    wire::ReceiptsAnswer answer;
    for (const core::SignedReceipt& one : *batch) {
        const auto receipt = wire::decode_receipt(one.payload);
        if (!receipt || receipt->id != one.id || receipt->vehicle != *vehicle ||
            !identity::verify(keys_[*vehicle], one.payload, one.signature)) {
            world_.trace.violation("office", "a receipt that is not its car's: " + one.id.value);
            answer.refused.push_back(one.id);
            continue;
        }
        const auto [place, is_new] = committed_.emplace(one.id, one);
        if (is_new) {
            world_.books.committed(*receipt);
        } else if (place->second != one) {
            world_.trace.violation("office", "receipt " + one.id.value + " came in two versions");
        }
        answer.committed.push_back(one.id);
    }
    bus_->reply(message, wire::encode(answer));
}

}  // namespace idlewatt::simulator
