// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/processes.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "cli/files.hpp"
#include "http/client.hpp"

namespace idlewatt::cli {

namespace {

constexpr base::Duration poll_period = base::milliseconds(10);
// For one question to a server that may not be there yet.
constexpr base::Duration probe_max = base::seconds(1);
// What was killed has ended after this, or hangs in the kernel.
constexpr base::Duration kill_max = base::seconds(1);

bool asked(const StopAsked& stop_asked) {
    return stop_asked && stop_asked();
}

bool all_ended(const std::vector<Supervisor*>& parts) {
    return std::ranges::all_of(parts, [](const Supervisor* part) { return part->ended(); });
}

// Without the full stop.
std::string last_line_of(const std::string& path) {
    const auto text = read_file(path);
    if (!text)
        return {};
    std::string_view lines = *text;
    while (lines.ends_with('\n') || lines.ends_with('.'))
        lines.remove_suffix(1);
    return std::string(lines.substr(lines.rfind('\n') + 1));
}

bool is_healthy(base::AsioLoop& loop, const std::string& url) {
    http::Call call;
    call.url = url + "/healthz";
    call.connect_timeout = call.silence_timeout = probe_max;
    const auto answer = http::call_and_wait(loop, std::move(call));
    return answer && answer->status == 200;
}

}  // namespace

bool run_until(base::AsioLoop& loop, const std::function<bool()>& condition, base::Duration limit) {
    const base::Instant end = loop.now() + limit;
    while (!condition()) {
        if (loop.now() > end)
            return false;
        loop.run_for(poll_period);
    }
    return true;
}

base::Result<RunningNats> start_nats_server(base::AsioLoop& loop, const std::string& folder,
                                            bus::NatsServerOptions options,
                                            const StopAsked& stop_asked) {
    auto program = bus::find_nats_server();
    if (!program)
        return tl::unexpected<base::Error>(program.error());
    options.ports_folder = folder;
    options.pid_file = folder + "/nats.pid";
    options.log_file = folder + "/nats.log";
    auto ready = bus::prepare_nats_server(options);
    if (!ready)
        return tl::unexpected<base::Error>(ready.error());
    const std::string config = folder + "/nats.conf";
    auto written = write_file(config, bus::nats_server_config(options));
    if (!written)
        return tl::unexpected<base::Error>(written.error());
    RunningNats nats;
    nats.url = "nats://127.0.0.1:" + std::to_string(options.port);
    nats.process =
        std::make_unique<Supervisor>(loop, "nats-server", [config, folder, path = *program] {
            base::SpawnOptions spawn;
            spawn.argv = {path, "-c", config};
            // A fleet of one machine needs no second core for its messages, and threads that look
            // for work take more of it than the messages do.
            if (std::getenv("GOMAXPROCS") == nullptr)
                spawn.environment.emplace_back("GOMAXPROCS", "1");
            spawn.output_file = folder + "/nats.log";
            return spawn;
        });
    auto started = nats.process->start();
    if (!started)
        return tl::unexpected<base::Error>(started.error());
    const bool up = run_until(
        loop,
        [&] {
            return bus::nats_server_address(folder, nats.process->pid()).has_value() ||
                   asked(stop_asked);
        },
        part_start_max);
    if (!up)
        return base::fail(base::ErrorKind::unavailable,
                          "nats-server did not start; see " + options.log_file);
    return nats;
}

base::Result<void> wait_for_health(base::AsioLoop& loop, const std::string& url,
                                   const std::string& hint, const StopAsked& stop_asked) {
    const base::Instant end = loop.now() + part_start_max;
    while (loop.now() < end) {
        if (asked(stop_asked))
            return base::fail(base::ErrorKind::unavailable, "stopped before all had started");
        if (is_healthy(loop, url))
            return {};
        loop.run_for(poll_period);
    }
    return base::fail(base::ErrorKind::unavailable, "no answer at " + url + "; " + hint);
}

int pid_in(const std::string& path) {
    const auto text = read_file(path);
    return text ? std::atoi(text->c_str()) : 0;
}

base::Result<void> wait_for_role(base::AsioLoop& loop, const Supervisor& process,
                                 const RolePlace& place, const std::string& hint,
                                 const StopAsked& stop_asked) {
    const base::Instant end = loop.now() + part_start_max;
    while (loop.now() < end && process.restarts() < quick_restarts_max) {
        if (asked(stop_asked))
            return base::fail(base::ErrorKind::unavailable, "stopped before all had started");
        const bool listens = process.pid() > 0 && pid_in(place.pid_file) == process.pid();
        if (listens && is_healthy(loop, place.url))
            return {};
        loop.run_for(poll_period);
    }
    // The folder may be gone before anybody can look into it.
    const std::string said = last_line_of(place.log_file);
    return base::fail(
        base::ErrorKind::unavailable,
        "no answer at " + place.url + (said.empty() ? "" : ": " + said) + "; " + hint);
}

void stop_in_order(base::AsioLoop& loop, const std::vector<std::vector<Supervisor*>>& groups,
                   base::Duration limit) {
    std::vector<Supervisor*> all;
    for (const auto& group : groups) {
        for (Supervisor* part : group)
            part->stop();
        all.insert(all.end(), group.begin(), group.end());
        run_until(
            loop, [&] { return all_ended(group); },
            limit / static_cast<std::int64_t>(groups.size()));
    }
    // An engine dies with its agent.
    for (Supervisor* part : all)
        part->signal(SIGKILL);
    run_until(
        loop, [&] { return all_ended(all); }, kill_max);
}

}  // namespace idlewatt::cli
