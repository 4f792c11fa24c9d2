// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "running_cell.hpp"

#include <csignal>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <utility>

#include <gtest/gtest.h>

#include "bus/nats_bus.hpp"
#include "cli/files.hpp"
#include "cli/model_upload.hpp"
#include "engine/random_model.hpp"
#include "identity/secret.hpp"
#include "spool/file_spool.hpp"
#include "wire/admin.hpp"
#include "wire/cell.hpp"
#include "wire/models.hpp"
#include "wire/subject.hpp"
#include "wire/wire.hpp"

namespace idlewatt::test {

namespace {

constexpr base::Duration all_ready_max = base::seconds(120);
constexpr std::uint64_t model_seed = 7;
const std::string model_name = "tiny";

std::string url_at(int port) {
    return "https://127.0.0.1:" + std::to_string(port);
}

int any_free_port() {
    const auto port = cli::free_port();
    EXPECT_TRUE(port) << port.error().message;
    return port.value_or(0);
}

}  // namespace

RunningCell::RunningCell(base::AsioLoop& loop, RunningCellPlan plan)
    : loop_(loop),
      plan_(std::move(plan)),
      cell_(loop_, {plan_.gateways, certificate_.certificate_file(), certificate_.key_file()}),
      database_(loop_),
      database_address_(database_.new_connection()),
      operator_secret_(identity::random_secret()),
      coordinator_port_(any_free_port()) {
    for (std::size_t i = 0; i < plan_.gateways.size(); ++i)
        gateway_ports_.push_back(any_free_port());
    gateways_.resize(plan_.gateways.size());
}

RunningCell::~RunningCell() = default;

std::string RunningCell::folder_of(const std::string& part) {
    std::string folder = cell_.folder() + "/" + part;
    EXPECT_TRUE(cli::make_folder(folder));
    return folder;
}

void RunningCell::start() {
    listen_to_all();
    EXPECT_TRUE(cli::write_secret(cell_.folder() + "/operator.key", operator_secret_ + "\n"));
    EXPECT_TRUE(cli::write_secret(cell_.folder() + "/postgresql", database_address_ + "\n"));
    cell_.write_script();
    start_coordinator();
    ASSERT_TRUE(run_loop_until(loop_, [&] { return coordinator_answers(); })) << logs();
    add_model();
    looking_key_ = create_key("looks");
    for (std::size_t i = 0; i < gateways_.size(); ++i)
        start_gateway(i);
    for (int car = 1; car <= plan_.cars; ++car)
        start_car(car);
    for (std::size_t i = 0; i < gateways_.size(); ++i) {
        ASSERT_TRUE(run_loop_until(
            loop_,
            [&] {
                loop_.run_for(base::milliseconds(200));
                return cars_seen_by(i) == static_cast<std::uint32_t>(plan_.cars);
            },
            all_ready_max))
            << plan_.gateways[i] << " sees " << cars_seen_by(i) << " cars\n"
            << logs();
    }
}

void RunningCell::listen_to_all() {
    bus::NatsOptions options;
    options.urls = {cell_.nats_url()};
    options.name = options.label = "listener";
    options.credentials_file = cell_.write_user("listener", cell_.account());
    options.ca_file = certificate_.certificate_file();
    auto bus = bus::connect_nats(loop_, options);
    ASSERT_TRUE(bus) << bus.error().message;
    listener_ = std::move(*bus);
    const wire::Subjects subjects{"c1"};
    listener_->subscribe(subjects.all_receipts(), [this](const bus::Message& message) {
        const auto receipts = wire::decode_receipts(message.payload);
        ASSERT_TRUE(receipts) << receipts.error().message;
        for (const core::SignedReceipt& receipt : *receipts) {
            receipts_.work_by_id[receipt.id.value] =
                wire::decode_receipt(receipt.payload).value().work.value;
            ++receipts_.times;
        }
    });
    listener_->subscribe(subjects.all_deliveries(), [this](const bus::Message& message) {
        const auto batch = wire::decode_delivery_batch(message.payload);
        ASSERT_TRUE(batch) << batch.error().message;
        for (const core::SignedDelivery& delivery : batch->deliveries) {
            deliveries_.work_by_id[delivery.id.value] =
                wire::decode_delivery(delivery.payload).value().work.value;
            ++deliveries_.times;
        }
    });
}

// ── coordinator ─────────────────────────────────────────────────────────────────────────────────

void RunningCell::start_coordinator() {
    base::SpawnOptions spawn;
    spawn.argv = {built_program("idlewatt"),
                  "coordinator",
                  "--nats",
                  cell_.nats_url(),
                  "--nats-ca",
                  certificate_.certificate_file(),
                  "--credentials",
                  cell_.key_file("coordinator.creds"),
                  "--system-credentials",
                  cell_.key_file("coordinator-system.creds"),
                  "--operator-seed",
                  cell_.key_file("operator.seed"),
                  "--account-seed",
                  cell_.key_file("account.seed"),
                  "--postgresql",
                  cell_.folder() + "/postgresql",
                  "--blobs",
                  folder_of("blobs"),
                  "--port",
                  std::to_string(coordinator_port_),
                  "--public-url",
                  coordinator_at().url,
                  "--tls-certificate",
                  certificate_.certificate_file(),
                  "--tls-key",
                  certificate_.key_file(),
                  "--api-key-file",
                  cell_.folder() + "/operator.key",
                  "--verbose"};
    spawn.output_file = cell_.folder() + "/coordinator.log";
    coordinator_ = std::make_unique<TestProcess>(loop_, std::move(spawn));
}

void RunningCell::kill_coordinator() {
    EXPECT_TRUE(coordinator_->end(SIGKILL));
}

cli::Connection RunningCell::coordinator_at() const {
    return {url_at(coordinator_port_), operator_secret_, certificate_.certificate_file(),
            cli::Party::coordinator};
}

bool RunningCell::coordinator_answers() {
    const auto answer =
        http::call_and_wait(loop_, cli::call_to(coordinator_at(), "GET", "/api/v1/keys"));
    return answer && answer->status == 200;
}

std::string RunningCell::call(const std::string& method, const std::string& path,
                              std::string body) {
    http::Call call = cli::call_to(coordinator_at(), method, path);
    call.headers["content-type"] = "application/json";
    call.body = std::move(body);
    const auto answer = http::call_and_wait(loop_, std::move(call));
    EXPECT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer ? answer->status / 100 : 0, 2) << path;
    return answer ? answer->body : std::string{};
}

