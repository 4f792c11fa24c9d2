// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/office.hpp"

namespace idlewatt::simulator {

void Office::open() {
    bus_ = world_.hub.connect("coordinator", "coordinator");
    store_ = store::open_memory_store(world_.loop, database_);
    coordinator_ =
        std::make_unique<coordinator::Coordinator>(coordinator::Parts{world_.loop, *bus_, *store_},
                                                   coordinator::Options{world_.subjects.cell});
    coordinator_->start();
}

void Office::close() {
    coordinator_.reset();
    store_.reset();
    bus_.reset();
}

void Office::enrol(const core::VehicleId& vehicle, std::string public_key) {
    coordinator_->enrol(vehicle, std::move(public_key), [this](const base::Result<void>& done) {
        if (!done)
            world_.trace.violation("office", "a car was not enrolled: " + done.error().message);
    });
}

}  // namespace idlewatt::simulator
