// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/vehicle_commands.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <functional>
#include <iostream>
#include <iterator>
#include <memory>
#include <utility>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "cli/asking_command.hpp"
#include "cli/columns.hpp"
#include "cli/token_commands.hpp"
#include "cli/usage.hpp"
#include "cli/vehicle_orders.hpp"
#include "core/reason.hpp"
#include "core/signal.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* vehicles_path = "/api/v1/vehicles";

// The cars, or the code to end with when they could not be had (and said why).
tl::expected<std::vector<wire::VehicleRow>, ExitCode> fetch(const Connection& connection, bool json,
                                                            std::ostream& err) {
    const auto response = ask(connection, "GET", vehicles_path);
    if (!response)
        return tl::unexpected(report_error(response.error(), json, err));
    if (response->status != 200)
        return tl::unexpected(report_refusal(connection, *response, json, err));
    auto rows = wire::parse_vehicles_body(response->body);
    if (!rows) {
        report_error({base::ErrorKind::io, rows.error().message +
                                               ". Is the gateway of the same version as this "
                                               "program?"},
                     json, err);
        return tl::unexpected(ExitCode::failure);
    }
    return std::move(*rows);
}

tl::expected<wire::VehicleRow, ExitCode> fetch_one(const Connection& connection,
                                                   const std::string& id, bool json,
                                                   std::ostream& err) {
    auto rows = fetch(connection, json, err);
    if (!rows)
        return tl::unexpected(rows.error());
    const auto found = std::ranges::find_if(
        *rows, [&](const auto& row) { return row.announcement.vehicle.value == id; });
    if (found != rows->end())
        return std::move(*found);
    std::string known;
    for (std::size_t i = 0; i < rows->size() && i < 8; ++i)
        known += (i == 0 ? "" : ", ") + (*rows)[i].announcement.vehicle.value;
    if (rows->size() > 8)
        known += ", …";
    const std::string next = known.empty()
                                 ? "no car has announced itself yet; try again in a second"
                                 : "there are " + known;
    return tl::unexpected(report_error(
        {base::ErrorKind::not_found, "there is no vehicle '" + id + "'; " + next}, json, err));
}

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words)
        out += (out.empty() ? "" : ",") + word;
    return out;
}

std::string formatted(const char* format, double value) {
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), format, value);
    return text.data();
}

std::string charge_text(const core::Announcement& said) {
    return said.state_of_charge_percent ? formatted("%.1f %%", *said.state_of_charge_percent)
                                        : "unknown";
}

std::string slots_text(const core::Announcement& said) {
    return std::to_string(said.slots_total - std::min(said.slots_free, said.slots_total)) + '/' +
           std::to_string(said.slots_total);
}

std::string unknown_signal(std::string_view name) {
    std::string known;
    std::vector<std::string_view> names;
    for (const core::SignalInfo& info : core::signal_table()) {
        known += (known.empty() ? "" : ", ") + std::string(info.name);
        names.push_back(info.name);
    }
    const std::string_view near = near_word(name, names);
    return "there is no signal '" + std::string(name) + "'" +
           (!near.empty() ? "; did you mean '" + std::string(near) + "'? Signals: "
                          : "; there are: ") +
           known;
}

std::string json_row(const wire::VehicleRow& row) {
    std::string list = wire::vehicles_body({row});
    return list.substr(1, list.size() - 2);
}

std::string why_json(const wire::VehicleRow& row) {
    constexpr std::array kinds{"recall", "drain", "service"};
    const core::ReasonInfo& info = core::info(row.reason);
    const nlohmann::ordered_json object = {{"id", row.announcement.vehicle.value},
                                           {"reason", info.name},
                                           {"kind", kinds[static_cast<std::size_t>(info.kind)]},
                                           {"sentence", info.sentence},
                                           {"source", info.source},
                                           {"cleared_by", info.cleared_by}};
    return object.dump();
}

}  // namespace

