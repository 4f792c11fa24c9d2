// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "test_cell.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <gtest/gtest.h>

#include "bus/nats_server.hpp"

namespace idlewatt::test {

namespace {

// A car that its owner always lends.
constexpr const char* willing_car = R"(
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

TestCell::TestCell(base::AsioLoop& loop, TestCellPlan plan)
    : loop_(loop), plan_(std::move(plan)), nats_port_(bus::any_port) {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-cell-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    std::string gateways;
    for (const std::string& gateway : plan_.gateways)
        gateways += (gateways.empty() ? "" : ",") + gateway;
    std::vector<std::string> create = {
        "idlewatt", "cell",           "create",    folder_ + "/keys", "--gateways",
        gateways,   "--nats-address", "127.0.0.1", "--nats-folder",   accounts_folder()};
    if (!plan_.certificate_file.empty()) {
        create.insert(create.end(),
                      {"--nats-certificate", plan_.certificate_file, "--nats-key", plan_.key_file});
    }
    const auto [code, words] = run(std::move(create));
    EXPECT_EQ(code, 0) << words;
    operator_ = read_seed("operator.seed");
    account_ = read_seed("account.seed");
    system_ = read_seed("system.seed");
    start_nats();
}

TestCell::~TestCell() {
    nats_.reset();
    std::filesystem::remove_all(folder_);
}

identity::KeyPair TestCell::read_seed(const std::string& name) const {
    std::ifstream file(key_file(name));
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    auto key = identity::KeyPair::from_seed(text);
    EXPECT_TRUE(key) << name << ": " << key.error().message;
    return key.value();
}

std::pair<int, std::string> TestCell::run(std::vector<std::string> argv) {
    base::SpawnOptions spawn;
    argv.front() = built_program(argv.front());
    spawn.argv = std::move(argv);
    spawn.output_file = folder_ + "/words";
    std::filesystem::remove(spawn.output_file);
    TestProcess program(loop_, std::move(spawn));
    EXPECT_TRUE(program.wait());
    return {program.code(), program.output()};
}

std::string TestCell::write_script() const {
    std::string path = folder_ + "/script.toml";
    std::ofstream(path) << willing_car;
    return path;
}

void TestCell::start_nats() {
    const auto program = bus::find_nats_server();
    ASSERT_TRUE(program) << program.error().message;
    base::SpawnOptions spawn;
    spawn.argv = {
        *program,           "--config", key_file("nats.conf"), "--port", std::to_string(nats_port_),
        "--ports_file_dir", folder_};
    spawn.output_file = folder_ + "/nats.log";
    nats_ = std::make_unique<TestProcess>(loop_, std::move(spawn));
    std::optional<bus::NatsServerAddress> address;
    ASSERT_TRUE(run_loop_until(loop_, [&] {
        address = bus::nats_server_address(folder_, nats_->pid());
        return address.has_value() || nats_->ended();
    }));
    ASSERT_TRUE(address) << nats_->output();
    nats_port_ = address->port;
    nats_url_ = (plan_.certificate_file.empty() ? "nats://127.0.0.1:" : "tls://127.0.0.1:") +
                std::to_string(nats_port_);
}

void TestCell::kill_nats() {
    EXPECT_TRUE(nats_->end(SIGKILL));
}

std::string TestCell::write_credentials(const std::string& name, const std::string& jwt,
                                        const identity::KeyPair& user) {
    std::string path = folder_ + "/" + name + std::to_string(next_file_++) + ".creds";
    std::ofstream(path) << identity::credentials(jwt, user.seed());
    return path;
}

std::string TestCell::write_user(const std::string& name, const identity::KeyPair& issuer,
                                 const identity::Permissions& permissions, std::string_view tag,
                                 std::optional<base::WallTime> expires,
                                 const identity::KeyPair* user) {
    const auto key = user == nullptr ? identity::KeyPair::generate(identity::KeyKind::user) : *user;
    return write_credentials(name,
                             identity::mint_user_jwt(issuer, key.public_key(), name, permissions,
                                                     loop_.wall_now(), expires, tag),
                             key);
}

}  // namespace idlewatt::test
