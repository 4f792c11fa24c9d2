// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent_run.hpp"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>

#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include "agent/agent.hpp"
#include "base/log.hpp"
#include "blobs/folder_blobs.hpp"
#include "bus/nats_bus.hpp"
#include "engine/llama_server_engine.hpp"
#include "http_byte_source.hpp"
#include "meter/model_meter.hpp"
#include "signals/scripted_signals.hpp"
#include "spool/file_spool.hpp"

namespace idlewatt {

namespace {

constexpr base::Duration connect_retry_min = base::seconds(2);
constexpr base::Duration connect_denied_min = base::seconds(30);
constexpr base::Duration connect_retry_max = base::minutes(2);
constexpr base::Duration credentials_check_period = base::minutes(1);

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

// A car that slept longer than its credentials hold is let in by the token that it came with, for
// as long as that holds: the same key stays the same car.
bool enrol_again(base::AsioLoop& loop, const CarOptions& options) {
    if (!options.enrolment_token || options.coordinator_url.empty())
        return false;
    const auto enrolment = enrol(loop, options);
    if (!enrolment)
        base::log_error("credentials", enrolment.error().message);
    return enrolment.has_value();
}

// An enrolled car waits for its cell, ever more patiently; one that was told by hand is somebody
// else's to start again.
base::Result<std::unique_ptr<bus::Bus>> connect(base::AsioLoop& loop, const CarOptions& options,
                                                const Place& place, core::Incarnation incarnation) {
    bus::NatsOptions nats;
    nats.urls = place.nats_urls;
    nats.name = place.vehicle;
    nats.label = place.vehicle + "/" + std::to_string(incarnation.value);
    nats.credentials_file = place.credentials_file;
    nats.ca_file = options.ca_file;
    nats.allow_plaintext = options.insecure;
    base::Duration wait = connect_retry_min;
    for (;;) {
        auto bus = bus::connect_nats(loop, nats);
        if (bus || !place.enrolled || bus.error().kind == base::ErrorKind::bad_input)
            return bus;
        const bool denied = bus.error().kind == base::ErrorKind::denied;
        const bool let_in = denied && enrol_again(loop, options);
        if (denied && !let_in) {
            wait = std::max(wait, connect_denied_min);
            base::log_error("bus",
                            "the cell refuses this car's credentials: they have ended, or an "
                            "operator has revoked them. To enrol it again, remove enrolment.json "
                            "from the state folder and run 'idlewatt-agent enrol'");
        } else if (!denied) {
            base::log_error("bus", bus.error().message);
        }
        base::log_error(
            "bus", "trying again in " + std::to_string(wait.whole_milliseconds() / 1000) + " s");
        loop.run_for(wait);
        wait = std::min(wait * 2, connect_retry_max);
    }
}

bool credentials_hold(const agent::EnrolmentFolder& folder, base::WallTime now) {
    const auto enrolment = folder.read();
    return !enrolment || !*enrolment || folder.life(**enrolment, now);
}

engine::LlamaServerOptions engine_options(const CarOptions& options, std::string bundle_dir) {
    engine::LlamaServerOptions made;
    made.model_path = options.model_path;
    made.model_name = options.model_name;
    made.bundle_dir = std::move(bundle_dir);
    made.run_dir = options.state_dir;
    made.guard_program = std::filesystem::read_symlink("/proc/self/exe");
    made.slots = options.slots;
    made.context_tokens_per_slot = options.context_tokens_per_slot;
    made.tap_path = options.tap_path;
    made.gathers = true;
    return made;
}

// What a model may use: half of the machine's, since the car has other things to do.
std::uint64_t model_memory_bytes() {
    const long pages = ::sysconf(_SC_PHYS_PAGES);
    const long page_bytes = ::sysconf(_SC_PAGESIZE);
    return pages > 0 && page_bytes > 0
               ? static_cast<std::uint64_t>(pages) * static_cast<std::uint64_t>(page_bytes) / 2
               : 0;
}

agent::AgentOptions role_options(const CarOptions& options, const Place& place,
                                 const signals::Script& script, core::Incarnation incarnation) {
    agent::AgentOptions role;
    role.cell = place.cell;
    role.vehicle = core::VehicleId(place.vehicle);
    role.incarnation = incarnation;
    role.model = options.model_path.empty() ? std::string{} : options.model_name;
    role.settings = script.owner;
    role.membership = place.membership;
    role.credentials = place.life;
    role.story = std::to_string(options.story_start_us);
    role.seed = incarnation.value ^ (static_cast<std::uint64_t>(getpid()) << 40);
    return role;
}

agent::AgentObserver observer(base::AsioLoop& loop, const CarOptions& options) {
    agent::AgentObserver made;
    made.on_recall = [&loop, path = options.state_dir + "/recalls.jsonl"](core::Reason reason,
                                                                          base::Duration took) {
        append_recall(path, reason, took, loop.wall_now());
    };
    made.on_verdict = [](const core::Verdict& verdict, core::Reason announced) {
        base::log_info("verdict", core::info(verdict.reason).sentence);
        static_cast<void>(announced);
    };
    return made;
}

}  // namespace

int run_agent(base::AsioLoop& loop, const CarOptions& options, const Place& place) {
    const auto incarnation = core::Incarnation(static_cast<std::uint64_t>(loop.wall_now().us));
    auto script = signals::load_script(options.script_path);
    if (!script)
        return fail_agent(script.error());
    auto spool = spool::open_file_spool(options.state_dir + "/receipts.spool");
    if (!spool)
        return fail_agent(spool.error());
    auto bundle = engine::find_engine_bundle();
    if (!bundle)
        return fail_agent(bundle.error());
    const agent::EnrolmentFolder folder(options.state_dir);
    HttpByteSource byte_source(loop, options.ca_file,
                               [&folder] { return folder.user_jwt().value_or(""); });
    std::unique_ptr<blobs::Blobs> cache;
    agent::CellParts cell;
    if (options.model_path.empty()) {
        auto opened = blobs::open_folder_blobs(loop, {options.cache_dir, options.cache_bytes});
        if (!opened)
            return fail_agent(opened.error());
        cache = std::move(*opened);
        cell = {cache.get(), &byte_source, {}, model_memory_bytes()};
    }
    if (place.enrolled)
        cell.keep_renewal = [&folder](const wire::Renewal& renewal) {
            return folder.keep(renewal);
        };
    auto bus = connect(loop, options, place, incarnation);
    if (!bus)
        return fail_agent(bus.error());

    const auto engine = engine::make_llama_server_engine(loop, engine_options(options, *bundle));
    const auto source =
        signals::make_scripted_signals(loop, *script,
                                       {options.vehicle_index, options.vehicle_count, options.speed,
                                        base::WallTime{options.story_start_us}});
    const meter::ModelMeter meter;
    agent::Agent agent({loop, **bus, *engine, *source, meter, **spool, place.key, cell},
                       role_options(options, place, *script, incarnation), observer(loop, options));
    write_pid_file(options.state_dir + "/agent.pid");
    agent.start();

    int exit_code = 0;
    const std::function<void()> look_after_credentials = [&] {
        loop.after(credentials_check_period, look_after_credentials);
        if (!place.enrolled || (*bus)->connected() || credentials_hold(folder, loop.wall_now()))
            return;
        base::log_error("credentials",
                        "they have ended while the cell could not be reached; the program ends, to "
                        "be started again with the enrolment token");
        exit_code = exit_failure;
        agent.terminate([&] { loop.stop(); });
    };
    if (options.enrolment_token)
        loop.after(credentials_check_period, look_after_credentials);
    boost::asio::signal_set signals(loop.context(), SIGINT, SIGTERM);
    signals.async_wait([&](const boost::system::error_code& error, int) {
        if (!error)
            agent.terminate([&] { loop.stop(); });
    });
    loop.run();
    return exit_code;
}

}  // namespace idlewatt
