// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a spool holds right now, in the order of first puts, with the limits that both kinds of
// spool keep. Only for the sources of this module.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"
#include "spool/spool.hpp"

namespace idlewatt::spool {

class LiveRecords {
public:
    // Whether put() would stay within the limits.
    [[nodiscard]] base::Result<void> check_put(std::string_view key, std::string_view value) const;
    void put(std::string_view key, std::string_view value);
    void erase(std::string_view key);

    [[nodiscard]] bool has(std::string_view key) const;
    [[nodiscard]] std::size_t count() const { return records_.size(); }
    [[nodiscard]] std::size_t bytes() const { return bytes_; }
    [[nodiscard]] std::vector<Record> all() const;

private:
    std::uint64_t next_ = 0;
    std::size_t bytes_ = 0;  // keys and values
    std::map<std::uint64_t, Record> records_;
    std::unordered_map<std::string, std::uint64_t> order_;
};

}  // namespace idlewatt::spool