RunningCell::Key RunningCell::create_key(const std::string& label) {
    wire::KeyOrder order;
    order.label = label;
    const auto created =
        wire::parse_key_created(call("POST", "/api/v1/keys", wire::key_order_body(order)));
    EXPECT_TRUE(created) << created.error().message;
    return created ? Key{created->key.id.value, created->secret} : Key{};
}

void RunningCell::revoke_key(const std::string& id) {
    call("DELETE", "/api/v1/keys/" + id, {});
}

void RunningCell::add_model() {
    const std::string path = cell_.folder() + "/tiny.gguf";
    ASSERT_TRUE(engine::write_random_model(path, {}, model_seed));
    auto model = cli::describe_model(loop_, path, model_name, std::cerr, cli::ProgressStyle::none);
    ASSERT_TRUE(model) << model.error().message;
    model->replicas_min = static_cast<std::uint32_t>(plan_.cars);
    const auto added =
        cli::add_model(loop_, coordinator_at(), path, *model, std::cerr, cli::ProgressStyle::none);
    ASSERT_TRUE(added) << added.error().message;
}

// ── gateways ────────────────────────────────────────────────────────────────────────────────────

cli::Connection RunningCell::gateway(std::size_t number, std::string key) const {
    return {url_at(gateway_ports_[number]), std::move(key), certificate_.certificate_file()};
}

void RunningCell::start_gateway(std::size_t number) {
    const std::string& name = plan_.gateways[number];
    base::SpawnOptions spawn;
    spawn.argv = {built_program("idlewatt"),
                  "gateway",
                  "--name",
                  name,
                  "--nats",
                  cell_.nats_url(),
                  "--nats-ca",
                  certificate_.certificate_file(),
                  "--credentials",
                  cell_.key_file(name + ".creds"),
                  "--system-credentials",
                  cell_.key_file("gateway-system.creds"),
                  "--account",
                  cell_.account().public_key(),
                  "--state",
                  folder_of(name),
                  "--port",
                  std::to_string(gateway_ports_[number]),
                  "--tls-certificate",
                  certificate_.certificate_file(),
                  "--tls-key",
                  certificate_.key_file(),
                  "--verbose"};
    spawn.output_file = cell_.folder() + "/" + name + ".log";
    gateways_[number] = std::make_unique<TestProcess>(loop_, std::move(spawn));
    EXPECT_TRUE(run_loop_until(loop_, [&] {
        const auto answer =
            http::call_and_wait(loop_, cli::call_to(gateway(number, {}), "GET", "/healthz"));
        return answer && answer->status == 200;
    })) << gateways_[number]->output();
}

