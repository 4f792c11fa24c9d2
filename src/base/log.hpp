// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program's log: one line per event on stderr, "level area: message". Prompts, keys and
// credentials are never logged. Any thread.
#pragma once

#include <string_view>

namespace idlewatt::base {

enum class LogLevel { debug, info, warning, error, off };

// Called once by main before threads start. The name (program or vehicle) stands in every line.
void set_up_log(std::string_view name, LogLevel level);

void log(LogLevel level, std::string_view area, std::string_view message);

inline void log_debug(std::string_view area, std::string_view message) {
    log(LogLevel::debug, area, message);
}
inline void log_info(std::string_view area, std::string_view message) {
    log(LogLevel::info, area, message);
}
inline void log_warning(std::string_view area, std::string_view message) {
    log(LogLevel::warning, area, message);
}
inline void log_error(std::string_view area, std::string_view message) {
    log(LogLevel::error, area, message);
}

}  // namespace idlewatt::base
