// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the TOML library must not be given. Every module that reads TOML asks here first, and
// defines TOML_ASSERT by toml_not_understood(): toml++ 3.3 asserts what a stranger's bytes can make
// untrue, as "[=". Pure; any thread.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace idlewatt::base {

struct TomlProblem {
    std::size_t line = 1;
    std::string what;
};

// Nothing: the library may read it (it may still be no TOML). Texts over several lines are refused.
[[nodiscard]] std::optional<TomlProblem> prescan_toml(std::string_view text);

// Throws std::logic_error.
[[noreturn]] void toml_not_understood();

}  // namespace idlewatt::base
