// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/role_commands.hpp"

#include <cstdlib>
#include <iostream>
#include <memory>
#include <random>

#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include "base/asio_loop.hpp"
#include "base/log.hpp"
#include "bus/nats_bus.hpp"
#include "cli/exit_code.hpp"
#include "cli/files.hpp"
#include "coordinator/coordinator.hpp"
#include "gateway/gateway.hpp"
#include "http/beast_server.hpp"
#include "http/response_tap.hpp"
#include "store/sqlite_store.hpp"

namespace idlewatt::cli {

namespace {

struct RoleOptions {
    std::string cell = "c1";
    std::string nats_url;
    std::string credentials_file;
    std::string system_credentials_file;
    std::string pid_file;
    std::string listen_address = "127.0.0.1";
    std::uint16_t port = 8080;
    std::string store_path;
    std::string tap_path;
    bool verbose = false;
};

void add_common(CLI::App& command, RoleOptions& options) {
    command.add_option("--cell", options.cell, "Cell that it serves")->capture_default_str();
    command.add_option("--nats", options.nats_url, "nats://HOST:PORT")->required();
    command.add_option("--credentials", options.credentials_file, "NATS credentials file")
        ->required();
    command.add_option("--pid-file", options.pid_file, "Where to write the process id");
    command.add_flag("--verbose", options.verbose, "Log what happens, not only what goes wrong");
}

int fail(const base::Error& error) {
    std::cerr << "idlewatt: " << error.message << '\n';
    return to_int(ExitCode::failure);
}

bus::NatsOptions nats_options(const RoleOptions& options, const std::string& name) {
    bus::NatsOptions nats;
    nats.urls = {options.nats_url};
    nats.name = name;
    nats.label = name;
    nats.credentials_file = options.credentials_file;
    nats.system_credentials_file = options.system_credentials_file;
    return nats;
}

void run_until_asked_to_end(base::AsioLoop& loop, const RoleOptions& options) {
    if (!options.pid_file.empty())
        write_pid_file(options.pid_file, getpid());
    boost::asio::signal_set signals(loop.context(), SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error)
            loop.stop();
    });
    loop.run();
}

std::uint64_t random_seed() {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
}

int run_gateway(const RoleOptions& options) {
    base::set_up_log("gateway", options.verbose ? base::LogLevel::info : base::LogLevel::warning);
    base::AsioLoop loop;
    auto bus = bus::connect_nats(loop, nats_options(options, "gateway"));
    if (!bus)
        return fail(bus.error());
    const char* key = std::getenv("IDLEWATT_API_KEY");
    const bool open_to_all = key == nullptr || *key == '\0';
    if (open_to_all && !options.listen_address.starts_with("127.") &&
        options.listen_address != "::1") {
        return fail({base::ErrorKind::bad_input,
                     "--listen " + options.listen_address +
                         " would serve strangers without a key. Set IDLEWATT_API_KEY, or listen on "
                         "127.0.0.1."});
    }
    auto listening = http::listen(loop, {options.listen_address, options.port});
    if (!listening)
        return fail(listening.error());
    gateway::GatewayOptions role;
    role.cell = options.cell;
    role.core.api_key = open_to_all ? "" : key;
    role.core.seed = random_seed();
    base::Prng prng(random_seed());
    // A new name for every run: what was said to a former run finds nobody.
    role.core.gateway = core::GatewayId("g" + core::make_time_ordered_id(loop.wall_now(), prng));
    std::unique_ptr<http::Server> tapped;
    if (!options.tap_path.empty()) {
        auto made = http::tap_responses(loop, *listening->server, options.tap_path);
        if (!made)
            return fail(made.error());
        tapped = std::move(*made);
    }
    http::Server& server = tapped ? *tapped : *listening->server;
    gateway::Gateway gateway({loop, **bus, server}, std::move(role));
    gateway.start();
    run_until_asked_to_end(loop, options);
    return to_int(ExitCode::ok);
}

int run_coordinator(const RoleOptions& options) {
    base::set_up_log("coordinator",
                     options.verbose ? base::LogLevel::info : base::LogLevel::warning);
    base::AsioLoop loop;
    auto bus = bus::connect_nats(loop, nats_options(options, "coordinator"));
    if (!bus)
        return fail(bus.error());
    auto store = store::open_sqlite_store(loop, options.store_path);
    if (!store)
        return fail(store.error());
    coordinator::Coordinator coordinator({loop, **bus, **store}, {options.cell});
    coordinator.start();
    run_until_asked_to_end(loop, options);
    return to_int(ExitCode::ok);
}

}  // namespace

void add_role_commands(CLI::App& app, int& exit_code) {
    const auto options = std::make_shared<RoleOptions>();
    CLI::App* gateway = app.add_subcommand(
        "gateway", "Serve the OpenAI API from the cars of a cell (key from IDLEWATT_API_KEY)");
    add_common(*gateway, *options);
    gateway->add_option("--system-credentials", options->system_credentials_file,
                        "Credentials of the system account: deaths of cars are known at once");
    gateway->add_option("--listen", options->listen_address, "Address")->capture_default_str();
    gateway->add_option("--port", options->port, "Port; 0: any")->capture_default_str();
    gateway->add_option("--tap", options->tap_path,
                        "Append everything that clients of /v1 are sent to this file");
    gateway->callback([options, &exit_code] { exit_code = run_gateway(*options); });

    CLI::App* coordinator =
        app.add_subcommand("coordinator", "Keep the list of cars and the receipts of a cell");
    add_common(*coordinator, *options);
    coordinator->add_option("--store", options->store_path, "SQLite database file")->required();
    coordinator->callback([options, &exit_code] { exit_code = run_coordinator(*options); });
}

}  // namespace idlewatt::cli
