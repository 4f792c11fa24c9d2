// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/log.hpp"

#include <memory>
#include <string>

#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

namespace idlewatt::base {

namespace {

spdlog::level::level_enum to_spdlog(LogLevel level) {
    switch (level) {
        case LogLevel::debug:
            return spdlog::level::debug;
        case LogLevel::info:
            return spdlog::level::info;
        case LogLevel::warning:
            return spdlog::level::warn;
        case LogLevel::error:
            return spdlog::level::err;
        case LogLevel::off:
            return spdlog::level::off;
    }
    return spdlog::level::off;
}

// Until main sets it up (in tests, say) only errors are worth a line.
std::shared_ptr<spdlog::logger>& logger() {
    static std::shared_ptr<spdlog::logger> instance = [] {
        auto quiet = std::make_shared<spdlog::logger>(
            "idlewatt", std::make_shared<spdlog::sinks::stderr_sink_mt>());
        quiet->set_level(spdlog::level::err);
        return quiet;
    }();
    return instance;
}

}  // namespace

void set_up_log(std::string_view name, LogLevel level) {
    auto named = std::make_shared<spdlog::logger>(
        std::string(name), std::make_shared<spdlog::sinks::stderr_sink_mt>());
    named->set_level(to_spdlog(level));
    named->set_pattern("%Y-%m-%dT%H:%M:%S.%e %l %n %v");
    named->flush_on(spdlog::level::debug);
    logger() = std::move(named);
}

void log(LogLevel level, std::string_view area, std::string_view message) {
    logger()->log(to_spdlog(level), "{}: {}", area, message);
}

}  // namespace idlewatt::base
