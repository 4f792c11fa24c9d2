// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The simulated coordinator: the production role on the twins of bus and store, in a process that
// can be closed and opened again. The database outlives it.
#pragma once

#include <memory>
#include <string>

#include "coordinator/coordinator.hpp"
#include "simulator/world.hpp"
#include "store/memory_store.hpp"

namespace idlewatt::simulator {

class Office {
public:
    explicit Office(World& world) : world_(world) {}
    ~Office() { close(); }

    Office(const Office&) = delete;
    Office& operator=(const Office&) = delete;

    void open();
    void close();
    // Which key a car signs with. The office is open.
    void enrol(const core::VehicleId& vehicle, std::string public_key);

    [[nodiscard]] const store::MemoryDatabase& database() const { return *database_; }

private:
    World& world_;
    std::shared_ptr<store::MemoryDatabase> database_ = std::make_shared<store::MemoryDatabase>();
    std::unique_ptr<bus::Bus> bus_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<coordinator::Coordinator> coordinator_;
};

}  // namespace idlewatt::simulator
