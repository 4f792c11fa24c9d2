// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What `up` does before the first process runs: folder, lock, ports, keys, engine.
#include <filesystem>
#include <iostream>
#include <optional>
#include <type_traits>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/child_process.hpp"
#include "bus/nats_server.hpp"
#include "cli/engine_contract.hpp"
#include "cli/files.hpp"
#include "cli/programs.hpp"
#include "cli/up.hpp"
#include "config/config.hpp"
#include "engine/llama_server_engine.hpp"
#include "engine/model_header.hpp"
#include "identity/secret.hpp"
#include "signals/script.hpp"

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

// What can be refused is refused before anything is there.
base::Result<void> Up::check_files() const {
    if (!options_.model_path.empty()) {
        if (const auto header = engine::read_model_header(options_.model_path); !header)
            return base::fail(header.error().kind, "--model: " + header.error().message);
    }
    if (!options_.script_path.empty()) {
        if (const auto script = signals::load_script(options_.script_path); !script)
            return tl::unexpected<base::Error>(script.error());
    }
    return {};
}

base::Result<void> Up::prepare_folder() {
    const bool is_new = !std::filesystem::exists(options_.state_dir);
    for (const char* part : {"", "/keys", "/vehicles", "/gateway", "/blobs", "/nats"}) {
        auto made = make_folder(options_.state_dir + part);
        if (!made)
            return made;
    }
    options_.state_dir = std::filesystem::canonical(options_.state_dir);
    if (auto own = lock_.take(options_.state_dir); !own)
        return own;
    made_folder_ = is_new;  // and nobody else's, who came at the same time
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

// A refused start leaves nothing behind; once something has run, its logs are worth more. What runs
// first is nats-server.
void Up::remove_new_folder() const {
    std::error_code ignored;
    if (made_folder_ && !std::filesystem::exists(options_.state_dir + "/nats.log", ignored))
        std::filesystem::remove_all(options_.state_dir, ignored);
}

base::Result<void> Up::recall_settings() {
    const std::string path = options_.state_dir + "/up.toml";
    const auto text = read_file(path);
    if (!text)
        return {};  // the first run here
    config::Settings kept;
    if (auto read = kept.read_toml(*text, config::Origin::project, path); !read)
        return read;
    const auto recall = [&](const char* key, const char* what, bool given, auto& value) {
        if (given || kept.value(key).origin == config::Origin::fallback)
            return;
        value = static_cast<std::remove_reference_t<decltype(value)>>(kept.integer(key));
        recalled_ +=
            (recalled_.empty() ? "" : ", ") + std::string(what) + " " + std::to_string(value);
    };
    recall("up.vehicles", "--vehicles", options_.vehicles_given, options_.vehicles);
    recall("up.port", "--port", options_.port_given, options_.port);
    recall("up.coordinator_port", "--coordinator-port", options_.coordinator_port_given,
           options_.coordinator_port);
    recall("up.context_tokens", "--context", options_.context_given, options_.context_tokens);
    return {};
}

base::Result<void> Up::keep_settings() const {
    return write_file(options_.state_dir + "/up.toml",
                      "# As `idlewatt up` ran last; flags and settings win.\n[up]\nvehicles = " +
                          std::to_string(options_.vehicles) +
                          "\nport = " + std::to_string(options_.port) +
                          "\ncoordinator_port = " + std::to_string(options_.coordinator_port) +
                          "\ncontext_tokens = " + std::to_string(options_.context_tokens) + "\n");
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
        if (port != 0)
            std::cerr << "port " << port << " is taken; using " << *any << '\n';
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
    if (chosen)
        chosen = write_file(kept, std::to_string(nats_port_) + "\n");
    return chosen ? keep_settings() : chosen;
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
