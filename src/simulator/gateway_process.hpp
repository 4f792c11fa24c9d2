// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One simulated gateway: the production role on the twins of HTTP and bus, in a process that can
// be killed (its clients see broken connections) and replaced under the same name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "gateway/gateway.hpp"
#include "http/memory_server.hpp"
#include "identity/identity.hpp"
#include "simulator/world.hpp"
#include "spool/memory_spool.hpp"

namespace idlewatt::simulator {

class GatewayProcess {
public:
    GatewayProcess(World& world, std::uint32_t number);
    ~GatewayProcess();

    void start();
    void kill();

    // Null while it is dead. A life has its own number.
    [[nodiscard]] http::MemoryServer* server() { return server_.get(); }
    [[nodiscard]] std::uint64_t life() const { return life_; }
    [[nodiscard]] bool quiet(base::Instant now) const;
    void check_figures() const;
    void check_quiet() const;

private:
    World& world_;
    std::uint32_t number_;
    std::string name_;
    std::uint64_t life_ = 0;
    identity::KeyPair key_;
    std::shared_ptr<spool::MemoryDisk> disk_ = std::make_shared<spool::MemoryDisk>();
    std::unique_ptr<spool::Spool> spool_;
    std::unique_ptr<http::MemoryServer> server_;
    std::unique_ptr<bus::Bus> bus_;
    std::unique_ptr<gateway::Gateway> gateway_;
};

}  // namespace idlewatt::simulator
