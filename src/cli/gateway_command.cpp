// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "base/log.hpp"
#include "base/loopback.hpp"
#include "bus/nats_bus.hpp"
#include "cli/files.hpp"
#include "cli/role_commands.hpp"
#include "cli/role_process.hpp"
#include "gateway/gateway.hpp"
#include "gateway/live_page.hpp"
#include "http/call_forwarder.hpp"
#include "http/response_tap.hpp"
#include "page_files.hpp"
#include "spool/file_spool.hpp"

namespace idlewatt::cli {

namespace {

gateway::Page live_page() {
    const auto file = [](std::string path, std::string type, std::string_view bytes) {
        return gateway::page_file(std::move(path), std::move(type), std::string(bytes));
    };
    return {file("/", "text/html; charset=utf-8", page_html),
            file("/assets/page.css", "text/css; charset=utf-8", page_style),
            file("/assets/page.js", "text/javascript; charset=utf-8", page_script),
            file("/assets/licences.txt", "text/plain; charset=utf-8", page_licences)};
}

// Keys of the coordinator's need a folder to be kept in; one fixed key is for small fleets.
base::Result<gateway::GatewayConfig> core_config(const config::Settings& settings) {
    gateway::GatewayConfig core;
    auto key = settings.secret("gateway.api_key_file");
    if (!key)
        return tl::unexpected(key.error());
    core.api_key = key->value_or("");
    core.uses_key_book = !settings.text("gateway.state_dir").empty();
    if (core.api_key.empty() && !core.uses_key_book) {
        return base::fail(base::ErrorKind::bad_input,
                          "without a key this gateway would serve anybody. Set IDLEWATT_API_KEY, "
                          "or name a folder for the coordinator's keys (--state).");
    }
    core.cors_origins = settings.list("gateway.allow_origins");
    core.seed = random_seed();
    core.page = live_page();
    core.gateway = core::GatewayId(settings.text("gateway.name"));
    if (!core::is_id(core.gateway.value)) {
        return base::fail(base::ErrorKind::bad_input,
                          "gateway.name is '" + core.gateway.value +
                              "'; expected 1 to 64 of a-z, 0-9, '_' and '-'");
    }
    return core;
}

// Null when no address is named.
base::Result<std::unique_ptr<http::Forwarder>> way_to_coordinator(
    base::AsioLoop& loop, const config::Settings& settings) {
    const std::string& url = settings.text("gateway.coordinator_url");
    if (url.empty())
        return std::unique_ptr<http::Forwarder>();
    if (!url.starts_with("https://") && !base::url_is_loopback(url) &&
        !settings.boolean("gateway.insecure")) {
        return base::fail(base::ErrorKind::bad_input,
                          "gateway.coordinator_url is '" + url +
                              "', which is on another machine and without TLS: everybody on the "
                              "way could read the clients' keys. Use https://, or --insecure.");
    }
    return http::forward_to(loop, {url, settings.text("gateway.coordinator_ca_file")});
}

int run_gateway(const config::Settings& settings, const std::string& tap_path) {
    set_up_role_log(settings, "gateway");
    base::AsioLoop loop;
    auto core = core_config(settings);
    if (!core)
        return role_failed(core.error());
    const auto nats = nats_options_of(settings, "gateway", wire::bus_name(core->gateway));
    if (!nats)
        return role_failed(nats.error());
    const auto key = role_key_of(settings, "gateway");
    if (!key)
        return role_failed(key.error());
    const auto coordinator = way_to_coordinator(loop, settings);
    if (!coordinator)
        return role_failed(coordinator.error());
    auto listening = http::listen(loop, listen_options_of(settings, "gateway"));
    if (!listening)
        return role_failed(listening.error());
    auto bus = bus::connect_nats(loop, *nats);
    if (!bus)
        return role_failed(bus.error());
    std::unique_ptr<spool::Spool> spool;
    if (const std::string& folder = settings.text("gateway.state_dir"); !folder.empty()) {
        auto made = make_folder(folder);
        if (!made)
            return role_failed(made.error());
        auto opened = spool::open_file_spool(folder + "/gateway.spool");
        if (!opened)
            return role_failed(opened.error());
        spool = std::move(*opened);
    }
    std::unique_ptr<http::Server> tapped;
    if (!tap_path.empty()) {
        auto made = http::tap_responses(loop, *listening->server, tap_path);
        if (!made)
            return role_failed(made.error());
        tapped = std::move(*made);
    }
    http::Server& server = tapped ? *tapped : *listening->server;
    gateway::GatewayOptions role;
    role.cell = settings.text("cell.name");
    role.core = std::move(*core);
    role.account_public_key = settings.text("cell.account");
    role.user_jwt = key->user_jwt;
    role.runs_batches = true;
    gateway::Gateway gateway(
        {loop, **bus, server, spool.get(), spool ? &key->key : nullptr, coordinator->get()},
        std::move(role));
    gateway.start();
    base::log_info("gateway", "listens on port " + std::to_string(listening->port));
    run_role(loop, settings.text("gateway.pid_file"),
             [&] { gateway.stop([&loop] { loop.stop(); }); });
    return to_int(ExitCode::ok);
}

}  // namespace

void add_gateway_command(CLI::App& app, Context& context) {
    const auto tap_path = std::make_shared<std::string>();
    CLI::App* command = app.add_subcommand(
        "gateway",
        "Serve the OpenAI API from the cars of a cell\n\nExamples:\n"
        "  idlewatt gateway --nats nats://127.0.0.1:4222 --credentials gateway.creds --state DIR\n"
        "  idlewatt --config /etc/idlewatt/idlewatt.toml gateway");
    const auto flags = add_setting_flags(*command, config::Role::gateway);
    command
        ->add_option("--tap", *tap_path,
                     "Append everything that clients of /v1 are sent to this file, for tests")
        ->type_name("PATH");
    command->callback([flags, tap_path, &context] {
        const auto settings = load_settings(context, *flags);
        context.exit_code =
            settings ? run_gateway(*settings, *tap_path) : role_failed(settings.error());
    });
}

}  // namespace idlewatt::cli
