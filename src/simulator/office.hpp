// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Where receipts go: stands for the coordinator and its store on the simulated bus. Can be closed
// and opened again; what it has committed stays.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "bus/bus.hpp"
#include "core/receipt.hpp"
#include "simulator/world.hpp"

namespace idlewatt::simulator {

class Office {
public:
    explicit Office(World& world) : world_(world) {}

    // Which key a car signs with.
    void enrol(const core::VehicleId& vehicle, std::string public_key);
    void open();
    void close();

private:
    void take(const bus::Message& message);

    World& world_;
    std::map<core::VehicleId, std::string> keys_;
    std::map<core::ReceiptId, core::SignedReceipt> committed_;
    std::unique_ptr<bus::Bus> bus_;
};

}  // namespace idlewatt::simulator