ExitCode vehicle_ls(const Connection& connection, bool json, std::ostream& out, std::ostream& err) {
    const auto rows = fetch(connection, json, err);
    if (!rows)
        return rows.error();
    if (json) {
        out << wire::vehicles_body(*rows) << '\n';
        return ExitCode::ok;
    }
    if (rows->empty()) {
        err << "no car has announced itself at " << connection.url << '\n';
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{
        {"VEHICLE", "REASON", "CHARGE", "WATTS", "SLOTS", "ACTIVE", "TOK/S", "AGE", "MODELS"}};
    for (const wire::VehicleRow& row : *rows) {
        const core::Announcement& said = row.announcement;
        lines.push_back({said.vehicle.value, std::string(core::name(row.reason)), charge_text(said),
                         formatted("%.0f", said.allowed_w), slots_text(said),
                         std::to_string(row.active_requests),
                         formatted("%.1f", said.tokens_per_second),
                         formatted("%.1f s", row.age.seconds()), joined(said.models)});
    }
    print_columns(lines, out);
    return ExitCode::ok;
}

ExitCode vehicle_show(const Connection& connection, const std::string& id, bool json,
                      std::ostream& out, std::ostream& err) {
    const auto row = fetch_one(connection, id, json, err);
    if (!row)
        return row.error();
    if (json) {
        out << json_row(*row) << '\n';
        return ExitCode::ok;
    }
    const core::Announcement& said = row->announcement;
    print_columns({{"vehicle", said.vehicle.value},
                   {"reason", std::string(core::name(row->reason)) + ": " +
                                  std::string(core::info(row->reason).sentence)},
                   {"charge", charge_text(said)},
                   {"allowed power", formatted("%.0f W", said.allowed_w)},
                   {"models", said.models.empty() ? "none" : joined(said.models)},
                   {"slots in use", slots_text(said)},
                   {"active requests", std::to_string(row->active_requests)},
                   {"speed", formatted("%.1f tokens/s", said.tokens_per_second)},
                   {"last heard", formatted("%.1f s ago", row->age.seconds())}},
                  out);
    return ExitCode::ok;
}

ExitCode vehicle_why(const Connection& connection, const std::string& id, bool json,
                     std::ostream& out, std::ostream& err) {
    const auto row = fetch_one(connection, id, json, err);
    if (!row)
        return row.error();
    if (json) {
        out << why_json(*row) << '\n';
        return ExitCode::ok;
    }
    const core::ReasonInfo& info = core::info(row->reason);
    out << id << ": " << info.name << ". " << info.sentence << '\n';
    if (row->reason == core::Reason::ok)
        return ExitCode::ok;
    switch (info.kind) {
        case core::ReasonKind::recall:
            out << "Running work was stopped at once.\n";
            break;
        case core::ReasonKind::drain:
            out << "It takes no new work; what runs is handed over to other cars.\n";
            break;
        case core::ReasonKind::service:
            break;
    }
    out << "Seen by: " << info.source << ". Ends by: " << info.cleared_by;
    // The car says the same of a drain of its own, which ends by itself.
    if (row->reason == core::Reason::draining)
        out << ", or `idlewatt vehicle resume " << id << "` if an operator drained it";
    // The car tells its reason, not since when it is over.
    if (info.kind == core::ReasonKind::recall)
        out << ", and the owner's re-entry delay behind it, during which the car still says this";
    out << ".\n";
    return ExitCode::ok;
}

base::Result<wire::SignalOverride> parse_assignments(const std::vector<std::string>& assignments) {
    const auto bad = [](std::string message) {
        return base::fail(base::ErrorKind::bad_input, std::move(message));
    };
    wire::SignalOverride order;
    for (const std::string& assignment : assignments) {
        const std::size_t equals = assignment.find('=');
        if (equals == std::string::npos) {
            return bad("'" + assignment + "' is not of the form name=value, as in occupied=true");
        }
        const std::string_view name = std::string_view(assignment).substr(0, equals);
        const std::string_view value = std::string_view(assignment).substr(equals + 1);
        const auto signal = core::find_signal(name);
        if (!signal)
            return bad(unknown_signal(name));
        std::optional<double> number;
        if (value == "true" || value == "false") {
            number = value == "true" ? 1.0 : 0.0;
        } else if (value != "missing") {
            double read = 0.0;
            const auto [end, error] =
                std::from_chars(value.data(), value.data() + value.size(), read);
            if (value.empty() || error != std::errc() || end != value.data() + value.size() ||
                !std::isfinite(read)) {
                return bad("signal '" + std::string(name) +
                           "' takes true, false, a number or missing; found '" +
                           std::string(value) + "'");
            }
            number = read;
        }
        std::erase_if(order.values, [&](const auto& set) { return set.first == *signal; });
        order.values.emplace_back(*signal, number);
    }
    if (order.values.empty())
        return bad("no signal to set; name at least one, as in occupied=true");
    return order;
}

namespace {

// Allowed, since that is how one sees what a car makes of it.
void warn_of_senseless(const wire::SignalOverride& order, std::ostream& err) {
    for (const auto& [signal, value] : order.values) {
        const core::SignalInfo& known = core::info(signal);
        if (!value || core::in_range(known, *value))
            continue;
        err << "note: " << known.name << " is "
            << core::allowed_values(known)
            << "; the car takes this value for unknown, and does not work while it is\n";
    }
}

}  // namespace

ExitCode vehicle_signal(const Connection& connection, const std::string& id,
                        const std::vector<std::string>& assignments, std::ostream&,
                        std::ostream& err) {
    const auto order = parse_assignments(assignments);
    if (!order)
        return report_error(order.error(), false, err);
    if (!core::is_id(id)) {
        return report_error(
            {base::ErrorKind::bad_input,
             "'" + id + "' is no name of a vehicle: 1 to 64 of a-z, 0-9, '_' and '-'"},
            false, err);
    }
    const auto response =
        ask(connection, "POST", std::string(vehicles_path) + '/' + id + "/signals",
            wire::signal_order_body(*order));
    if (!response)
        return report_error(response.error(), false, err);
    if (response->status != 200)
        return report_refusal(connection, *response, false, err);
    warn_of_senseless(*order, err);
    return ExitCode::ok;
}

namespace {

struct Given {
    std::string id;
    bool json = false;
    std::vector<std::string> assignments;
};

using Commands = AskingCommands<Given>;

CLI::App* add_of_car(Commands& commands, Party party, const std::shared_ptr<Given>& given,
                     const char* name, const char* about, Commands::Run run) {
    CLI::App* sub = commands.add(party, name, about, std::move(run));
    sub->add_option("ID", given->id, "Name of the car")->required();
    return sub;
}

void add_views(Commands& commands, const std::shared_ptr<Given>& given) {
    const auto add = [&](const char* name, const char* about, Commands::Run run) {
        return add_of_car(commands, Party::gateway, given, name, about, std::move(run));
    };
    commands
        .add(Party::gateway, "ls", "List all cars, as the gateway sees them",
             [](const Connection& to, const Given&, const Output& output) {
                 return vehicle_ls(to, output.json, output.out, output.err);
             })
        ->alias("list");
    add("show", "One car", [](const Connection& to, const Given& said, const Output& output) {
        return vehicle_show(to, said.id, output.json, output.out, output.err);
    });
    add("why", "Why a car works or does not, in a sentence",
        [](const Connection& to, const Given& said, const Output& output) {
            return vehicle_why(to, said.id, output.json, output.out, output.err);
        });
    add("signal", "Tell a car with scripted signals what its signals say from now on",
        [](const Connection& to, const Given& said, const Output& output) {
            return vehicle_signal(to, said.id, said.assignments, output.out, output.err);
        })
        ->add_option(
            "SIGNALS", given->assignments,
            "name=value …, as in occupied=true; a value is true, false, a number or missing")
        ->required();
}

void add_orders(Commands& commands, const std::shared_ptr<Given>& given) {
    const auto add = [&](const char* name, const char* about, VehicleOrder order) {
        add_of_car(commands, Party::coordinator, given, name, about,
                   [order](const Connection& to, const Given& said, const Output& output) {
                       return vehicle_order(to, said.id, order, output);
                   });
    };
    add("pause", "It takes no work, and holds no model, until it is resumed", VehicleOrder::pause);
    add("resume", "Ends a pause or a drain; it never makes a car work whose owner objects",
        VehicleOrder::resume);
    add("drain", "It finishes what runs and takes nothing new until it is resumed",
        VehicleOrder::drain);
    add("revoke", "Ends its credentials for good; it has to enrol again", VehicleOrder::revoke);
    commands.add(Party::coordinator, "enrolled",
                 "List all cars that have enrolled, also those that are away",
                 [](const Connection& to, const Given&, const Output& output) {
                     return enrolled_ls(to, output);
                 });
}

}  // namespace

void add_vehicle_commands(CLI::App& app, Context& context) {
    const auto given = std::make_shared<Given>();
    CLI::App* vehicle =
        app.add_subcommand("vehicle",
                           "Cars: what they do, and why\n\nExamples:\n  idlewatt vehicle ls\n"
                           "  idlewatt vehicle why car-03\n  idlewatt vehicle pause car-03\n"
                           "  idlewatt vehicle token create --out car.token");
    vehicle->require_subcommand(1);
    vehicle->footer(
        "The gateway is the one at IDLEWATT_URL (http://127.0.0.1:8080 unless set), the "
        "coordinator the one at\nIDLEWATT_COORDINATOR_URL (http://127.0.0.1:8081); the key is "
        "taken from IDLEWATT_API_KEY.\n"
        "Exit codes: 0 ok, 1 failure, 2 usage, 3 not found, 4 wrong key, 5 no capacity.");
    Commands commands(*vehicle, context, given);
    add_views(commands, given);
    add_orders(commands, given);
    add_token_commands(*vehicle, context);
}

}  // namespace idlewatt::cli
