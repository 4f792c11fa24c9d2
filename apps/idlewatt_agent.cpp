// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program in the car. A table of contents: options, edges, role, run, hand over.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <boost/asio/signal_set.hpp>

#include "agent/agent.hpp"
#include "base/asio_loop.hpp"
#include "base/log.hpp"
#include "bus/nats_bus.hpp"
#include "check_engine.hpp"
#include "engine/llama_server_engine.hpp"
#include "identity/identity.hpp"
#include "meter/model_meter.hpp"
#include "signals/scripted_signals.hpp"
#include "spool/file_spool.hpp"

namespace {

using namespace idlewatt;

constexpr int exit_failure = 1;
constexpr int exit_usage = 2;

struct Options {
    std::string vehicle;
    std::string cell = "c1";
    std::string nats_url;
    std::string credentials_file;
    std::string state_dir;
    std::string model_path;
    std::string model_name;
    std::string script_path;
    std::string tap_path;
    std::uint32_t slots = 2;
    std::uint32_t context_tokens_per_slot = 2048;
    std::uint32_t vehicle_index = 0;
    std::uint32_t vehicle_count = 1;
    double speed = 1.0;
    std::int64_t story_start_us = 0;
    bool verbose = false;
};

void add_options(CLI::App& app, Options& options) {
    app.add_option("--vehicle", options.vehicle, "Name of this car: [a-z0-9_-], 1 to 64")
        ->required();
    app.add_option("--cell", options.cell, "Cell that it belongs to")->capture_default_str();
    app.add_option("--nats", options.nats_url, "nats://HOST:PORT")->required();
    app.add_option("--credentials", options.credentials_file, "The car's NATS credentials file")
        ->required()
        ->check(CLI::ExistingFile);
    app.add_option("--state", options.state_dir, "Folder for receipts, sockets and pid files")
        ->required()
        ->check(CLI::ExistingDirectory);
    app.add_option("--model", options.model_path, "GGUF file; without it the car holds no model");
    app.add_option("--model-name", options.model_name, "Name under which it is announced");
    app.add_option("--script", options.script_path, "Signals of the car, scripted in TOML")
        ->required();
    app.add_option("--tap", options.tap_path, "Append all bytes of the engine's streams here");
    app.add_option("--slots", options.slots, "Answers at the same time")
        ->check(CLI::Range(1U, core::slots_max));
    app.add_option("--context", options.context_tokens_per_slot, "Tokens of context per slot");
    app.add_option("--vehicle-index", options.vehicle_index, "Place of this car in the script");
    app.add_option("--vehicle-count", options.vehicle_count, "How many cars the script is for");
    app.add_option("--speed", options.speed, "Played seconds of the script in a real second");
    app.add_option("--story-start", options.story_start_us, "When the script began, µs of Unix");
    app.add_flag("--verbose", options.verbose, "Log what happens, not only what goes wrong");
}

std::string read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

// A reader never sees half a number.
void write_pid_file(const std::string& path) {
    const std::string fresh = path + ".new";
    std::ofstream(fresh) << getpid() << '\n';
    std::rename(fresh.c_str(), path.c_str());
}

// One line per recall, for whoever wants to know how quickly the car was free.
void append_recall(const std::string& path, core::Reason reason, base::Duration took,
                   base::WallTime at) {
    char line[160];
    std::snprintf(line, sizeof line, "{\"at\":\"%s\",\"reason\":\"%s\",\"took_ms\":%.3f}\n",
                  base::to_rfc3339(at).c_str(), std::string(core::name(reason)).c_str(),
                  took.milliseconds());
    std::ofstream(path, std::ios::app) << line;
}

int fail(const base::Error& error) {
    std::cerr << "idlewatt-agent: " << error.message << '\n';
    return error.kind == base::ErrorKind::bad_input ? exit_usage : exit_failure;
}

engine::LlamaServerOptions engine_options(const Options& options, std::string bundle_dir) {
    engine::LlamaServerOptions made;
    made.model_path = options.model_path;
    made.model_name = options.model_name;
    made.bundle_dir = std::move(bundle_dir);
    made.run_dir = options.state_dir;
    made.guard_program = std::filesystem::read_symlink("/proc/self/exe");
    made.slots = options.slots;
    made.context_tokens_per_slot = options.context_tokens_per_slot;
    made.tap_path = options.tap_path;
    return made;
}

int run(const Options& options) {
    if (!core::is_id(options.vehicle)) {
        return fail(
            {base::ErrorKind::bad_input, "--vehicle takes 1 to 64 characters of [a-z0-9_-]"});
    }
    base::AsioLoop loop;
    const auto incarnation = core::Incarnation(static_cast<std::uint64_t>(loop.wall_now().us));
    auto script = signals::load_script(options.script_path);
    if (!script)
        return fail(script.error());
    auto key = identity::key_of_credentials(read_file(options.credentials_file));
    if (!key)
        return fail(key.error());
    auto spool = spool::open_file_spool(options.state_dir + "/receipts.spool");
    if (!spool)
        return fail(spool.error());
    auto bundle = engine::find_engine_bundle();
    if (!bundle)
        return fail(bundle.error());
    bus::NatsOptions nats;
    nats.urls = {options.nats_url};
    nats.name = options.vehicle;
    nats.label = options.vehicle + "/" + std::to_string(incarnation.value);
    nats.credentials_file = options.credentials_file;
    auto bus = bus::connect_nats(loop, nats);
    if (!bus)
        return fail(bus.error());

    const auto engine = engine::make_llama_server_engine(loop, engine_options(options, *bundle));
    const auto source =
        signals::make_scripted_signals(loop, *script,
                                       {options.vehicle_index, options.vehicle_count, options.speed,
                                        base::WallTime{options.story_start_us}});
    const meter::ModelMeter meter;
    agent::AgentOptions role;
    role.cell = options.cell;
    role.vehicle = core::VehicleId(options.vehicle);
    role.incarnation = incarnation;
    role.model = options.model_path.empty() ? std::string{} : options.model_name;
    role.settings = script->owner;
    role.story = std::to_string(options.story_start_us);
    role.seed = incarnation.value ^ (static_cast<std::uint64_t>(getpid()) << 40);
    agent::AgentObserver observer;
    observer.on_recall = [&](core::Reason reason, base::Duration took) {
        append_recall(options.state_dir + "/recalls.jsonl", reason, took, loop.wall_now());
    };
    observer.on_verdict = [](const core::Verdict& verdict, core::Reason announced) {
        base::log_info("verdict", core::info(verdict.reason).sentence);
        static_cast<void>(announced);
    };
    agent::Agent agent({loop, **bus, *engine, *source, meter, **spool, *key}, role, observer);
    write_pid_file(options.state_dir + "/agent.pid");
    agent.start();

    boost::asio::signal_set signals(loop.context(), SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error)
            agent.terminate([&] { loop.stop(); });
    });
    loop.run();
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc > 1 && std::string_view(argv[1]) == "engine-guard") {
        return idlewatt::engine::guard_main(argc, argv);
    }
    umask(077);
    if (argc > 1 && std::string_view(argv[1]) == "check-engine")
        return idlewatt::check_engine();
    Options options;
    CLI::App app("The Idlewatt agent: lets a parked car answer AI requests when its owner allows.");
    add_options(app, options);
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        return app.exit(error) == 0 ? 0 : exit_usage;
    }
    if (options.model_name.empty() && !options.model_path.empty())
        options.model_name = "model";
    base::set_up_log(options.vehicle,
                     options.verbose ? base::LogLevel::info : base::LogLevel::warning);
    return run(options);
}
