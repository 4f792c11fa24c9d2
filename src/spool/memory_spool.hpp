// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The spool's in-memory twin. The records live in a MemoryDisk, which outlives the spool as a disk
// outlives an agent, and which can fill up and lose its power.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "spool/spool.hpp"

namespace idlewatt::spool {

class MemoryDisk {
public:
    MemoryDisk();
    ~MemoryDisk();

    MemoryDisk(const MemoryDisk&) = delete;
    MemoryDisk& operator=(const MemoryDisk&) = delete;

    // While full, put and erase fail as on a full disk.
    void set_full(bool full);
    // What was not synced is gone. No spool may be open.
    void cut_power();
    [[nodiscard]] std::vector<Record> records() const;

private:
    friend class MemorySpool;
    struct State;
    std::unique_ptr<State> state_;
};

// Error: unavailable while another spool is open on this disk.
[[nodiscard]] base::Result<std::unique_ptr<Spool>> open_memory_spool(
    std::shared_ptr<MemoryDisk> disk);

}  // namespace idlewatt::spool
