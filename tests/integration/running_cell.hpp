// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A whole cell of real processes on this machine: nats-server, PostgreSQL, a coordinator, gateways
// and cars with real engines, with TLS and credentials as on many machines. Gateways know keys from
// the coordinator alone. Beside them one who listens to what cars and gateways hand in.
//
// Lifecycle: start() once; parts are killed and started one by one; stop_serving() at the end, so
// that the spools can be read. Threads: the loop's; what waits runs the loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/asio_loop.hpp"
#include "bus/bus.hpp"
#include "cli/connection.hpp"
#include "core/core.hpp"
#include "http/certificate_test.hpp"
#include "store/postgresql_fixture_test.hpp"
#include "test_cell.hpp"

namespace idlewatt::test {

struct RunningCellPlan {
    std::vector<std::string> gateways{"g1", "g2", "g3"};
    int cars = 8;
};

class RunningCell {
public:
    RunningCell(base::AsioLoop& loop, RunningCellPlan plan);
    ~RunningCell();

    RunningCell(const RunningCell&) = delete;
    RunningCell& operator=(const RunningCell&) = delete;

    // Returns when every gateway sees every car with the model.
    void start();

    void start_database() { database_.start(); }
    void kill_database() { database_.end(SIGKILL); }
    void start_coordinator();  // does not wait
    void kill_coordinator();
    void start_gateway(std::size_t number);  // until it answers
    void kill_gateway(std::size_t number);
    // Cars and gateways end as they do when they are asked to.
    void stop_serving();

    [[nodiscard]] bool coordinator_ended() const { return coordinator_->ended(); }
    [[nodiscard]] bool coordinator_answers();
    // The status of a small question with this key.
    [[nodiscard]] int status_of_question(std::size_t gateway, const std::string& key);
    struct Key {
        std::string id;
        std::string secret;
    };
    [[nodiscard]] Key create_key(const std::string& label);
    void revoke_key(const std::string& id);
    [[nodiscard]] cli::Connection gateway(std::size_t number, std::string key) const;

    // ── what was done, by itself and by the database ────────────────────────────────────────────

    // Handed in by cars and gateways, whether or not anybody has heard it, each with the id of its
    // work; and how often.
    struct HandedIn {
        std::map<std::string, std::string> work_by_id;
        std::uint64_t times = 0;
    };
    [[nodiscard]] const HandedIn& receipts_handed_in() const { return receipts_; }
    [[nodiscard]] const HandedIn& deliveries_handed_in() const { return deliveries_; }
    // The first column of the answer.
    [[nodiscard]] std::vector<std::string> query(const std::string& select) const {
        return store::PostgresqlServer::column(database_address_, select);
    }
    // Records of any kind that are still (or aside) in spools; after stop_serving().
    [[nodiscard]] std::vector<std::string> left_in_spools() const;
    [[nodiscard]] std::string logs() const;

private:
    [[nodiscard]] std::string folder_of(const std::string& part);
    [[nodiscard]] cli::Connection coordinator_at() const;
    std::string call(const std::string& method, const std::string& path, std::string body);
    void listen_to_all();
    void add_model();
    void start_car(int number);
    [[nodiscard]] std::uint32_t cars_seen_by(std::size_t gateway);

    base::AsioLoop& loop_;
    const RunningCellPlan plan_;
    const http::TestCertificate certificate_;
    TestCell cell_;
    store::PostgresqlServer database_;
    std::string database_address_;
    std::string operator_secret_;
    Key looking_key_;
    int coordinator_port_ = 0;
    std::vector<int> gateway_ports_;
    std::unique_ptr<bus::Bus> listener_;
    HandedIn receipts_;
    HandedIn deliveries_;
    std::unique_ptr<TestProcess> coordinator_;
    std::vector<std::unique_ptr<TestProcess>> gateways_;
    std::vector<std::unique_ptr<TestProcess>> cars_;
};

}  // namespace idlewatt::test
