// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A car's journal: records that must survive the death of the agent, kept until they are struck
// out. One append-only file, each record with length and checksum; a torn tail is cut off and
// reported; the file is rewritten when most of it is struck out.
//
// Lifecycle: opened by file_spool.hpp or memory_spool.hpp before the agent starts; one process at
// a time holds it. Errors: limit_exceeded when a limit below is reached, io when the disk is full
// or refuses; in both cases nothing has changed. Threads: its owner's loop; calls return when the
// record is with the operating system (survives kill -9); sync() makes it survive a power cut, and
// may take as long as the disk does.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::spool {

inline constexpr std::size_t key_bytes_max = 256;
inline constexpr std::size_t record_bytes_max = 1024 * 1024;       // key and value
inline constexpr std::size_t spool_bytes_max = 256 * 1024 * 1024;  // all keys and values

struct Record {
    std::string key;
    std::string value;
    friend bool operator==(const Record&, const Record&) = default;
};

class Spool {
public:
    virtual ~Spool() = default;

    // Adds or replaces the record of this key.
    [[nodiscard]] virtual base::Result<void> put(std::string_view key, std::string_view value) = 0;
    // No effect when there is none.
    [[nodiscard]] virtual base::Result<void> erase(std::string_view key) = 0;
    [[nodiscard]] virtual base::Result<void> sync() = 0;
    // Begins it and does not wait for the disk; what goes wrong is logged.
    virtual void sync_soon() = 0;
    // In the order of their first put.
    [[nodiscard]] virtual std::vector<Record> records() const = 0;
};

}  // namespace idlewatt::spool
