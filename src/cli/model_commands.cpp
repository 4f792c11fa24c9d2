// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/model_commands.hpp"

#include <filesystem>
#include <iostream>
#include <memory>
#include <system_error>

#include <CLI/CLI.hpp>

#include "cli/connection.hpp"

namespace idlewatt::cli {

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

void add_model_commands(CLI::App& app, int& exit_code) {
    struct Options {
        std::string path;
        engine::RandomModelShape shape;
        std::string type = "f32";
        std::uint64_t seed = 1;
    };
    const auto options = std::make_shared<Options>();
    CLI::App* model = app.add_subcommand("model", "Model files");
    model->require_subcommand(1);
    CLI::App* make = model->add_subcommand(
        "make-random",
        "Write a model with random weights (GGUF, llama architecture) for tests and load");
    make->add_option("PATH", options->path, "File to write")->required();
    engine::RandomModelShape& shape = options->shape;
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
    make->add_option("--type", options->type, "Type of the weights: f32, f16 or q8_0")
        ->capture_default_str();
    make->add_option("--seed", options->seed, "The same shape and seed give the same bytes")
        ->capture_default_str();
    make->callback([options, &exit_code] {
        const auto type = engine::weight_type_named(options->type);
        if (!type) {
            exit_code = to_int(report_error(type.error(), false, std::cerr));
            return;
        }
        options->shape.weights = *type;
        exit_code = to_int(
            model_make_random(options->path, options->shape, options->seed, std::cout, std::cerr));
    });
}

}  // namespace idlewatt::cli
