// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Other programs that commands start, and the folders in which they and we keep things. Blocking.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/time.hpp"
#include "config/config.hpp"

namespace idlewatt::cli {

struct ProgramEnd {
    int code = 0;        // as a shell gives it
    std::string output;  // stdout and stderr, at most program_output_bytes_max
};
inline constexpr std::size_t program_output_bytes_max = 64 * 1024;

// Nothing: it is not installed. What takes longer is killed; its code is then 124.
[[nodiscard]] std::optional<ProgramEnd> run_program(const std::vector<std::string>& argv,
                                                    base::Duration limit);
[[nodiscard]] std::string first_line(std::string_view text);

// Folder of the program that runs, where idlewatt-agent is, too.
[[nodiscard]] std::string program_folder();
// The script that fetches llama-server and nats-server: beside an installed program, or in the
// source tree.
[[nodiscard]] std::string engine_bundle_script();
// The model of the demonstration, as it is installed beside the program or in its build tree.
[[nodiscard]] std::optional<std::string> valet_model_file();
// $XDG_CACHE_HOME/idlewatt or ~/.cache/idlewatt.
[[nodiscard]] std::string cache_folder();
// The setting up.state_dir, or $XDG_STATE_HOME/idlewatt/up or ~/.local/state/idlewatt/up.
[[nodiscard]] std::string up_state_dir(const config::Settings& settings);

}  // namespace idlewatt::cli
