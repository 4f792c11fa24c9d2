// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/key_commands.hpp"

#include <iostream>
#include <memory>

#include <CLI/CLI.hpp>

#include "cli/asking_command.hpp"
#include "cli/columns.hpp"
#include "cli/files.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* keys_path = "/api/v1/keys";

std::string limit_text(std::uint32_t limit) {
    return limit == 0 ? "-" : std::to_string(limit);
}

}  // namespace

ExitCode key_create(const Connection& connection, const wire::KeyOrder& order,
                    const SecretFile& out, const Output& output) {
    const std::string& out_file = out.path;
    // Before there is a key that nobody has.
    if (const auto may = may_write_new(out_file, out_file.empty() || out.force); !may)
        return report_error(may.error(), output.json, output.err);
    const auto created = ask_for(connection, {"POST", keys_path, wire::key_order_body(order)},
                                 output, wire::parse_key_created);
    if (!created)
        return created.error();
    if (!out_file.empty()) {
        const auto written = write_secret(out_file, created->secret + "\n");
        if (!written) {
            // A key that nobody has must not stay.
            output.err << "the key " << created->key.id.value
                       << " is lost; revoke it: idlewatt key "
                       << "revoke " << created->key.id.value << '\n';
            return report_error(written.error(), output.json, output.err);
        }
    }
    if (output.json) {
        output.out << (out_file.empty() ? wire::key_created_body(*created)
                                        : wire::key_body(created->key))
                   << '\n';
        return ExitCode::ok;
    }
    output.out << (out_file.empty() ? created->secret : out_file) << '\n';
    output.err << "key " << created->key.id.value << " (" << core::name(created->key.role)
               << "). The secret is not shown again.\n"
               << "next, in the shell of whoever gets the key: export IDLEWATT_API_KEY"
               << (out_file.empty() ? "=…" : "_FILE=" + out_file) << '\n';
    return ExitCode::ok;
}

ExitCode key_ls(const Connection& connection, const Output& output) {
    const auto keys = ask_for(connection, {"GET", keys_path}, output, wire::parse_keys_body);
    if (!keys)
        return keys.error();
    if (output.json) {
        output.out << wire::keys_body(*keys) << '\n';
        return ExitCode::ok;
    }
    if (keys->empty()) {
        output.err << "there is no key\nnext: idlewatt key create --label NAME\n";
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{{"KEY", "ROLE", "DATA", "FLEET", "REQ/MIN",
                                                 "TOK/MIN", "AT ONCE", "CREATED", "REVOKED",
                                                 "LABEL"}};
    for (const core::ApiKey& key : *keys) {
        lines.push_back(
            {key.id.value, std::string(core::name(key.role)),
             std::string(core::name(key.data_class)), key.fleet.empty() ? "-" : key.fleet,
             limit_text(key.limits.requests_per_minute), limit_text(key.limits.tokens_per_minute),
             limit_text(key.limits.requests_at_once), time_text(key.created_at),
             time_text(key.revoked_at), key.label});
    }
    print_columns(lines, output.out);
    return ExitCode::ok;
}

ExitCode key_revoke(const Connection& connection, const std::string& id, const Output& output) {
    const auto key =
        ask_for(connection,
                {"DELETE", std::string(keys_path) + "/" + path_segment(id), "",
                 "A key is revoked by its id, not by its label; `idlewatt key ls` shows both."},
                output, wire::parse_key_body);
    if (!key)
        return key.error();
    if (output.json)
        output.out << wire::key_body(*key) << '\n';
    else
        output.err << "key " << key->id.value << " is revoked; gateways refuse it in a second\n";
    return ExitCode::ok;
}

namespace {

struct Given {
    wire::KeyOrder order;
    SecretFile out;
    std::string id;
    bool json = false;
};

void add_create_options(CLI::App& create, const std::shared_ptr<Given>& given) {
    wire::KeyOrder& order = given->order;
    create.add_option("--label", order.label, "For people: whose key it is")->type_name("TEXT");
    create
        .add_option_function<std::string>(
            "--role",
            [given](const std::string& word) { given->order.role = *core::key_role(word); },
            "customer: the OpenAI API. operator: everything. analyst: all that only reads "
            "[customer]")
        ->check(CLI::IsMember({"customer", "operator", "analyst"}))
        ->type_name("ROLE");
    create
        .add_option_function<std::string>(
            "--data-class",
            [given](const std::string& word) { given->order.data_class = *core::data_class(word); },
            "Where prompts may go. public: any car. own_fleet: cars of the key's fleet. refuse: "
            "none [public]")
        ->check(CLI::IsMember({"public", "own_fleet", "refuse"}))
        ->type_name("CLASS");
    create.add_option("--fleet", order.fleet, "Fleet that the key belongs to")->type_name("NAME");
    create.add_option("--requests-per-minute", order.limits.requests_per_minute, "0: no limit [0]")
        ->type_name("N");
    create.add_option("--tokens-per-minute", order.limits.tokens_per_minute, "0: no limit [0]")
        ->type_name("N");
    create.add_option("--requests-at-once", order.limits.requests_at_once, "0: no limit [0]")
        ->type_name("N");
    add_secret_file(create, given->out, "secret");
}

}  // namespace

void add_key_commands(CLI::App& app, Context& context) {
    const auto given = std::make_shared<Given>();
    CLI::App* key = app.add_subcommand(
        "key",
        "API keys\n\nExamples:\n  idlewatt key create --label anna --out anna.key\n"
        "  idlewatt key ls\n  idlewatt key revoke KEY");
    key->require_subcommand(1);
    AskingCommands<Given> commands(*key, context, given);
    const auto add = [&](const char* name, const char* about, auto run) {
        return commands.add(Party::coordinator, name, about, run);
    };
    CLI::App* create = add("create", "Make a key; its secret is shown once",
                           [](const Connection& to, const Given& said, const Output& output) {
                               return key_create(to, said.order, said.out, output);
                           });
    add_create_options(*create, given);
    add("ls", "List all keys, without their secrets",
        [](const Connection& to, const Given&, const Output& output) { return key_ls(to, output); })
        ->alias("list");
    add("revoke", "Make a key worthless, for good",
        [](const Connection& to, const Given& said, const Output& output) {
            return key_revoke(to, said.id, output);
        })
        ->add_option("KEY", given->id, "Its id, as `key ls` shows it")
        ->required();
}

}  // namespace idlewatt::cli
