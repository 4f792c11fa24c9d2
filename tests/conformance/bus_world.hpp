// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A bus for tests, in memory or on a nats-server process of its own, seen through one interface.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "bus/bus.hpp"
#include "bus/nats_bus.hpp"
#include "identity/identity.hpp"

namespace idlewatt::bus {

class BusWorld {
public:
    virtual ~BusWorld() = default;

    [[nodiscard]] virtual base::Loop& loop() = 0;
    // May hear departures.
    [[nodiscard]] virtual std::unique_ptr<Bus> connect(const std::string& name,
                                                       const std::string& label) = 0;
    virtual void stop_server() = 0;
    virtual void start_server() = 0;
    // False when the condition has not come true within a generous time.
    [[nodiscard]] virtual bool run_until(const std::function<bool()>& condition) = 0;

    // Lets a while pass in which nothing more is expected.
    void linger(base::Duration span = base::milliseconds(50));
    // Until the server has seen everything that the connection has done so far.
    void settle(Bus& bus);
    // The same of its system connection, which hears of departures.
    void settle_system(Bus& bus);
};

[[nodiscard]] std::unique_ptr<BusWorld> memory_world();

// A folder of its own, an operator, a cell's account and a system account.
struct NatsWorldOptions {
    bool full_resolver = false;
    std::string certificate_file{};
    std::string key_file{};
};

class NatsWorld final : public BusWorld {
public:
    explicit NatsWorld(NatsWorldOptions world = {});
    ~NatsWorld() override;

    [[nodiscard]] base::AsioLoop& loop() override { return loop_; }
    [[nodiscard]] std::unique_ptr<Bus> connect(const std::string& name,
                                               const std::string& label) override;
    void stop_server() override;
    void start_server() override;
    [[nodiscard]] bool run_until(const std::function<bool()>& condition) override;

    [[nodiscard]] const std::string& url() const { return url_; }
    [[nodiscard]] base::ChildProcess& server() { return *server_; }
    [[nodiscard]] const identity::KeyPair& account() const { return account_; }
    [[nodiscard]] const identity::KeyPair& system_account() const { return system_account_; }

    // Of the cell, as its operator would push it.
    [[nodiscard]] std::string account_jwt(const identity::Revocations& revocations) const;
    // Writes a credentials file for a new user and returns its path.
    std::string enrol(const identity::KeyPair& issuer, const std::string& name,
                      const identity::Permissions& permissions = {},
                      std::optional<base::WallTime> expires = std::nullopt);
    [[nodiscard]] NatsOptions options(const std::string& name, const std::string& credentials);
    [[nodiscard]] base::Result<std::unique_ptr<Bus>> try_connect(const NatsOptions& options);
    // A user of the cell without system credentials.
    [[nodiscard]] std::unique_ptr<Bus> connect_as(const std::string& name,
                                                  const identity::Permissions& permissions);

private:
    base::AsioLoop loop_;
    NatsWorldOptions world_;
    std::string folder_;
    identity::KeyPair operator_key_;
    identity::KeyPair account_;
    identity::KeyPair system_account_;
    std::string url_;
    int port_ = -1;
    bool server_ended_ = false;
    std::unique_ptr<base::ChildProcess> server_;
};

}  // namespace idlewatt::bus
