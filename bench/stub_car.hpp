// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What stands behind a gateway instead of a NATS server and a car, as a stub stands behind a proxy:
// it speaks NATS's protocol to one gateway, announces one car, and gives to every question the
// same answer, in the very messages that a car with an in-memory engine says.
//
// Lifecycle: listens from construction on, on a thread of its own; ends with destruction.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>
#include <thread>

namespace idlewatt {

struct StubCarOptions {
    std::string model;
    long answer_tokens = 1;
    int core = -1;  // the only one that its thread may use; -1: all
};

class StubCar {
public:
    explicit StubCar(const StubCarOptions& options);
    ~StubCar();
    StubCar(const StubCar&) = delete;
    StubCar& operator=(const StubCar&) = delete;

    [[nodiscard]] std::string url() const { return "nats://127.0.0.1:" + std::to_string(port_); }

private:
    void run(const StubCarOptions& options);

    int listener_ = -1;
    std::uint16_t port_ = 0;
    std::atomic<bool> stopping_ = false;
    std::thread thread_;
};

}  // namespace idlewatt
