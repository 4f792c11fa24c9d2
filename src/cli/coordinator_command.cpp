// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <iostream>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "base/log.hpp"
#include "blobs/folder_blobs.hpp"
#include "bus/nats_bus.hpp"
#include "cli/role_commands.hpp"
#include "cli/role_process.hpp"
#include "coordinator/coordinator.hpp"
#include "coordinator/credentials.hpp"
#include "identity/secret.hpp"
#include "store/postgresql_store.hpp"
#include "store/sqlite_store.hpp"

namespace idlewatt::cli {

namespace {

constexpr base::Duration store_retry_period = base::seconds(1);

base::Result<std::unique_ptr<store::Store>> open_store(base::AsioLoop& loop,
                                                       const config::Settings& settings) {
    const auto postgresql = settings.secret("coordinator.postgresql_file");
    if (!postgresql)
        return tl::unexpected(postgresql.error());
    if (*postgresql)
        return store::open_postgresql_store(loop, **postgresql);
    const std::string& path = settings.text("coordinator.store");
    if (path.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "no store is named; use --store FILE (SQLite), or --postgresql FILE");
    }
    return store::open_sqlite_store(loop, path);
}

// A database that is away is waited for: an init system gives up on a program that keeps ending.
// Whoever asks meanwhile is answered 503.
base::Result<std::unique_ptr<store::Store>> wait_for_store(base::AsioLoop& loop,
                                                           const config::Settings& settings) {
    for (std::string told;;) {
        auto store = open_store(loop, settings);
        if (store || store.error().kind != base::ErrorKind::unavailable)
            return store;
        if (std::exchange(told, store.error().message) != store.error().message)
            base::log_warning("store", store.error().message + "; trying until it is there");
        loop.run_for(store_retry_period);
    }
}

// Both seeds, or none: then the coordinator takes receipts, but enrols nobody.
base::Result<std::optional<coordinator::Authority>> authority_of(const config::Settings& settings) {
    using identity::KeyPair;
    std::vector<KeyPair> keys;
    for (const char* name : {"coordinator.operator_seed_file", "coordinator.account_seed_file"}) {
        const auto seed = settings.secret(name);
        if (!seed)
            return tl::unexpected(seed.error());
        if (!*seed)
            continue;
        auto key = KeyPair::from_seed(**seed);
        if (!key)
            return base::fail(base::ErrorKind::bad_input,
                              std::string(name) + ": " + key.error().message);
        keys.push_back(*key);
    }
    if (keys.empty())
        return std::optional<coordinator::Authority>{};
    if (keys.size() != 2 || !keys[0].public_key().starts_with('O') ||
        !keys[1].public_key().starts_with('A')) {
        return base::fail(base::ErrorKind::bad_input,
                          "a coordinator that enrols cars needs the operator's seed "
                          "(--operator-seed, SO…) and the account's (--account-seed, SA…)");
    }
    return std::optional(coordinator::Authority{keys[0], keys[1]});
}

struct Edges {
    std::unique_ptr<bus::Bus> bus;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<blobs::Blobs> blobs;  // null: no folder is named
    http::Listening listening;            // without keys to sign with there is nothing to serve
};

base::Result<Edges> open_edges(base::AsioLoop& loop, const config::Settings& settings,
                               bool listens) {
    const auto nats = nats_options_of(settings, "coordinator", coordinator::coordinator_bus_name);
    if (!nats)
        return tl::unexpected(nats.error());
    Edges edges;
    // The cheap and strict ones first: what is misconfigured is said before anything is waited for.
    if (listens) {
        auto listening = http::listen(loop, listen_options_of(settings, "coordinator"));
        if (!listening)
            return tl::unexpected(listening.error());
        edges.listening = std::move(*listening);
        base::log_info("coordinator", "listens on port " + std::to_string(edges.listening.port));
    }
    auto store = wait_for_store(loop, settings);
    if (!store)
        return tl::unexpected(store.error());
    edges.store = std::move(*store);
    if (const std::string& folder = settings.text("coordinator.blobs_dir"); !folder.empty()) {
        const auto limit = static_cast<std::uint64_t>(settings.integer("coordinator.blobs_mib"));
        auto blobs = blobs::open_folder_blobs(loop, {folder, limit << 20});
        if (!blobs)
            return tl::unexpected(blobs.error());
        edges.blobs = std::move(*blobs);
    }
    auto bus = bus::connect_nats(loop, *nats);
    if (!bus)
        return tl::unexpected(bus.error());
    edges.bus = std::move(*bus);
    return edges;
}

std::string public_url_of(const config::Settings& settings, std::uint16_t port) {
    if (const std::string& url = settings.text("coordinator.public_url"); !url.empty())
        return url;
    const std::string& address = settings.text("coordinator.listen");
    const bool v6 = address.find(':') != std::string::npos;
    return (settings.text("coordinator.tls_certificate_file").empty() ? "http://" : "https://") +
           (v6 ? "[" + address + "]" : address) + ":" + std::to_string(port);
}

int run_coordinator(const config::Settings& settings) {
    set_up_role_log(settings, "coordinator");
    base::AsioLoop loop;
    auto authority = authority_of(settings);
    if (!authority)
        return role_failed(authority.error());
    const auto key = settings.secret("coordinator.api_key_file");
    if (!key)
        return role_failed(key.error());
    auto edges = open_edges(loop, settings, authority->has_value());
    if (!edges)
        return role_failed(edges.error());
    coordinator::Options options;
    options.cell = settings.text("cell.name");
    options.authority = std::move(*authority);
    options.nats_urls = settings.list("coordinator.public_nats");
    if (options.nats_urls.empty())
        options.nats_urls = settings.list("cell.nats");
    options.public_url = public_url_of(settings, edges->listening.port);
    if (*key)
        options.operator_key_sha256 = identity::sha256_hex(**key);
    options.seed = random_seed();
    coordinator::Coordinator coordinator(
        {loop, *edges->bus, *edges->store, edges->listening.server.get(), edges->blobs.get()},
        std::move(options));
    coordinator.start();
    run_role(loop, settings.text("coordinator.pid_file"));
    return to_int(ExitCode::ok);
}

}  // namespace

void add_coordinator_command(CLI::App& app, Context& context) {
    CLI::App* command = app.add_subcommand(
        "coordinator",
        "Enrol cars, keep keys, models and receipts of a cell\n\nExamples:\n"
        "  idlewatt coordinator --nats nats://127.0.0.1:4222 --credentials coordinator.creds "
        "--store cell.db\n"
        "  idlewatt --config /etc/idlewatt/idlewatt.toml coordinator");
    const auto flags = add_setting_flags(*command, config::Role::coordinator);
    command->callback([flags, &context] {
        const auto settings = load_settings(context, *flags);
        context.exit_code = settings ? run_coordinator(*settings) : role_failed(settings.error());
    });
}

}  // namespace idlewatt::cli
