// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/model_commands.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "cli/columns.hpp"
#include "cli/model_upload.hpp"
#include "wire/admin.hpp"

namespace idlewatt::cli {

namespace {

constexpr const char* models_path = "/api/v1/models";

std::string count_text(std::uint64_t count) {
    if (count < 1'000'000)
        return std::to_string(count);
    return std::to_string(count / 1'000'000) + "." + std::to_string(count / 100'000 % 10) + "M";
}

}  // namespace

ExitCode model_ls(const Connection& connection, const Output& output) {
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
                                                 "CONTEXT", "ASSIGNED", "READY", "WANTED", "FILE"}};
    for (const wire::RegisteredModel& row : *models) {
        const core::Model& model = row.model;
        lines.push_back({model.name, bytes_text(model.bytes), count_text(model.parameters),
                         model.quantization.empty() ? "-" : model.quantization,
                         std::to_string(model.context_tokens),
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

ExitCode model_make_random(const std::string& path, const engine::RandomModelShape& shape,
                           std::uint64_t seed, std::ostream& out, std::ostream& err) {
    const auto written = engine::write_random_model(path, shape, seed);
    if (!written)
        return report_error(written.error(), false, err);
    std::error_code ignored;
    const std::uintmax_t bytes = std::filesystem::file_size(path, ignored);
    out << path << '\n';
    err << "wrote a model of random weights, " << bytes / 1'000'000 << '.' << bytes / 100'000 % 10
        << " MB\nnext: idlewatt demo --model " << path << '\n';
    return ExitCode::ok;
}

namespace {

struct RandomGiven {
    std::string path;
    engine::RandomModelShape shape;
    std::string type = "f32";
    std::uint64_t seed = 1;
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
    make->add_option("--seed", given->seed, "The same shape and seed give the same bytes")
        ->capture_default_str();
    make->callback([given, &context] {
        const auto type = engine::weight_type_named(given->type);
        if (!type) {
            context.ends_with(report_error(type.error(), false, std::cerr));
            return;
        }
        given->shape.weights = *type;
        context.ends_with(
            model_make_random(given->path, given->shape, given->seed, std::cout, std::cerr));
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
    const auto add = [&](const char* name, const char* about, auto command) {
        CLI::App* sub = model->add_subcommand(name, about);
        sub->add_flag("--json", given->json, "As JSON, on stdout");
        sub->callback([given, command, &context] {
            const Output output{std::cout, std::cerr, given->json};
            const auto to = connection_of(context, Party::coordinator, output);
            context.ends_with(to ? command(*to, *given, output) : to.error());
        });
        return sub;
    };
    add("ls", "List all models, and how many cars hold them",
        [](const Connection& to, const Given&, const Output& output) {
            return model_ls(to, output);
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
