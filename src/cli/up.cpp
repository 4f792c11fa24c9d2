// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/up.hpp"

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <iostream>
#include <optional>

#include <sys/stat.h>

#include <boost/asio/signal_set.hpp>
#include <nlohmann/json.hpp>

#include "base/child_process.hpp"
#include "base/log.hpp"
#include "cli/files.hpp"
#include "cli/model_upload.hpp"
#include "cli/programs.hpp"
#include "engine/random_model.hpp"
#include "wire/admin.hpp"
#include "wire/models.hpp"

namespace idlewatt::cli {

namespace {

namespace fs = std::filesystem;

constexpr base::Duration watch_period = base::milliseconds(250);
constexpr base::Duration probe_period = base::milliseconds(300);
constexpr std::uint64_t random_model_seed = 7;
constexpr base::Duration token_life = base::minutes(15);
// Well below the life of a car's credentials.
constexpr base::Duration credentials_fresh_max = base::minutes(60);

std::string random_model_name() {
    return "idlewatt-random";
}

base::Error refused(const http::Response& response, const std::string& what) {
    return {base::ErrorKind::denied, what + ": " + refusal_text(response)};
}

}  // namespace

ExitCode Up::run() {
    boost::asio::signal_set signals(loop_.context(), SIGINT, SIGTERM);
    signals.async_wait([this](const boost::system::error_code& error, int) {
        if (!error)
            stop_asked_ = true;
    });
    const auto started = start_all();
    if (!started && !stop_asked_) {
        stop();
        remove_new_folder();
        return report_error(started.error(), options_.json, std::cerr);
    }
    if (started) {
        introduce();
        while (!stop_asked_)
            loop_.run_for(watch_period);
    }
    std::cerr << "stopping; state stays in " << options_.state_dir << '\n';
    stop();
    return ExitCode::ok;
}

base::Result<void> Up::start_all() {
    if (auto good = check_files(); !good)
        return good;
    for (const auto step :
         {&Up::prepare_folder, &Up::recall_settings, &Up::choose_ports, &Up::prepare_keys,
          &Up::fetch_engine, &Up::start_nats, &Up::start_coordinator, &Up::start_gateway,
          &Up::provide_model, &Up::start_cars, &Up::wait_for_car}) {
        auto done = (this->*step)();
        if (!done)
            return done;
        if (stop_asked_)
            return base::fail(base::ErrorKind::unavailable, "stopped before all had started");
    }
    return {};
}

base::SpawnOptions Up::service(const std::string& role) const {
    base::SpawnOptions spawn;
    spawn.argv = {program_folder() + "/idlewatt",
                  role,
                  "--nats",
                  nats_url_,
                  "--credentials",
                  options_.state_dir + "/keys/" + role + ".creds",
                  "--system-credentials",
                  options_.state_dir + "/keys/" + role + "-system.creds",
                  "--pid-file",
                  options_.state_dir + "/" + role + ".pid",
                  "--api-key-file",
                  api_key_file_};
    if (options_.verbose)
        spawn.argv.emplace_back("--verbose");
    spawn.output_file = options_.state_dir + "/" + role + ".log";
    return spawn;
}

base::Result<void> Up::start_nats() {
    bus::NatsServerOptions server;
    server.port = nats_port_;
    server.resolver_folder = options_.state_dir + "/nats";
    keys_->describe(server);
    auto nats = start_nats_server(loop_, options_.state_dir, std::move(server),
                                  [this] { return stop_asked_; });
    if (!nats)
        return tl::unexpected<base::Error>(nats.error());
    nats_ = std::move(nats->process);
    nats_url_ = nats->url;
    return {};
}

base::Result<void> Up::start_coordinator() {
    coordinator_ = std::make_unique<Supervisor>(loop_, "coordinator", [this] {
        base::SpawnOptions spawn = service("coordinator");
        const std::string& dir = options_.state_dir;
        spawn.argv.insert(spawn.argv.end(),
                          {"--store", dir + "/coordinator.db", "--blobs", dir + "/blobs", "--port",
                           std::to_string(options_.coordinator_port), "--operator-seed",
                           keys_->operator_seed_file(), "--account-seed",
                           keys_->account_seed_file(), "--public-url", coordinator_at_.url});
        return spawn;
    });
    forget_pid("coordinator");
    auto started = coordinator_->start();
    if (!started)
        return started;
    return wait_for(*coordinator_, "coordinator", coordinator_at_.url);
}

base::Result<void> Up::start_gateway() {
    gateway_ = std::make_unique<Supervisor>(loop_, "gateway", [this] {
        base::SpawnOptions spawn = service("gateway");
        spawn.argv.insert(
            spawn.argv.end(),
            {"--port", std::to_string(options_.port), "--state", options_.state_dir + "/gateway",
             "--name", local_gateway_name, "--account", keys_->account_public_key(),
             "--coordinator", coordinator_at_.url});
        return spawn;
    });
    forget_pid("gateway");
    auto started = gateway_->start();
    if (!started)
        return started;
    return wait_for(*gateway_, "gateway", gateway_at_.url);
}

// A file of an earlier run may name the number that the new process has by chance.
void Up::forget_pid(const std::string& role) const {
    std::error_code none;
    fs::remove(options_.state_dir + "/" + role + ".pid", none);
}

base::Result<void> Up::wait_for(const Supervisor& process, const std::string& role,
                                const std::string& url) {
    const std::string log_file = options_.state_dir + "/" + role + ".log";
    return wait_for_role(loop_, process, {url, options_.state_dir + "/" + role + ".pid", log_file},
                         "see " + log_file, [this] { return stop_asked_; });
}

// What was named, else what the cell has, else Valet or, if that is wished or there is no Valet,
// one with random weights.
base::Result<void> Up::provide_model() {
    std::string path = options_.model_path;
    if (path.empty()) {
        auto response =
            http::call_and_wait(loop_, call_to(coordinator_at_, "GET", "/api/v1/models"));
        if (!response)
            return tl::unexpected(not_reached(coordinator_at_, response.error()));
        if (response->status != 200)
            return tl::unexpected(refused(*response, "the coordinator lists no models"));
        const auto models = wire::parse_registered_models(response->body);
        if (!models)
            return tl::unexpected(models.error());
        if (!models->empty()) {
            model_name_ = models->front().model.name;
            return {};
        }
        if (!options_.random_model)
            path = valet_model_file().value_or("");
    }
    if (path.empty()) {
        auto made = make_folder(options_.state_dir + "/models");
        if (!made)
            return made;
        path = options_.state_dir + "/models/" + random_model_name() + ".gguf";
        made = engine::write_random_model(path, {}, random_model_seed);
        if (!made)
            return made;
        made_random_model_ = true;
    }
    const ProgressStyle style = progress_style(2, options_.json);
    auto model = describe_model(loop_, path, made_random_model_ ? random_model_name() : "",
                                std::cerr, style);
    if (!model)
        return tl::unexpected(model.error());
    model->replicas_min = options_.vehicles;
    const auto added = add_model(loop_, coordinator_at_, path, *model, std::cerr, style);
    if (!added)
        return tl::unexpected(added.error());
    model_name_ = added->name;
    return {};
}

base::Result<void> Up::enrolment_token(const Car& car) {
    wire::EnrolmentOrder order;
    order.label = car.name;
    order.fleet = "local";
    order.life = token_life;
    http::Call call = call_to(coordinator_at_, "POST", "/api/v1/enrolments");
    call.headers["content-type"] = "application/json";
    call.body = wire::enrolment_order_body(order);
    const auto response = http::call_and_wait(loop_, std::move(call));
    if (!response)
        return tl::unexpected(not_reached(coordinator_at_, response.error()));
    if (response->status < 200 || response->status > 299)
        return tl::unexpected(refused(*response, "the coordinator gives no token"));
    const auto created = wire::parse_enrolment_created(response->body);
    if (!created)
        return tl::unexpected(created.error());
    return write_secret(car.folder + "/token", created->token + "\n");
}

// As a person would do it in a car: idlewatt-agent enrol.
base::Result<void> Up::enrol(const Car& car) {
    auto token = enrolment_token(car);
    if (!token)
        return token;
    base::SpawnOptions spawn;
    spawn.argv = {program_folder() + "/idlewatt-agent",
                  "enrol",
                  "--name",
                  car.name,
                  "--coordinator",
                  coordinator_at_.url,
                  "--token-file",
                  car.folder + "/token",
                  "--state",
                  car.folder};
    spawn.output_file = car.folder + "/agent.log";
    std::optional<int> code;
    const auto child = base::ChildProcess::spawn(loop_, spawn, [&](int ended) { code = ended; });
    if (!child)
        return tl::unexpected<base::Error>(child.error());
    run_until(
        loop_, [&] { return code.has_value() || stop_asked_; }, part_start_max);
    std::error_code ignored;
    fs::remove(car.folder + "/token", ignored);
    if (code == 0 || stop_asked_)
        return {};
    return base::fail(base::ErrorKind::unavailable,
                      car.name + " could not enrol; see " + car.folder + "/agent.log");
}

base::SpawnOptions Up::agent(const Car& car, std::uint32_t index) const {
    base::SpawnOptions spawn;
    spawn.argv = {program_folder() + "/idlewatt-agent",
                  "--coordinator",
                  coordinator_at_.url,
                  "--state",
                  car.folder,
                  "--script",
                  options_.script_path,
                  "--vehicle-index",
                  std::to_string(index),
                  "--vehicle-count",
                  std::to_string(options_.vehicles),
                  "--context",
                  std::to_string(options_.context_tokens)};
    if (fs::exists(car.folder + "/token"))
        spawn.argv.insert(spawn.argv.end(), {"--token-file", car.folder + "/token"});
    if (options_.verbose)
        spawn.argv.emplace_back("--verbose");
    spawn.output_file = car.folder + "/agent.log";
    return spawn;
}

// Credentials last for hours: a car that has slept longer needs a token to get in again.
bool Up::has_slept(const Car& car) const {
    struct stat about {};
    if (stat((car.folder + "/car.creds").c_str(), &about) != 0)
        return false;
    const base::WallTime written{about.st_mtim.tv_sec * 1'000'000};
    return loop_.wall_now() - written > credentials_fresh_max;
}

base::Result<void> Up::start_cars() {
    cars_.resize(options_.vehicles);
    for (std::uint32_t i = 0; i < options_.vehicles; ++i) {
        Car& car = cars_[i];
        char name[16];
        std::snprintf(name, sizeof name, "car-%02u", i + 1);
        car.name = name;
        car.folder = options_.state_dir + "/vehicles/" + car.name;
        auto made = make_folder(car.folder);
        if (!made)
            return made;
        // A car that has enrolled keeps its credentials; its file is written last.
        if (!fs::exists(car.folder + "/enrolment.json")) {
            auto enrolled = enrol(car);
            if (!enrolled || stop_asked_)
                return enrolled;
        } else if (has_slept(car)) {
            auto token = enrolment_token(car);
            if (!token)
                return token;
        }
        car.agent =
            std::make_unique<Supervisor>(loop_, car.name, [this, i] { return agent(cars_[i], i); });
        auto started = car.agent->start();
        if (!started)
            return started;
    }
    return {};
}

// Not an error when none is ready in time: signals may say no, and people are told how to look.
base::Result<void> Up::wait_for_car() {
    const base::Instant end = loop_.now() + first_car_max;
    while (loop_.now() < end && !stop_asked_) {
        const auto response = http::call_and_wait(loop_, call_to(gateway_at_, "GET", "/v1/models"));
        if (response && response->status == 200) {
            const auto rows = wire::parse_models_body(response->body);
            for (const wire::ModelRow& row : rows ? *rows : std::vector<wire::ModelRow>{}) {
                if (row.id == model_name_ && row.vehicles_ready > 0)
                    return {};
            }
        }
        loop_.run_for(probe_period);
    }
    if (!stop_asked_) {
        std::cerr << "no car is ready yet; see: idlewatt vehicle ls, and " << options_.state_dir
                  << "/vehicles/*/agent.log\n";
    }
    return {};
}

void Up::introduce() const {
    if (options_.json) {
        const nlohmann::ordered_json object = {
            {"url", gateway_at_.url},        {"coordinator_url", coordinator_at_.url},
            {"api_key_file", api_key_file_}, {"model", model_name_},
            {"vehicles", options_.vehicles}, {"state_dir", options_.state_dir}};
        std::cout << object.dump() << std::endl;
        return;
    }
    // For scripts; all else is for people.
    std::cout << gateway_at_.url << "/v1" << std::endl;
    if (!recalled_.empty())
        std::cerr << "as in the last run: " << recalled_ << "; flags change it\n";
    std::cerr << options_.vehicles << (options_.vehicles == 1 ? " car" : " cars") << ", model "
              << model_name_ << ", OpenAI API at " << gateway_at_.url << "/v1, key in "
              << api_key_file_ << "\n"
              << "Live page: " << gateway_at_.url << "/ (it asks for the key)\n\n"
              << "  export IDLEWATT_URL=" << gateway_at_.url
              << " IDLEWATT_COORDINATOR_URL=" << coordinator_at_.url
              << " IDLEWATT_API_KEY_FILE=" << api_key_file_ << "\n  curl -N " << gateway_at_.url
              << "/v1/chat/completions -H \"Authorization: Bearer $(cat " << api_key_file_
              << ")\" -d '{\"model\":\"" << model_name_
              << "\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"How much is 17 "
                 "+ 25?\"}]}'\n"
              << "  idlewatt run " << model_name_ << " 'How much is 17 + 25?'\n\n";
    if (made_random_model_ || model_name_ == random_model_name()) {
        std::cerr << "The model has random weights: it speaks nonsense. A real one: idlewatt model "
                     "add FILE.gguf\n";
    }
    std::cerr << "Ctrl-C ends it.\n";
}

// The gateway first: it tells those who wait for an answer that there will be none.
void Up::stop() {
    std::vector<Supervisor*> agents;
    for (const Car& car : cars_) {
        if (car.agent)
            agents.push_back(car.agent.get());
    }
    std::vector<Supervisor*> door{gateway_.get()};
    std::vector<Supervisor*> servers{coordinator_.get(), nats_.get()};
    std::erase(door, nullptr);
    std::erase(servers, nullptr);
    stop_in_order(loop_, {door, agents, servers}, up_stop_max);
}

}  // namespace idlewatt::cli
