// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How a command ends. The same meaning in every command; listed in its --help.
#pragma once

namespace idlewatt::cli {

enum class ExitCode : int {
    ok = 0,
    failure = 1,
    usage = 2,
    not_found = 3,
    denied = 4,  // the key is missing or wrong
    no_capacity = 5,
    partial = 6,
};

[[nodiscard]] constexpr int to_int(ExitCode code) {
    return static_cast<int>(code);
}

}  // namespace idlewatt::cli
