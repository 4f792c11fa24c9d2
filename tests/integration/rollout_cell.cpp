// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "rollout_cell.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "blobs/folder_blobs.hpp"
#include "bus/nats_bus.hpp"
#include "bus/nats_server.hpp"
#include "identity/secret.hpp"
#include "store/sqlite_store.hpp"
#include "wire/admin.hpp"
#include "wire/wire.hpp"

namespace idlewatt::test {

namespace {

constexpr base::Duration patience = base::seconds(60);
constexpr base::Duration step = base::milliseconds(2);
constexpr std::uint64_t blobs_limit_bytes = std::uint64_t{2} << 30U;
const std::string operator_secret = "iw-operator";

// A car that its owner always lends.
constexpr const char* script = R"(
name = "always"
duration_s = 3600
repeat = true
[owner]
consent = true
reserve_percent = 50
floor_percent = 20
reentry_delay_s = 0.1
drain_dwell_s = 0.1
[initial]
occupied = false
parked = true
moving = false
plugged_in = true
locked = true
state_of_charge_percent = 80
)";

}  // namespace

RolloutCell::RolloutCell(BadLine line, base::Duration jwt_life) {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-rollout-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::ofstream(folder_ + "/script.toml") << script;
    start_server();
    open_coordinator(line, jwt_life);
}

RolloutCell::~RolloutCell() {
    cars_.clear();
    proxy_.reset();
    office_.reset();
    http_.server.reset();
    blobs_.reset();
    store_.reset();
    bus_.reset();
    server_.reset();
    std::filesystem::remove_all(folder_);
}

bool RolloutCell::run_until(const std::function<bool()>& condition, base::Duration limit) {
    const base::Instant end = loop_.now() + limit;
    while (!condition()) {
        if (loop_.now() > end)
            return false;
        loop_.run_for(step);
    }
    return true;
}

void RolloutCell::start_server() {
    bus::NatsServerOptions options;
    const base::WallTime now = loop_.wall_now();
    options.operator_jwt =
        identity::mint_operator_jwt(operator_, "operator", system_.public_key(), now);
    options.account_public_key = account_.public_key();
    options.account_jwt =
        identity::mint_account_jwt(operator_, account_.public_key(), "fleet", now);
    options.system_account_public_key = system_.public_key();
    options.system_account_jwt =
        identity::mint_account_jwt(operator_, system_.public_key(), "system", now);
    options.resolver_folder = folder_ + "/accounts";
    options.ports_folder = folder_;
    options.log_file = folder_ + "/server.log";
    const auto prepared = bus::prepare_nats_server(options);
    ASSERT_TRUE(prepared) << prepared.error().message;
    std::ofstream(folder_ + "/server.conf") << bus::nats_server_config(options);
    const auto program = bus::find_nats_server();
    ASSERT_TRUE(program) << program.error().message;
    base::SpawnOptions spawn;
    spawn.argv = {*program, "-c", folder_ + "/server.conf"};
    auto child = base::ChildProcess::spawn(loop_, spawn, [this](int) { server_ended_ = true; });
    ASSERT_TRUE(child) << child.error().message;
    server_ = std::move(*child);
    std::optional<bus::NatsServerAddress> address;
    ASSERT_TRUE(run_until(
        [&] {
            address = bus::nats_server_address(folder_, server_->pid());
            return address.has_value() || server_ended_;
        },
        patience));
    ASSERT_TRUE(address) << "the server has ended; see " << options.log_file;
    nats_url_ = address->url;
}

std::string RolloutCell::write_user(const std::string& name, const identity::KeyPair& issuer,
                                    std::string_view tag,
                                    const identity::Permissions& permissions) {
    const auto user = identity::KeyPair::generate(identity::KeyKind::user);
    std::string path = folder_ + "/" + name + ".creds";
    std::ofstream(path) << identity::credentials(
        identity::mint_user_jwt(issuer, user.public_key(), name, permissions, loop_.wall_now(),
                                std::nullopt, tag),
        user.seed());
    return path;
}

void RolloutCell::open_coordinator(BadLine line, base::Duration jwt_life) {
    bus::NatsOptions nats;
    nats.urls = {nats_url_};
    nats.name = nats.label = coordinator::coordinator_bus_name;
    nats.credentials_file = write_user(nats.name, account_, identity::coordinator_tag,
                                       coordinator::coordinator_permissions("c1"));
    nats.system_credentials_file = write_user("system", system_, {}, {});
    auto bus = bus::connect_nats(loop_, nats);
    ASSERT_TRUE(bus) << bus.error().message;
    bus_ = std::move(*bus);
    store_ = store::open_sqlite_store(loop_, folder_ + "/cell.db").value();
    blobs_ = blobs::open_folder_blobs(loop_, {folder_ + "/blobs", blobs_limit_bytes}).value();
    http_ = http::listen(loop_, {}).value();
    proxy_ = std::make_unique<CuttingProxy>(loop_, http_.port, line);
    coordinator::Options options{"c1"};
    options.authority = coordinator::Authority{operator_, account_, "fleet"};
    options.jwt_life = jwt_life;
    options.nats_urls = {nats_url_};
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
    base::SpawnOptions spawn;
    spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt-agent"};
    spawn.argv.insert(spawn.argv.end(), arguments.begin(), arguments.end());
    spawn.output_file = folder_ + "/words";
    std::filesystem::remove(spawn.output_file);
    std::optional<int> code;
    auto child = base::ChildProcess::spawn(loop_, spawn, [&](int with) { code = with; });
    EXPECT_TRUE(child) << child.error().message;
    EXPECT_TRUE(run_until([&] { return code.has_value(); }, patience));
    std::ifstream words(spawn.output_file);
    return {code.value_or(-1), {std::istreambuf_iterator<char>(words), {}}};
}

std::string RolloutCell::add_car(const std::string& name) {
    const std::string state = car_folder(name);
    std::filesystem::create_directory(state);
    const std::string token_file = folder_ + "/" + name + ".token";
    std::ofstream(token_file) << token(name) << '\n';
    std::filesystem::permissions(token_file, std::filesystem::perms::owner_read);
    const auto [code, words] = run_agent({"enrol", "--coordinator", url(), "--token-file",
                                          token_file, "--name", name, "--state", state});
    EXPECT_EQ(code, 0) << words;
    base::SpawnOptions spawn;
    spawn.argv = {std::string(IDLEWATT_BINARY_DIR) + "/bin/idlewatt-agent",
                  "--state",
                  state,
                  "--script",
                  folder_ + "/script.toml",
                  "--cache-mib",
                  "1024",
                  "--context",
                  "512",
                  "--verbose"};
    spawn.output_file = state + "/log";
    Car& car = cars_[name];
    auto child = base::ChildProcess::spawn(loop_, spawn, [&car](int) { car.ended = true; });
    EXPECT_TRUE(child) << child.error().message;
    if (child)
        car.process = std::move(*child);
    return name;
}

const core::Announcement& RolloutCell::said(const std::string& vehicle) const {
    static const core::Announcement nothing;
    const auto found = said_.find(vehicle);
    return found == said_.end() ? nothing : found->second;
}

std::string RolloutCell::car_log(const std::string& name) const {
    std::ifstream log(car_folder(name) + "/log");
    return {std::istreambuf_iterator<char>(log), {}};
}

}  // namespace idlewatt::test
