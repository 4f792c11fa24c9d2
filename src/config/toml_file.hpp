// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A TOML file as a list of what it says, in its order. Private to this module.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::config {

struct TomlEntry {
    std::string key;  // "gateway.port"
    std::size_t line = 0;
    // Another type: its name, as the library calls it, in `other`.
    std::variant<std::monostate, std::string, std::int64_t, bool, std::vector<std::string>> value;
};

// A key outside of a table comes without a dot; a table within a table comes as one key with the
// value that nothing takes.
[[nodiscard]] base::Result<std::vector<TomlEntry>> parse_toml(std::string_view text,
                                                              const std::string& source);

// Bytes from outside made fit for a message: short, printable, in quotes.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace idlewatt::config
