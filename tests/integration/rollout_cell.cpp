// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "rollout_cell.hpp"

#include <filesystem>
#include <fstream>
#include <utility>

#include <gtest/gtest.h>

#include "blobs/folder_blobs.hpp"
#include "bus/nats_bus.hpp"
#include "identity/secret.hpp"
#include "store/sqlite_store.hpp"
#include "wire/admin.hpp"
#include "wire/wire.hpp"

namespace idlewatt::test {

namespace {

constexpr std::uint64_t blobs_limit_bytes = std::uint64_t{2} << 30U;
const std::string operator_secret = "iw-operator";

}  // namespace

RolloutCell::RolloutCell(BadLine line, base::Duration jwt_life) {
    cell_.write_script();
    open_coordinator(line, jwt_life);
}

RolloutCell::~RolloutCell() = default;

void RolloutCell::open_coordinator(BadLine line, base::Duration jwt_life) {
    bus::NatsOptions nats;
    nats.urls = {cell_.nats_url()};
    nats.name = nats.label = coordinator::coordinator_bus_name;
    nats.credentials_file = cell_.key_file("coordinator.creds");
    nats.system_credentials_file = cell_.key_file("coordinator-system.creds");
    auto bus = bus::connect_nats(loop_, nats);
    ASSERT_TRUE(bus) << bus.error().message;
    bus_ = std::move(*bus);
    store_ = store::open_sqlite_store(loop_, folder() + "/cell.db").value();
    blobs_ = blobs::open_folder_blobs(loop_, {folder() + "/blobs", blobs_limit_bytes}).value();
    http_ = http::listen(loop_, {}).value();
    proxy_ = std::make_unique<CuttingProxy>(loop_, http_.port, line);
    coordinator::Options options{"c1"};
    options.authority = coordinator::Authority{cell_.operator_key(), cell_.account(), "fleet"};
    options.jwt_life = jwt_life;
    options.nats_urls = {cell_.nats_url()};
    options.public_url = url();
    options.operator_key_sha256 = identity::sha256_hex(operator_secret);
    office_.emplace(coordinator::Parts{loop_, *bus_, *store_, http_.server.get(), blobs_.get()},
                    options);
    office_->start();
    bus_->subscribe(wire::Subjects{"c1"}.all_announcements(), [this](const bus::Message& message) {
        auto announcement = wire::decode_announcement(message.payload);
        if (announcement)
            said_[announcement->vehicle.value] = std::move(*announcement);
    });
}

http::Response RolloutCell::call(const std::string& method, const std::string& target,
                                 const std::string& body, const std::string& body_file) {
    http::Call call;
    call.url = "http://127.0.0.1:" + std::to_string(http_.port) + target;
    call.method = method;
    call.headers = {{"content-type", "application/json"}};
    call.body = body;
    if (!body_file.empty()) {
        auto file = http::ServedFile::open(body_file).value();
        const std::uint64_t bytes = file->bytes();
        call.body_file = {std::move(file), 0, bytes};
    }
    call.bearer_token = operator_secret;
    auto answer = http::call_and_wait(loop_, std::move(call));
    EXPECT_TRUE(answer) << answer.error().message;
    return answer ? *answer : http::Response{0, {}, {}};
}

std::string RolloutCell::token(const std::string& label) {
    const auto created = wire::parse_enrolment_created(
        call("POST", "/api/v1/enrolments", wire::enrolment_order_body({label})).body);
    EXPECT_TRUE(created) << created.error().message;
    return created ? created->token : std::string{};
}

std::pair<int, std::string> RolloutCell::run_agent(const std::vector<std::string>& arguments) {
    std::vector<std::string> argv{"idlewatt-agent"};
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    return cell_.run(std::move(argv));
}

std::string RolloutCell::add_car(const std::string& name) {
    const std::string state = car_folder(name);
    std::filesystem::create_directory(state);
    const std::string token_file = folder() + "/" + name + ".token";
    std::ofstream(token_file) << token(name) << '\n';
    std::filesystem::permissions(token_file, std::filesystem::perms::owner_read);
    const auto [code, words] = run_agent({"enrol", "--coordinator", url(), "--token-file",
                                          token_file, "--name", name, "--state", state});
    EXPECT_EQ(code, 0) << words;
    base::SpawnOptions spawn;
    spawn.argv = {built_program("idlewatt-agent"),
                  "--state",
                  state,
                  "--script",
                  folder() + "/script.toml",
                  "--cache-mib",
                  "1024",
                  "--context",
                  "512",
                  "--verbose"};
    spawn.output_file = state + "/log";
    cars_[name] = std::make_unique<TestProcess>(loop_, std::move(spawn));
    return name;
}

const core::Announcement& RolloutCell::said(const std::string& vehicle) const {
    static const core::Announcement nothing;
    const auto found = said_.find(vehicle);
    return found == said_.end() ? nothing : found->second;
}

std::string RolloutCell::car_log(const std::string& name) const {
    const auto car = cars_.find(name);
    return car == cars_.end() ? std::string{} : car->second->output();
}

}  // namespace idlewatt::test
