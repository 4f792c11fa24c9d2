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
#include "base/loopback.hpp"

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

bool is_readable(const std::string& path) {
    return access(path.c_str(), R_OK) == 0;
}

base::Result<void> check_listening(const NatsServerOptions& options) {
    if (options.certificate_file.empty() != options.key_file.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "TLS needs a certificate and its key: name both files or neither");
    }
    if (!options.certificate_file.empty()) {
        for (const std::string& path : {options.certificate_file, options.key_file}) {
            if (!is_readable(path))
                return base::fail_errno("cannot read '" + path + "'");
        }
        return {};
    }
    if (options.allow_plaintext || base::is_loopback(options.host))
        return {};
    return base::fail(base::ErrorKind::bad_input,
                      "will not let nats-server listen on " + options.host +
                          " without TLS: others could read prompts. Name a certificate and its "
                          "key, listen on 127.0.0.1, or allow plain text explicitly");
}

// Never over what is there: it may hold revocations that were pushed later.
base::Result<void> place(const std::filesystem::path& folder, const std::string& public_key,
                         const std::string& jwt) {
    const std::filesystem::path path = folder / (public_key + ".jwt");
    std::error_code error;
    if (std::filesystem::exists(path, error))
        return {};
    const std::filesystem::path fresh = folder / (public_key + ".new");
    std::ofstream file(fresh, std::ios::binary | std::ios::trunc);
    file << jwt;
    file.close();
    if (file)
        std::filesystem::rename(fresh, path, error);
    if (!file || error) {
        return base::fail(base::ErrorKind::io,
                          "cannot write the account's JWT to '" + path.string() + "'");
    }
    return {};
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
    if (!options.certificate_file.empty()) {
        text += "tls: {\n";
        line("  cert_file", quoted(options.certificate_file));
        line("  key_file", quoted(options.key_file));
        text += "}\n";
    }
    line("operator", quoted(options.operator_jwt));
    if (!options.resolver_folder.empty()) {
        text += "resolver: {\n";
        line("  type", "full");
        line("  dir", quoted(options.resolver_folder));
        line("  allow_delete", "false");
        line("  interval", "\"2m\"");
        text += "}\n";
    } else {
        line("resolver", "MEMORY");
    }
    // For a full resolver: what the folder does not hold in a newer form.
    text += "resolver_preload: {\n";
    line("  " + options.account_public_key, quoted(options.account_jwt));
    if (!options.system_account_public_key.empty()) {
        line("  " + options.system_account_public_key, quoted(options.system_account_jwt));
    }
    text += "}\n";
    return text;
}

base::Result<void> prepare_nats_server(const NatsServerOptions& options) {
    const auto safe = check_listening(options);
    if (!safe || options.resolver_folder.empty())
        return safe;
    std::error_code error;
    const std::filesystem::path folder = options.resolver_folder;
    std::filesystem::create_directories(folder, error);
    if (!error)
        std::filesystem::permissions(folder, std::filesystem::perms::owner_all, error);
    if (error) {
        return base::fail(
            base::ErrorKind::io,
            "cannot make the folder '" + options.resolver_folder + "': " + error.message());
    }
    auto placed = place(folder, options.account_public_key, options.account_jwt);
    if (placed && !options.system_account_public_key.empty())
        placed = place(folder, options.system_account_public_key, options.system_account_jwt);
    return placed;
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
