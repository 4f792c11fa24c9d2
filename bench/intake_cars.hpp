// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Many cars that do nothing but announce themselves to a NATS server, at a rate that one asks for:
// a process of its own with one connection, so that its cost is nobody else's. What it sends is
// what an agent sends: encoded anew each time, with rising sequences, changing loads and a
// membership that the cell's account has signed.
//
// Lifecycle: construct before the program has threads; prepare() once; destruction ends the
// process. Rates may be set and figures read at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace idlewatt {

struct IntakeFigures {
    std::atomic<bool> prepared = false;
    std::atomic<bool> failed = false;
    std::atomic<long> rate = 0;  // asked for: announcements a second, one car after the other
    std::atomic<long> sent = 0;
};

class IntakeCars {
public:
    explicit IntakeCars(long cars);
    ~IntakeCars();
    IntakeCars(const IntakeCars&) = delete;
    IntakeCars& operator=(const IntakeCars&) = delete;

    // folder: of cli::FleetKeys, whose account signs for the cars. Signing takes its time.
    void prepare(std::uint16_t nats_port, const std::string& folder, const std::string& model);
    void set_rate(long announcements_per_second);
    [[nodiscard]] const IntakeFigures& figures() const { return *figures_; }

private:
    IntakeFigures* figures_;  // shared with the process
    int order_ = -1;          // a pipe to it
    pid_t pid_ = -1;
};

}  // namespace idlewatt
