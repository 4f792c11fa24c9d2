// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A cell on this machine: a real nats-server, a coordinator on SQLite with its HTTP server, and
// cars that are real idlewatt-agent processes, enrolled by token, behind a bad line.
//
// Threads: the loop's; everything that waits runs the loop.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "base/asio_loop.hpp"
#include "blobs/blobs.hpp"
#include "bus/bus.hpp"
#include "coordinator/coordinator.hpp"
#include "cutting_proxy.hpp"
#include "http/beast_server.hpp"
#include "http/client.hpp"
#include "store/store.hpp"
#include "test_cell.hpp"

namespace idlewatt::test {

class RolloutCell {
public:
    RolloutCell(BadLine line, base::Duration jwt_life);
    ~RolloutCell();

    RolloutCell(const RolloutCell&) = delete;
    RolloutCell& operator=(const RolloutCell&) = delete;

    // With the operator's key; the coordinator's answer.
    http::Response call(const std::string& method, const std::string& target,
                        const std::string& body = {}, const std::string& body_file = {});

    // Enrols through the bad line and starts the agent. The vehicle's id.
    std::string add_car(const std::string& name);
    // The exit code and all words of an `idlewatt-agent` that ends by itself.
    std::pair<int, std::string> run_agent(const std::vector<std::string>& arguments);
    [[nodiscard]] std::string token(const std::string& label);

    [[nodiscard]] const core::Announcement& said(const std::string& vehicle) const;
    [[nodiscard]] std::string car_folder(const std::string& name) const {
        return folder() + "/" + name;
    }
    [[nodiscard]] std::string car_log(const std::string& name) const;
    [[nodiscard]] bool run_until(const std::function<bool()>& condition, base::Duration limit) {
        return run_loop_until(loop_, condition, limit);
    }
    [[nodiscard]] const CuttingProxy& line() const { return *proxy_; }
    [[nodiscard]] const std::string& folder() const { return cell_.folder(); }
    [[nodiscard]] std::string url() const {
        return "http://127.0.0.1:" + std::to_string(proxy_->port());
    }

private:
    void open_coordinator(BadLine line, base::Duration jwt_life);

    base::AsioLoop loop_;
    TestCell cell_{loop_};
    std::unique_ptr<bus::Bus> bus_;
    std::unique_ptr<store::Store> store_;
    std::unique_ptr<blobs::Blobs> blobs_;
    http::Listening http_;
    std::optional<coordinator::Coordinator> office_;
    std::unique_ptr<CuttingProxy> proxy_;
    std::map<std::string, core::Announcement> said_;
    std::map<std::string, std::unique_ptr<TestProcess>> cars_;
};

}  // namespace idlewatt::test
