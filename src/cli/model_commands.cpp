// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/model_commands.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/asking_command.hpp"
#include "cli/columns.hpp"
#include "cli/files.hpp"
#include "cli/model_upload.hpp"
#include "wire/admin.hpp"
#include "wire/models.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* models_path = "/api/v1/models";

std::string count_text(std::uint64_t count) {
    if (count < 1'000'000)
        return std::to_string(count);
    return std::to_string(count / 1'000'000) + "." + std::to_string(count / 100'000 % 10) + "M";
}

std::string context_text(const ServedContext& served, const std::string& model) {
    const auto found = served.find(model);
    return found == served.end() || found->second == 0 ? "-" : std::to_string(found->second);
}

}  // namespace

ServedContext served_context(const Connection& gateway) {
    ServedContext served;
    base::AsioLoop loop;
    http::Call call = call_to(gateway, "GET", "/v1/models");
    call.connect_timeout = call.silence_timeout = served_context_max;
    const auto response = http::call_and_wait(loop, std::move(call));
    const auto rows = response && response->status == 200
                          ? wire::parse_models_body(response->body)
                          : base::fail(base::ErrorKind::unavailable, "no gateway");
    if (rows) {
        for (const wire::ModelRow& row : *rows)
            served[row.id] = row.context_tokens;
    }
    return served;
}

ExitCode model_ls(const Connection& connection, const ServedContext& served, const Output& output) {
    const auto models =
        ask_for(connection, {"GET", models_path}, output, wire::parse_registered_models);
    if (!models)
        return models.error();
    if (output.json) {
        output.out << wire::registered_models_body(*models) << '\n';
        return ExitCode::ok;
    }
    if (models->empty()) {
        output.err << "there is no model\nnext: idlewatt model add FILE\n";
        return ExitCode::ok;
    }
    std::vector<std::vector<std::string>> lines{{"MODEL", "SIZE", "PARAMETERS", "WEIGHTS",
                                                 "CONTEXT", "SERVED", "ASSIGNED", "READY", "WANTED",
                                                 "FILE"}};
    for (const wire::RegisteredModel& row : *models) {
        const core::Model& model = row.model;
        lines.push_back({model.name, bytes_text(model.bytes), count_text(model.parameters),
                         model.quantization.empty() ? "-" : model.quantization,
                         std::to_string(model.context_tokens), context_text(served, model.name),
                         std::to_string(row.vehicles_assigned), std::to_string(row.vehicles_ready),
                         std::to_string(model.replicas_min),
                         row.blob_present ? "there" : "missing"});
    }
    print_columns(lines, output.out);
    return ExitCode::ok;
}

ExitCode model_add(const Connection& connection, const std::string& path, const std::string& name,
                   std::uint32_t replicas_min, const Output& output) {
    base::AsioLoop loop;
    const ProgressStyle style = progress_style(STDERR_FILENO, output.json);
    auto model = describe_model(loop, path, name, output.err, style);
    if (!model)
        return report_error(model.error(), output.json, output.err);
    model->replicas_min = replicas_min;
    const auto added = add_model(loop, connection, path, *model, output.err, style);
    if (!added)
        return report_error(added.error(), output.json, output.err);
    if (output.json) {
        output.out << wire::registered_model_body(*added) << '\n';
        return ExitCode::ok;
    }
    output.out << added->name << '\n';
    output.err << added->architecture << ", " << count_text(added->parameters) << " parameters, "
               << added->quantization << ", " << bytes_text(added->bytes)
               << "\nnext: idlewatt model ls shows which cars hold it; idlewatt run " << added->name
               << '\n';
    return ExitCode::ok;
}

ExitCode model_rm(const Connection& connection, const std::string& name, const Output& output) {
    const auto removed = ask_for_body(
        connection, {"DELETE", std::string(models_path) + "/" + path_segment(name)}, output);
    if (!removed)
        return removed.error();
    if (output.json)
        output.out << *removed << '\n';
    else
        output.err << name << " is removed; cars drop it when they are told\n";
    return ExitCode::ok;
}

