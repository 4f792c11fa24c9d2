// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/cell_commands.hpp"

#include <iostream>
#include <memory>

#include <sys/stat.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"
#include "base/loopback.hpp"
#include "bus/nats_server.hpp"
#include "cli/files.hpp"
#include "cli/fleet_keys.hpp"

namespace idlewatt::cli {

namespace {

struct CellFiles {
    std::string account;
    std::vector<std::string> files;
};

base::Result<CellFiles> write_cell(const CellPlan& plan) {
    auto made = make_folder(plan.folder);
    if (!made)
        return tl::unexpected(made.error());
    chmod(plan.folder.c_str(), 0700);
    base::AsioLoop loop;
    auto keys = FleetKeys::open(plan.cell, plan.folder, loop.wall_now());
    if (!keys)
        return tl::unexpected(keys.error());
    CellFiles cell{(*keys)->account_public_key(), {}};
    const auto keep = [&](const base::Result<std::string>& file) -> base::Result<void> {
        if (!file)
            return tl::unexpected(file.error());
        cell.files.push_back(*file);
        return {};
    };
    auto kept = keep((*keys)->coordinator_credentials());
    for (const std::string& name : plan.gateways) {
        if (!core::is_id(name))
            return base::fail(base::ErrorKind::bad_input,
                              "'" + name +
                                  "' is no name of a gateway: 1 to 64 of a-z, 0-9, '_' "
                                  "and '-'");
        if (kept)
            kept = keep((*keys)->gateway_credentials(core::GatewayId(name), name));
    }
    for (const char* role : {"coordinator", "gateway"}) {
        if (kept)
            kept = keep((*keys)->system_credentials(role));
    }
    if (!kept)
        return tl::unexpected(kept.error());
    if (plan.certificate_file.empty() && !base::is_loopback(plan.nats_address)) {
        return base::fail(base::ErrorKind::bad_input,
                          "a NATS server at " + plan.nats_address +
                              " needs a certificate: others could read prompts. Name it with "
                              "--nats-certificate and --nats-key, or use --nats-address 127.0.0.1");
    }
    bus::NatsServerOptions server;
    server.host = plan.nats_address;
    server.port = plan.nats_port;
    server.resolver_folder = plan.nats_folder;
    server.certificate_file = plan.certificate_file;
    server.key_file = plan.key_file;
    (*keys)->describe(server);
    const std::string config = plan.folder + "/nats.conf";
    auto written = write_file(config, bus::nats_server_config(server));
    if (!written)
        return tl::unexpected(written.error());
    cell.files.push_back(config);
    cell.files.push_back((*keys)->operator_seed_file());
    cell.files.push_back((*keys)->account_seed_file());
    return cell;
}

}  // namespace

ExitCode cell_create(const CellPlan& plan, const Output& output) {
    const auto cell = write_cell(plan);
    if (!cell)
        return report_error(cell.error(), output.json, output.err);
    if (output.json) {
        const nlohmann::ordered_json object = {
            {"cell", plan.cell}, {"account", cell->account}, {"files", cell->files}};
        output.out << object.dump() << '\n';
        return ExitCode::ok;
    }
    for (const std::string& file : cell->files)
        output.out << file << '\n';
    output.err << "account " << cell->account
               << "\nnext: give each machine its files alone; *.seed belong to the coordinator.\n"
                  "Settings: idlewatt config example\n";
    return ExitCode::ok;
}

void add_cell_commands(CLI::App& app, Context& context) {
    struct Given {
        CellPlan plan;
        bool json = false;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* cell = app.add_subcommand(
        "cell",
        "Keys of a cell on many machines\n\nExamples:\n"
        "  idlewatt cell create keys --gateways g1,g2,g3 --nats-certificate /etc/nats/cert.pem "
        "--nats-key /etc/nats/key.pem");
    cell->require_subcommand(1);
    CLI::App* create = cell->add_subcommand(
        "create", "Make keys, credentials and nats.conf; what is there is kept");
    CellPlan& plan = given->plan;
    create->add_option("FOLDER", plan.folder, "Where to; mode 0700")->required();
    create->add_option("--cell", plan.cell, "Name of the cell [c1]")->type_name("NAME");
    create->add_option("--gateways", plan.gateways, "Names of the gateways [g1]")
        ->delimiter(',')
        ->type_name("A,B…");
    create->add_option("--nats-address", plan.nats_address, "Where nats-server listens [0.0.0.0]")
        ->type_name("ADDRESS");
    create->add_option("--nats-port", plan.nats_port, "And its port [4222]")->type_name("N");
    create->add_option("--nats-folder", plan.nats_folder, "Its folder for accounts")
        ->type_name("PATH");
    create->add_option("--nats-certificate", plan.certificate_file, "Its certificate, in PEM")
        ->type_name("PATH");
    create->add_option("--nats-key", plan.key_file, "Its private key, in PEM")->type_name("PATH");
    create->add_flag("--json", given->json, "As JSON, on stdout");
    create->callback([given, &context] {
        context.ends_with(cell_create(given->plan, {std::cout, std::cerr, given->json}));
    });
}

}  // namespace idlewatt::cli
