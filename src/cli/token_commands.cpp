// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/token_commands.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/asking_command.hpp"
#include "cli/columns.hpp"
#include "cli/files.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* enrolments_path = "/api/v1/enrolments";

std::string state_of(const wire::EnrolmentRow& row) {
    if (row.revoked_at)
        return "revoked";
    return row.used_at ? "used" : "open";
}

}  // namespace

ExitCode token_create(const Connection& connection, const wire::EnrolmentOrder& order,
                      const SecretFile& out, const Output& output) {
    const std::string& out_file = out.path;
    if (const auto may = may_write_new(out_file, out_file.empty() || out.force); !may)
        return report_error(may.error(), output.json, output.err);
    const auto created =
        ask_for(connection, {"POST", enrolments_path, wire::enrolment_order_body(order)}, output,
                wire::parse_enrolment_created);
    if (!created)
        return created.error();
    if (!out_file.empty()) {
        const auto written = write_secret(out_file, created->token + "\n");
        if (!written)
            return report_error(written.error(), output.json, output.err);
    }
    if (output.json) {
        output.out << (out_file.empty() ? wire::enrolment_created_body(*created)
                                        : wire::enrolment_body(created->enrolment))
                   << '\n';
        return ExitCode::ok;
    }
    output.out << (out_file.empty() ? created->token : out_file) << '\n';
    output.err << "token " << created->enrolment.id << " is good for one car until "
               << base::to_rfc3339(created->enrolment.expires_at)
               << "\nnext, in the car:\n  mkdir -m 700 car\n  idlewatt-agent enrol --coordinator "
               << connection.url << " --token-file " << (out_file.empty() ? "FILE" : out_file)
               << " --state car\n  idlewatt-agent --state car --script "
                  "examples/always_parked.toml\n";
    return ExitCode::ok;
}

ExitCode token_ls(const Connection& connection, const Output& output) {
    const auto rows =
        ask_for(connection, {"GET", enrolments_path}, output, wire::parse_enrolments_body);
    if (!rows)
        return rows.error();
    if (output.json) {
        output.out << wire::enrolments_body(*rows) << '\n';
        return ExitCode::ok;
    }
    if (rows->empty()) {
        output.err << "there is no token\nnext: idlewatt vehicle token create\n";
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{
        {"TOKEN", "STATE", "FLEET", "CREATED", "EXPIRES", "VEHICLE", "LABEL"}};
    for (const wire::EnrolmentRow& row : *rows) {
        lines.push_back({row.id, state_of(row), row.fleet.empty() ? "-" : row.fleet,
                         time_text(row.created_at), time_text(row.expires_at),
                         row.vehicle.empty() ? "-" : row.vehicle, row.label});
    }
    print_columns(lines, output.out);
    return ExitCode::ok;
}

ExitCode token_revoke(const Connection& connection, const std::string& id, const Output& output) {
    const auto row =
        ask_for(connection,
                {"DELETE", std::string(enrolments_path) + "/" + path_segment(id), "",
                 "A token is revoked by its id; `idlewatt vehicle token ls` shows it."},
                output, wire::parse_enrolment_body);
    if (!row)
        return row.error();
    if (output.json)
        output.out << wire::enrolment_body(*row) << '\n';
    else
        output.err << "token " << row->id << " is revoked\n";
    return ExitCode::ok;
}

void add_token_commands(CLI::App& vehicle, Context& context) {
    struct Given {
        wire::EnrolmentOrder order;
        std::string life = "1h";
        SecretFile out;
        std::string id;
        bool json = false;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* token =
        vehicle.add_subcommand("token",
                               "One-time tokens with which cars enrol\n\nExamples:\n"
                               "  idlewatt vehicle token create --fleet depot-3 --out car.token\n"
                               "  idlewatt vehicle token ls");
    token->require_subcommand(1);
    AskingCommands<Given> commands(*token, context, given);
    const auto add = [&](const char* name, const char* about, auto run) {
        return commands.add(Party::coordinator, name, about, run);
    };
    CLI::App* create = add("create", "Make a token for one car; it is shown once",
                           [](const Connection& to, Given& said, const Output& output) {
                               const auto life = parse_span(said.life);
                               if (!life)
                                   return report_error(life.error(), output.json, output.err);
                               said.order.life = *life;
                               return token_create(to, said.order, said.out, output);
                           });
    create->add_option("--label", given->order.label, "For people")->type_name("TEXT");
    create->add_option("--fleet", given->order.fleet, "Fleet that the car will belong to")
        ->type_name("NAME");
    create->add_option("--life", given->life, "How long it may be used: 15m, 12h, 7d [1h]")
        ->type_name("SPAN");
    add_secret_file(*create, given->out, "token");
    add("ls", "List all tokens, without their secrets",
        [](const Connection& to, Given&, const Output& output) { return token_ls(to, output); })
        ->alias("list");
    add("revoke", "Make a token worthless",
        [](const Connection& to, Given& said, const Output& output) {
            return token_revoke(to, said.id, output);
        })
        ->add_option("TOKEN", given->id, "Its id, as `vehicle token ls` shows it")
        ->required();
}

}  // namespace idlewatt::cli
