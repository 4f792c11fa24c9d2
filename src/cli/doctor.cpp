// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/doctor.hpp"

#include <array>
#include <iostream>
#include <memory>

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"
#include "cli/files.hpp"
#include "cli/programs.hpp"

namespace idlewatt::cli {

namespace {

using Status = Finding::Status;

constexpr base::Duration probe_max = base::seconds(3);
constexpr base::Duration openssl_max = base::seconds(10);

Finding reach(const config::Settings& settings, Party party) {
    const std::string who(name(party));
    const auto connection = connection_from(settings, party);
    if (!connection)
        return {who, Status::broken, connection.error().message, "correct it"};
    http::Call call = call_to(*connection, "GET", "/healthz");
    call.connect_timeout = call.silence_timeout = probe_max;
    base::AsioLoop loop;
    const auto answer = http::call_and_wait(loop, std::move(call));
    if (!answer)
        return {
            who, Status::notice, "none at " + connection->url + ": " + answer.error().message,
            "start one (idlewatt up), or set " +
                std::string(party == Party::gateway ? "IDLEWATT_URL" : "IDLEWATT_COORDINATOR_URL")};
    if (answer->status != 200)
        return {who, Status::broken,
                connection->url + " answers with status " + std::to_string(answer->status),
                "is an Idlewatt " + who + " there?"};
    return {who, Status::ok, "answers at " + connection->url, ""};
}

Finding port_of(const std::string& key, std::int64_t port, bool served) {
    const std::string name = "port_" + std::to_string(port);
    if (port == 0 || port_is_free(static_cast<int>(port)))
        return {name, Status::ok, "free for " + key, ""};
    if (served)
        return {name, Status::ok, "in use by the server that answers there", ""};
    return {name, Status::notice, "another program has it",
            "choose another one for " + key + ", or end that program (ss -ltnp)"};
}

bool is_open_to_others(const std::string& path) {
    struct stat status {};
    return stat(path.c_str(), &status) == 0 && (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

Finding secret_of(const config::Setting& setting, const std::string& path) {
    const std::string key(setting.key);
    if (access(path.c_str(), R_OK) != 0)
        return {key, Status::broken, "cannot read " + path, "make it, or correct " + key};
    if (is_open_to_others(path))
        return {key, Status::broken, path + " can be read by others", "chmod 600 " + path};
    return {key, Status::ok, path + " is its owner's alone", ""};
}

Finding certificate_of(const config::Setting& setting, const std::string& path) {
    const std::string key(setting.key);
    const auto ran =
        run_program({"openssl", "x509", "-noout", "-enddate", "-checkend", "1209600", "-in", path},
                    openssl_max);
    if (!ran)
        return {key, Status::notice, "the age of " + path + " was not looked at",
                "apt-get install openssl"};
    const std::string end = first_line(ran->output);
    if (!end.starts_with("notAfter="))
        return {key, Status::broken, path + " is no certificate: " + end, "correct " + key};
    if (ran->code != 0)
        return {key, Status::broken, path + " ends soon or has ended: " + end, "renew it"};
    return {key, Status::ok, path + ": " + end, ""};
}

}  // namespace

std::string_view name(Finding::Status status) {
    constexpr std::array<std::string_view, 3> names{"ok", "notice", "broken"};
    return names[static_cast<std::size_t>(status)];
}

std::vector<Finding> examine_servers(const config::Settings& settings) {
    std::vector<Finding> findings{reach(settings, Party::gateway),
                                  reach(settings, Party::coordinator)};
    findings.push_back(port_of("gateway.port", settings.integer("gateway.port"),
                               findings[0].status == Status::ok));
    findings.push_back(port_of("coordinator.port", settings.integer("coordinator.port"),
                               findings[1].status == Status::ok));
    return findings;
}

std::vector<Finding> examine_files(const config::Settings& settings) {
    std::vector<Finding> findings;
    for (const config::Setting& setting : config::schema()) {
        const std::string& path = settings.text(setting.key);
        if (path.empty())
            continue;
        if (setting.type == config::Type::secret_file)
            findings.push_back(secret_of(setting, path));
        else if (setting.key.ends_with("tls_certificate_file"))
            findings.push_back(certificate_of(setting, path));
    }
    const std::string keys = up_state_dir(settings) + "/keys";
    if (is_open_to_others(keys))
        findings.push_back(
            {"up.keys", Status::broken, keys + " can be read by others", "chmod 700 " + keys});
    return findings;
}

ExitCode report_findings(const std::vector<Finding>& findings, const Output& output) {
    bool broken = false;
    nlohmann::ordered_json checks = nlohmann::ordered_json::array();
    for (const Finding& finding : findings) {
        broken = broken || finding.status == Status::broken;
        checks.push_back({{"name", finding.name},
                          {"status", name(finding.status)},
                          {"what", finding.what},
                          {"remedy", finding.remedy}});
        if (output.json)
            continue;
        constexpr std::array<const char*, 3> words{"ok    ", "NOTICE", "BROKEN"};
        output.out << words[static_cast<std::size_t>(finding.status)] << "  " << finding.name
                   << ": " << finding.what << '\n';
        if (!finding.remedy.empty())
            output.out << "        remedy: " << finding.remedy << '\n';
    }
    if (output.json) {
        const nlohmann::ordered_json object = {{"ok", !broken}, {"checks", std::move(checks)}};
        output.out << object.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace)
                   << '\n';
    }
    return broken ? ExitCode::failure : ExitCode::ok;
}

void add_doctor_command(CLI::App& app, Context& context) {
    const auto json = std::make_shared<bool>(false);
    CLI::App* doctor = app.add_subcommand(
        "doctor",
        "Look what on this machine keeps Idlewatt from working, and say the remedy\n\nExamples:\n"
        "  idlewatt doctor\n  idlewatt doctor --json");
    doctor->add_flag("--json", *json, "As a JSON object, on stdout");
    doctor->callback([json, &context] {
        const Output output{std::cout, std::cerr, *json};
        std::vector<Finding> findings;
        auto settings = load_settings(context, {});
        if (settings) {
            findings.push_back({"settings", Status::ok, "all files are understood", ""});
        } else {
            findings.push_back({"settings", Status::broken, settings.error().message,
                                "correct it; `idlewatt config validate FILE` tries it"});
            settings = config::Settings();
        }
        for (const auto& examine : {examine_machine, examine_servers, examine_files}) {
            for (Finding& finding : examine(*settings))
                findings.push_back(std::move(finding));
        }
        context.ends_with(report_findings(findings, output));
    });
}

}  // namespace idlewatt::cli
