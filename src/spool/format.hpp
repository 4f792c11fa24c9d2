// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The bytes of a spool file, all numbers little-endian:
//
//   "IWSPOOL1"                                                   8 bytes
//   then records:
//     "iwr\x01"                                                  4 bytes
//     CRC-32C of the record's offset in the file and all below   4 bytes
//     length of the body                                         4 bytes
//     body: 'P' put or 'E' erase, length of the key (2 bytes), key, value
//
// A record is known by its mark and its checksum, so reading finds its way back behind a damaged
// stretch. The offset in the checksum keeps a copy of a record inside a value from being taken for
// one. Pure. Only for the sources and tests of this module.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "spool/live_records.hpp"

namespace idlewatt::spool {

inline constexpr std::string_view file_mark = "IWSPOOL1";
inline constexpr std::size_t record_overhead_bytes = 4 + 4 + 4 + 1 + 2;

enum class Action : char { put = 'P', erase = 'E' };

[[nodiscard]] std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed = 0);

[[nodiscard]] std::string encode_record(std::uint64_t offset, Action action, std::string_view key,
                                        std::string_view value);

struct ScanReport {
    bool foreign = false;             // neither the mark nor any record of a spool
    std::uint64_t good_bytes = 0;     // up to the end of the last sound record
    std::uint64_t damaged_bytes = 0;  // unreadable, before that end
    std::uint64_t torn_bytes = 0;     // unreadable, behind that end
};

// Plays the file's records into `records`.
[[nodiscard]] ScanReport scan(std::string_view file, LiveRecords& records);

}  // namespace idlewatt::spool