ExitCode model_make_random(const std::string& path, engine::RandomModelShape shape,
                           std::uint64_t seed, bool force, std::ostream& out, std::ostream& err) {
    // Two models of a cell must not have one name.
    if (shape.name.empty())
        shape.name = std::filesystem::path(path).stem().string();
    auto written = may_write_new(path, force);
    if (written)
        written = engine::write_random_model(path, shape, seed);
    if (!written)
        return report_error(written.error(), false, err);
    std::error_code ignored;
    const std::uintmax_t bytes = std::filesystem::file_size(path, ignored);
    out << path << '\n';
    err << "wrote a model of random weights, " << bytes / 1'000'000 << '.' << bytes / 100'000 % 10
        << " MB\nnext: idlewatt model add " << path
        << ", or a fleet of its own: idlewatt up --model " << path << '\n';
    return ExitCode::ok;
}

namespace {

struct RandomGiven {
    std::string path;
    engine::RandomModelShape shape;
    std::string type = "f32";
    std::uint64_t seed = 1;
    bool force = false;
};

void add_make_random(CLI::App& model, Context& context) {
    const auto given = std::make_shared<RandomGiven>();
    CLI::App* make = model.add_subcommand(
        "make-random",
        "Write a model with random weights (GGUF, llama architecture) for tests and load");
    make->add_option("PATH", given->path, "File to write")->required();
    engine::RandomModelShape& shape = given->shape;
    make->add_option("--layers", shape.layers, "Layers")->capture_default_str();
    make->add_option("--width", shape.width, "Width of a layer, a multiple of the heads")
        ->capture_default_str();
    make->add_option("--heads", shape.heads, "Heads of attention")->capture_default_str();
    make->add_option("--kv-heads", shape.key_value_heads,
                     "Heads for keys and values; divides the heads")
        ->capture_default_str();
    make->add_option("--feed-forward", shape.feed_forward, "Width of the feed-forward part")
        ->capture_default_str();
    make->add_option("--context", shape.context_tokens, "Tokens that the model can look back on")
        ->capture_default_str();
    make->add_option("--type", given->type, "Type of the weights: f32, f16 or q8_0")
        ->capture_default_str();
    make->add_option("--seed", given->seed, "The same shape, seed and name give the same bytes")
        ->capture_default_str();
    shape.name.clear();
    make->add_option("--name", shape.name, "Its name in a cell; otherwise the file's")
        ->type_name("NAME");
    make->add_flag("--force", given->force, "Overwrite the file if it is there");
    make->callback([given, &context] {
        const auto type = engine::weight_type_named(given->type);
        if (!type) {
            context.ends_with(report_error(type.error(), false, std::cerr));
            return;
        }
        given->shape.weights = *type;
        context.ends_with(model_make_random(given->path, given->shape, given->seed, given->force,
                                            std::cout, std::cerr));
    });
}

}  // namespace

void add_model_commands(CLI::App& app, Context& context) {
    struct Given {
        std::string path;
        std::string name;
        std::uint32_t replicas_min = 1;
        bool json = false;
    };
    const auto given = std::make_shared<Given>();
    CLI::App* model = app.add_subcommand(
        "model",
        "Models of a cell\n\nExamples:\n  idlewatt model add model.gguf --replicas 3\n"
        "  idlewatt model ls\n  idlewatt model rm NAME\n"
        "  idlewatt model make-random tiny.gguf");
    model->require_subcommand(1);
    AskingCommands<Given> commands(*model, context, given);
    const auto add = [&](const char* name, const char* about, auto run) {
        return commands.add(Party::coordinator, name, about, run);
    };
    add("ls", "List all models, and how many cars hold them",
        [&context](const Connection& to, const Given&, const Output& output) {
            const auto settings = load_settings(context, {});
            const auto gateway = settings
                                     ? connection_from(*settings, Party::gateway)
                                     : base::Result<Connection>(tl::unexpected(settings.error()));
            return model_ls(
                to, gateway && !output.json ? served_context(*gateway) : ServedContext(), output);
        })
        ->alias("list");
    CLI::App* put = add("add", "Send a GGUF file to the coordinator; goes on where it ended before",
                        [](const Connection& to, const Given& said, const Output& output) {
                            return model_add(to, said.path, said.name, said.replicas_min, output);
                        });
    put->add_option("FILE", given->path, "GGUF file")->required();
    put->add_option("--name", given->name, "Its name; otherwise the file says it")
        ->type_name("NAME");
    put->add_option("--replicas", given->replicas_min, "Cars that are to hold it at least [1]")
        ->type_name("N");
    add("rm", "Remove a model from the cell",
        [](const Connection& to, const Given& said, const Output& output) {
            return model_rm(to, said.name, output);
        })
        ->add_option("NAME", given->name, "As `model ls` shows it")
        ->required();
    add_make_random(*model, context);
}

}  // namespace idlewatt::cli
