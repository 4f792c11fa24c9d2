// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_server.hpp"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include <unistd.h>

#include <nlohmann/json.hpp>

#include "base/assert.hpp"

namespace idlewatt::bus {

namespace {

// The server's configuration language reads JSON strings.
std::string quoted(const std::string& text) {
    return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::string milliseconds(base::Duration span) {
    return '"' + std::to_string(span.whole_milliseconds()) + "ms\"";
}

bool is_program(const std::string& path) {
    std::error_code error;
    return std::filesystem::is_regular_file(path, error) && access(path.c_str(), X_OK) == 0;
}

std::string environment(const char* name) {
    const char* value = std::getenv(name);
    return value != nullptr ? value : "";
}

std::vector<std::string> candidates() {
    std::vector<std::string> paths;
    std::string cache = environment("XDG_CACHE_HOME");
    if (cache.empty())
        cache = environment("HOME") + "/.cache";
    paths.push_back(cache + "/idlewatt/engine/current/usr/bin/nats-server");
    const std::string path = environment("PATH");
    for (std::size_t begin = 0; begin <= path.size();) {
        const std::size_t end = std::min(path.find(':', begin), path.size());
        if (end > begin)
            paths.push_back(path.substr(begin, end - begin) + "/nats-server");
        begin = end + 1;
    }
    return paths;
}

}  // namespace

std::string nats_server_config(const NatsServerOptions& options) {
    IDLEWATT_ASSERT(!options.operator_jwt.empty() && !options.account_jwt.empty());
    std::string text;
    const auto line = [&text](const std::string& key, const std::string& value) {
        text += key + ": " + value + '\n';
    };
    line("host", quoted(options.host));
    line("port", std::to_string(options.port));
    line("max_payload", std::to_string(options.payload_bytes_max));
    line("max_connections", std::to_string(options.connections_max));
    line("ping_interval", milliseconds(options.ping_interval));
    line("ping_max", std::to_string(options.pings_out_max));
    line("write_deadline", milliseconds(options.write_deadline));
    if (!options.ports_folder.empty())
        line("ports_file_dir", quoted(options.ports_folder));
    if (!options.pid_file.empty())
        line("pid_file", quoted(options.pid_file));
    if (!options.log_file.empty())
        line("log_file", quoted(options.log_file));
    line("operator", quoted(options.operator_jwt));
    line("resolver", "MEMORY");
    text += "resolver_preload: {\n";
    line("  " + options.account_public_key, quoted(options.account_jwt));
    if (!options.system_account_public_key.empty()) {
        line("  " + options.system_account_public_key, quoted(options.system_account_jwt));
    }
    text += "}\n";
    return text;
}

base::Result<std::string> find_nats_server() {
    const std::string named = environment("IDLEWATT_NATS_SERVER");
    if (!named.empty()) {
        if (is_program(named))
            return named;
        return base::fail(base::ErrorKind::not_found,
                          "IDLEWATT_NATS_SERVER names " + named +
                              ", which is no program; correct it or leave it unset");
    }
    for (const std::string& path : candidates()) {
        if (is_program(path))
            return path;
    }
    return base::fail(base::ErrorKind::not_found,
                      "no nats-server in the engine bundle or on PATH; run tools/engine-bundle, or "
                      "name one in IDLEWATT_NATS_SERVER");
}

std::optional<NatsServerAddress> nats_server_address(const std::string& ports_folder, int pid) {
    // The file is named after the program, whatever it is called.
    const std::string ending = '_' + std::to_string(pid) + ".ports";
    std::error_code error;
    for (const auto& entry : std::filesystem::directory_iterator(ports_folder, error)) {
        if (!entry.path().filename().string().ends_with(ending))
            continue;
        std::ifstream file(entry.path());
        const nlohmann::json ports = nlohmann::json::parse(file, nullptr, false);
        if (!ports.is_object() || !ports.contains("nats"))
            continue;
        const nlohmann::json& urls = ports["nats"];
        if (!urls.is_array() || urls.empty() || !urls.front().is_string())
            continue;
        NatsServerAddress address{urls.front().get<std::string>(), 0};
        const std::string_view url = address.url;
        const std::string_view port = url.substr(url.rfind(':') + 1);
        std::from_chars(port.data(), port.data() + port.size(), address.port);
        if (address.port > 0)
            return address;
    }
    return std::nullopt;
}

}  // namespace idlewatt::bus