void RunningCell::kill_gateway(std::size_t number) {
    EXPECT_TRUE(gateways_[number]->end(SIGKILL));
}

int RunningCell::status_of_question(std::size_t number, const std::string& key) {
    http::Call call = cli::call_to(gateway(number, key), "POST", "/v1/chat/completions");
    call.headers["content-type"] = "application/json";
    call.body = R"({"max_tokens":4,"messages":[{"role":"user","content":"hello"}]})";
    const auto answer = http::call_and_wait(loop_, std::move(call));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? answer->status : 0;
}

std::uint32_t RunningCell::cars_seen_by(std::size_t number) {
    const auto answer = http::call_and_wait(
        loop_, cli::call_to(gateway(number, looking_key_.secret), "GET", "/v1/models"));
    if (!answer || answer->status != 200)
        return 0;
    const auto rows = wire::parse_models_body(answer->body);
    for (const wire::ModelRow& row : rows ? *rows : std::vector<wire::ModelRow>{}) {
        if (row.id == model_name)
            return row.vehicles_ready;
    }
    return 0;
}

// ── cars ────────────────────────────────────────────────────────────────────────────────────────

void RunningCell::start_car(int number) {
    const std::string name = "car-" + std::to_string(number);
    const std::string folder = folder_of(name);
    const auto token = wire::parse_enrolment_created(
        call("POST", "/api/v1/enrolments", wire::enrolment_order_body({name})));
    ASSERT_TRUE(token) << token.error().message;
    ASSERT_TRUE(cli::write_secret(folder + "/token", token->token + "\n"));
    base::SpawnOptions spawn;
    spawn.argv = {built_program("idlewatt-agent"),
                  "--name",
                  name,
                  "--coordinator",
                  coordinator_at().url,
                  "--ca",
                  certificate_.certificate_file(),
                  "--token-file",
                  folder + "/token",
                  "--state",
                  folder,
                  "--script",
                  cell_.folder() + "/script.toml",
                  "--context",
                  "512",
                  "--verbose"};
    spawn.output_file = folder + ".log";
    cars_.push_back(std::make_unique<TestProcess>(loop_, std::move(spawn)));
}

void RunningCell::stop_serving() {
    for (auto* group : {&gateways_, &cars_}) {
        for (auto& process : *group)
            EXPECT_TRUE(process->end(SIGTERM)) << process->output_file();
    }
}

// ── findings ────────────────────────────────────────────────────────────────────────────────────

std::vector<std::string> RunningCell::left_in_spools() const {
    std::vector<std::string> left;
    std::vector<std::string> files;
    for (const std::string& name : plan_.gateways)
        files.push_back(cell_.folder() + "/" + name + "/gateway.spool");
    for (int car = 1; car <= plan_.cars; ++car)
        files.push_back(cell_.folder() + "/car-" + std::to_string(car) + "/receipts.spool");
    for (const std::string& file : files) {
        const auto spool = spool::open_file_spool(file);
        EXPECT_TRUE(spool) << spool.error().message;
        if (!spool)
            continue;
        for (const spool::Record& record : (*spool)->records()) {
            for (const char* kind : {"draft/", "receipt/", "delivery/", "refused/"}) {
                if (record.key.starts_with(kind))
                    left.push_back(file + ": " + record.key);
            }
        }
    }
    return left;
}

std::string RunningCell::logs() const {
    std::string all;
    const auto add = [&all](const std::unique_ptr<TestProcess>& process) {
        if (!process)
            return;
        const std::string output = process->output();
        constexpr std::size_t shown = 4000;
        all += "── " + process->output_file() + "\n" +
               output.substr(output.size() - std::min(output.size(), shown)) + "\n";
    };
    add(coordinator_);
    for (const auto& process : gateways_)
        add(process);
    for (const auto& process : cars_)
        add(process);
    return all;
}

}  // namespace idlewatt::test
