// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// `idlewatt up` as one process tree for one test, with what is needed to attack it: addresses, an
// operator's key, a car's JWT, an enrolment token, and the memory of its processes.
//
// Lifecycle: ready at construction or the test has failed; ended at destruction. Threads: the
// loop's; what waits runs the loop.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"
#include "http/http.hpp"

namespace idlewatt::test {

class HostileCell {
public:
    HostileCell();
    ~HostileCell();

    HostileCell(const HostileCell&) = delete;
    HostileCell& operator=(const HostileCell&) = delete;

    [[nodiscard]] bool ready() const { return !gateway_url_.empty(); }
    [[nodiscard]] int gateway_port() const { return port_of(gateway_url_); }
    [[nodiscard]] int coordinator_port() const { return port_of(coordinator_url_); }
    [[nodiscard]] const std::string& api_key() const { return api_key_; }
    [[nodiscard]] const std::string& model() const { return model_; }
    [[nodiscard]] std::string model_sha256();
    [[nodiscard]] std::string car_jwt() const;
    [[nodiscard]] std::string new_token();
    // Both cars ready and nothing under way.
    [[nodiscard]] bool all_cars_ready();
    // What a car says to a question; empty: no whole answer.
    [[nodiscard]] std::string ask();

    [[nodiscard]] bool run_until(const std::function<bool()>& condition, base::Duration limit);

    // Of each process of ours, by its name: where it comes back, it has another number.
    [[nodiscard]] std::map<std::string, int> pids() const;
    [[nodiscard]] std::map<std::string, std::uint64_t> resident_bytes() const;

private:
    [[nodiscard]] static int port_of(const std::string& url);
    [[nodiscard]] http::Response call(const std::string& method, const std::string& url,
                                      const std::string& body = "");

    base::AsioLoop loop_;
    std::string folder_;
    std::string gateway_url_;
    std::string coordinator_url_;
    std::string api_key_;
    std::string model_;
    std::unique_ptr<base::ChildProcess> process_;
    bool ended_ = false;
};

}  // namespace idlewatt::test
