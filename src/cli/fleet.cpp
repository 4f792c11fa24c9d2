// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/fleet.hpp"

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "base/log.hpp"
#include "bus/nats_server.hpp"
#include "cli/files.hpp"
#include "store/sqlite_store.hpp"

namespace idlewatt::cli {

namespace {

std::string vehicle_name(std::uint32_t index) {
    char name[16];
    std::snprintf(name, sizeof name, "car-%02u", index + 1);
    return name;
}

void signal_pid_file(const std::string& path, int number) {
    const int pid = pid_in(path);
    if (pid > 1)
        ::kill(pid, number);
}

}  // namespace

Fleet::Fleet(base::AsioLoop& loop, FleetOptions options)
    : loop_(loop),
      options_(std::move(options)),
      program_dir_(options_.program_dir.empty()
                       ? std::filesystem::read_symlink("/proc/self/exe").parent_path().string()
                       : options_.program_dir) {}

Fleet::~Fleet() = default;

base::Result<void> Fleet::start() {
    for (const auto step : {&Fleet::prepare, &Fleet::start_nats, &Fleet::enrol_all,
                            &Fleet::start_services, &Fleet::start_agents}) {
        auto done = (this->*step)();
        if (!done)
            return done;
        if (stop_asked())
            return stopped();
    }
    return wait_for_gateway();
}

bool Fleet::stop_asked() const {
    return options_.stop_asked && options_.stop_asked();
}

base::Result<void> Fleet::stopped() {
    return base::fail(base::ErrorKind::unavailable, "stopped before the fleet had started");
}

// What an earlier run in the same folder recorded is not this run's.
void Fleet::remove_old_records() const {
    std::error_code ignored;
    for (const char* name : {"responses.tap", "gateway.pid", "coordinator.pid", "nats.pid"})
        std::filesystem::remove(options_.state_dir + "/" + name, ignored);
    for (const Car& car : cars_) {
        for (const char* name : {"tap.bin", "recalls.jsonl", "agent.pid", "engine.pid"})
            std::filesystem::remove(car.folder + "/" + name, ignored);
    }
}

base::Result<void> Fleet::prepare() {
    // Two fleets in one folder would end each other's cars and mix what their taps say.
    if (auto own = lock_.take(options_.state_dir); !own)
        return own;
    cars_.resize(options_.vehicles);
    for (std::uint32_t i = 0; i < options_.vehicles; ++i) {
        cars_[i].id = core::VehicleId(vehicle_name(i));
        cars_[i].folder = options_.state_dir + "/vehicles/" + cars_[i].id.value;
        auto made = make_folder(cars_[i].folder);
        if (!made)
            return made;
    }
    remove_old_records();
    for (const char* part : {"/keys", "/blobs"}) {
        auto made = make_folder(options_.state_dir + part);
        if (!made)
            return made;
    }
    auto keys = FleetKeys::open("c1", options_.state_dir + "/keys", loop_.wall_now());
    if (!keys)
        return tl::unexpected<base::Error>(keys.error());
    keys_ = std::move(*keys);
    if (options_.port == 0) {
        auto port = free_port();
        if (!port)
            return tl::unexpected<base::Error>(port.error());
        options_.port = *port;
    }
    url_ = "http://127.0.0.1:" + std::to_string(options_.port);
    auto port = free_port();
    if (!port)
        return tl::unexpected<base::Error>(port.error());
    coordinator_port_ = *port;
    coordinator_url_ = "http://127.0.0.1:" + std::to_string(*port);
    return {};
}

base::Result<void> Fleet::start_nats() {
    // A port of our own choice, so that the server has the same one after a restart.
    auto port = free_port();
    if (!port)
        return tl::unexpected<base::Error>(port.error());
    bus::NatsServerOptions server;
    server.port = *port;
    keys_->describe(server);
    auto nats =
        start_nats_server(loop_, options_.state_dir, std::move(server), options_.stop_asked);
    if (!nats)
        return tl::unexpected<base::Error>(nats.error());
    nats_ = std::move(nats->process);
    nats_url_ = nats->url;
    return {};
}

base::Result<void> Fleet::enrol_all() {
    auto store = store::open_sqlite_store(loop_, store_path());
    if (!store)
        return tl::unexpected<base::Error>(store.error());
    std::size_t stored = 0;
    std::string failure;
    for (Car& car : cars_) {
        auto enrolled = keys_->enrol(car.id);
        if (!enrolled)
            return tl::unexpected<base::Error>(enrolled.error());
        car.enrolled = *enrolled;
        (*store)->put_vehicle({car.id, car.enrolled.public_key, loop_.wall_now()},
                              [&](const base::Result<void>& done) {
                                  ++stored;
                                  if (!done)
                                      failure = done.error().message;
                              });
    }
    const bool done = run_until(
        loop_, [&] { return stored == cars_.size() || stop_asked(); }, part_start_max);
    if (done && failure.empty())
        return {};
    return base::fail(base::ErrorKind::io, "the store did not take the cars: " + failure);
}

base::SpawnOptions Fleet::service_command(const std::string& role) const {
    base::SpawnOptions spawn;
    spawn.argv = {program_dir_ + "/idlewatt",
                  role,
                  "--nats",
                  nats_url_,
                  "--credentials",
                  options_.state_dir + "/keys/" + role + ".creds",
                  "--pid-file",
                  options_.state_dir + "/" + role + ".pid"};
    spawn.output_file = options_.state_dir + "/" + role + ".log";
    if (options_.verbose)
        spawn.argv.emplace_back("--verbose");
    return spawn;
}

base::Result<void> Fleet::start_services() {
    for (const auto& file : {keys_->gateway_credentials(core::GatewayId(local_gateway_name)),
                             keys_->coordinator_credentials()}) {
        if (!file)
            return tl::unexpected<base::Error>(file.error());
    }
    auto system = keys_->system_credentials("gateway");
    if (!system)
        return tl::unexpected<base::Error>(system.error());
    coordinator_ = std::make_unique<Supervisor>(loop_, "coordinator", [this] {
        base::SpawnOptions spawn = service_command("coordinator");
        spawn.argv.insert(
            spawn.argv.end(),
            {"--store", store_path(), "--blobs", options_.state_dir + "/blobs", "--port",
             std::to_string(coordinator_port_), "--operator-seed", keys_->operator_seed_file(),
             "--account-seed", keys_->account_seed_file(), "--public-url", coordinator_url_});
        spawn.environment.emplace_back("IDLEWATT_API_KEY", options_.api_key);
        return spawn;
    });
    gateway_ = std::make_unique<Supervisor>(loop_, "gateway", [this, file = *system] {
        base::SpawnOptions spawn = service_command("gateway");
        spawn.argv.insert(spawn.argv.end(),
                          {"--system-credentials", file, "--port", std::to_string(options_.port),
                           "--coordinator", coordinator_url_});
        if (options_.tap)
            spawn.argv.insert(spawn.argv.end(), {"--tap", response_tap_path()});
        spawn.environment.emplace_back("IDLEWATT_API_KEY", options_.api_key);
        return spawn;
    });
    auto started = coordinator_->start();
    return started ? gateway_->start() : started;
}

base::SpawnOptions Fleet::agent_command(const Car& car, std::uint32_t index) const {
    base::SpawnOptions spawn;
    spawn.argv = {program_dir_ + "/idlewatt-agent",
                  "--vehicle",
                  car.id.value,
                  "--nats",
                  nats_url_,
                  "--credentials",
                  car.enrolled.credentials_file,
                  "--state",
                  car.folder,
                  "--model",
                  options_.model_path,
                  "--model-name",
                  options_.model_name,
                  "--script",
                  options_.script_path,
                  "--slots",
                  std::to_string(options_.slots),
                  "--vehicle-index",
                  std::to_string(index),
                  "--vehicle-count",
                  std::to_string(options_.vehicles),
                  "--speed",
                  std::to_string(options_.speed),
                  "--story-start",
                  std::to_string(options_.story_start.us)};
    if (options_.tap)
        spawn.argv.insert(spawn.argv.end(), {"--tap", car.folder + "/tap.bin"});
    if (options_.verbose)
        spawn.argv.emplace_back("--verbose");
    spawn.output_file = car.folder + "/agent.log";
    return spawn;
}

base::Result<void> Fleet::start_agents() {
    for (std::uint32_t i = 0; i < cars_.size(); ++i) {
        cars_[i].agent = std::make_unique<Supervisor>(
            loop_, cars_[i].id.value, [this, i] { return agent_command(cars_[i], i); });
        auto started = cars_[i].agent->start();
        if (!started)
            return started;
    }
    return {};
}

base::Result<void> Fleet::wait_for_gateway() {
    return wait_for_role(
        loop_, *gateway_,
        {url_, options_.state_dir + "/gateway.pid", options_.state_dir + "/gateway.log"},
        "another port can be chosen with --port", options_.stop_asked);
}

// The gateway tells its clients that it ends, while it can speak; then cars deliver their receipts
// before their server goes.
void Fleet::stop(base::Duration limit) {
    std::vector<Supervisor*> agents;
    for (const Car& car : cars_) {
        if (car.agent)
            agents.push_back(car.agent.get());
    }
    std::vector<Supervisor*> door{gateway_.get()};
    std::vector<Supervisor*> servers{coordinator_.get(), nats_.get()};
    std::erase(door, nullptr);
    std::erase(servers, nullptr);
    stop_in_order(loop_, {door, agents, servers}, limit);
}

void Fleet::act(signals::ActionKind action, std::uint32_t vehicle) {
    Car& car = cars_[vehicle];
    const std::string engine_pid = car.folder + "/engine.pid";
    switch (action) {
        case signals::ActionKind::kill_agent:
            car.agent->signal(SIGKILL);
            break;
        case signals::ActionKind::stop_agent:
            car.agent->signal(SIGSTOP);
            break;
        case signals::ActionKind::continue_agent:
            car.agent->signal(SIGCONT);
            break;
        case signals::ActionKind::kill_engine:
            signal_pid_file(engine_pid, SIGKILL);
            break;
        case signals::ActionKind::stop_engine:
            signal_pid_file(engine_pid, SIGSTOP);
            break;
        case signals::ActionKind::continue_engine:
            signal_pid_file(engine_pid, SIGCONT);
            break;
    }
}

}  // namespace idlewatt::cli
