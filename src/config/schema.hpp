// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The one list of settings: what stands in a file, in the environment and on the command line, and
// what is written about it in the manual. Constant; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace idlewatt::config {

enum class Type {
    text,         // one line
    path,         // of a file or folder
    secret_file,  // path of a file that holds a secret; the secret itself never stands in a file
    integer,
    boolean,
    list,  // of texts: an array in TOML, separated by commas elsewhere
};
[[nodiscard]] std::string_view name(Type type);

// Who takes a setting as a flag.
enum class Role { client, gateway, coordinator, agent, up };
[[nodiscard]] std::string_view name(Role role);

struct Setting {
    std::string_view key;  // "gateway.port": the table and the name in it
    Type type = Type::text;
    std::string_view fallback;     // as it would stand in the environment
    std::string_view environment;  // of a secret_file: the variable that holds the path
    std::string_view flag;         // "--port"; empty: only in files and the environment
    std::uint32_t roles = 0;       // bits of Role whose commands take the flag
    std::string_view help;         // one sentence, without a full stop
    std::int64_t min = 0;          // of an integer
    std::int64_t max = 0;
    // Of a secret_file: the variable that holds the secret itself; empty: none.
    std::string_view secret_environment{};

    [[nodiscard]] bool is_for(Role role) const {
        return (roles >> static_cast<std::uint32_t>(role) & 1U) != 0;
    }
};

// In the order of the manual; settings of one table stand together.
[[nodiscard]] std::span<const Setting> schema();
// Null if there is none.
[[nodiscard]] const Setting* find(std::string_view key);

struct Table {
    std::string_view name;
    std::string_view about;
};
[[nodiscard]] std::span<const Table> tables();

}  // namespace idlewatt::config
