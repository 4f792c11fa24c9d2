// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What `up` does before the first process runs: folder, lock, ports, keys, engine.
#include <filesystem>
#include <iostream>
#include <optional>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child_process.hpp"
#include "bus/nats_server.hpp"
#include "cli/engine_contract.hpp"
#include "cli/files.hpp"
#include "cli/programs.hpp"
#include "cli/up.hpp"
#include "engine/llama_server_engine.hpp"
#include "identity/secret.hpp"

namespace idlewatt::cli {

namespace {

// Cars that are parked, plugged in, charged and willing, for ever.
constexpr std::string_view willing_cars = R"(# Signals of the cars of this machine; see idlewatt(1).
name = "parked"
duration_s = 86400
repeat = true

[owner]
consent = true
reserve_percent = 50
floor_percent = 20

[initial]
occupied = false
parked = true
moving = false
plugged_in = true
locked = true
state_of_charge_percent = 80
)";

std::optional<int> port_in(const std::string& path) {
    const auto text = read_file(path);
    const int port = text ? std::atoi(text->c_str()) : 0;
    return port > 0 && port < 65'536 ? std::optional(port) : std::nullopt;
}

}  // namespace

Up::Up(UpOptions options) : options_(std::move(options)) {}

Up::~Up() {
    cars_.clear();
    gateway_.reset();
    coordinator_.reset();
    nats_.reset();
}

base::Result<void> Up::prepare_folder() {
    for (const char* part : {"", "/keys", "/vehicles", "/gateway", "/blobs", "/nats"}) {
        auto made = make_folder(options_.state_dir + part);
        if (!made)
            return made;
    }
    options_.state_dir = std::filesystem::canonical(options_.state_dir);
    if (auto own = lock_.take(options_.state_dir); !own)
        return own;
    // Only after it is known to be ours: a folder of somebody else's must not change.
    for (const char* part : {"/keys", "/vehicles", "/gateway"})
        chmod((options_.state_dir + part).c_str(), 0700);
    if (options_.script_path.empty()) {
        options_.script_path = options_.state_dir + "/cars.toml";
        if (!std::filesystem::exists(options_.script_path))
            return write_file(options_.script_path, willing_cars);
    }
    options_.script_path = std::filesystem::absolute(options_.script_path);
    return {};
}

base::Result<void> Up::choose_ports() {
    const auto choose = [](int& port, bool given, const char* flag) -> base::Result<void> {
        if (port != 0 && port_is_free(port))
            return {};
        if (port != 0 && given) {
            return base::fail(
                base::ErrorKind::bad_input,
                "port " + std::to_string(port) + " is taken; choose another with " + flag);
        }
        auto any = free_port();
        if (!any)
            return tl::unexpected<base::Error>(any.error());
        port = *any;
        return {};
    };
    auto chosen = choose(options_.port, options_.port_given, "--port");
    if (chosen)
        chosen = choose(options_.coordinator_port, options_.coordinator_port_given,
                        "--coordinator-port");
    if (!chosen)
        return chosen;
    gateway_at_.url = "http://127.0.0.1:" + std::to_string(options_.port);
    coordinator_at_.url = "http://127.0.0.1:" + std::to_string(options_.coordinator_port);
    coordinator_at_.party = Party::coordinator;
    // Cars have been told where the server is: it keeps its port.
    const std::string kept = options_.state_dir + "/ports";
    const auto port = port_in(kept);
    nats_port_ = port.value_or(0);
    chosen = choose(nats_port_, port.has_value(), "(end the program that has it)");
    return chosen ? write_file(kept, std::to_string(nats_port_) + "\n") : chosen;
}

base::Result<void> Up::prepare_keys() {
    auto keys = FleetKeys::open("c1", options_.state_dir + "/keys", loop_.wall_now());
    if (!keys)
        return tl::unexpected<base::Error>(keys.error());
    keys_ = std::move(*keys);
    for (const auto& file : {keys_->gateway_credentials(core::GatewayId(local_gateway_name)),
                             keys_->coordinator_credentials(), keys_->system_credentials("gateway"),
                             keys_->system_credentials("coordinator")}) {
        if (!file)
            return tl::unexpected<base::Error>(file.error());
    }
    api_key_file_ = options_.state_dir + "/api.key";
    if (const auto kept = read_file(api_key_file_)) {
        api_key_ = first_line(*kept);
    } else {
        api_key_ = identity::random_secret();
        auto written = write_secret(api_key_file_, api_key_ + "\n");
        if (!written)
            return written;
    }
    gateway_at_.api_key = coordinator_at_.api_key = api_key_;
    return {};
}

// Fetches llama-server and nats-server once, if the machine has none.
base::Result<void> Up::fetch_engine() {
    const auto there = [] {
        return engine::find_engine_bundle().has_value() && bus::find_nats_server().has_value();
    };
    if (!there()) {
        std::cerr << "llama-server and nats-server are not here yet; fetching them (once)\n";
        base::SpawnOptions spawn;
        spawn.argv = {engine_bundle_script()};
        spawn.descriptors = {{STDOUT_FILENO, STDERR_FILENO}};  // our stdout is for our answer
        std::optional<int> code;
        const auto child =
            base::ChildProcess::spawn(loop_, spawn, [&](int ended) { code = ended; });
        if (!child)
            return tl::unexpected<base::Error>(child.error());
        run_until(
            loop_, [&] { return code.has_value() || stop_asked_; }, bundle_fetch_max);
        if (stop_asked_)
            return {};
        if (code != 0 || !there()) {
            return base::fail(
                base::ErrorKind::unavailable,
                "the engine could not be fetched; put llama-server and nats-server on "
                "PATH, or run " +
                    engine_bundle_script());
        }
    }
    check_engine_once(loop_, program_folder() + "/idlewatt-agent", options_.state_dir);
    return {};
}

}  // namespace idlewatt::cli
