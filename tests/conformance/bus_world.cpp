// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus_world.hpp"

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "bus/nats_server.hpp"

namespace idlewatt::bus {

namespace {

// As in a cell: older than anything that is pushed, so that a restart undoes no revocation.
constexpr base::WallTime founding{1'000'000};

using identity::KeyKind;
using identity::KeyPair;

constexpr base::Duration patience = base::seconds(120);

class MemoryWorld final : public BusWorld {
public:
    MemoryWorld() {
        hub_.set_system_responder([](std::string_view subject, std::string_view) {
            return subject == "$SYS.REQ.SERVER.PING" ? std::optional<std::string>("{}")
                                                     : std::nullopt;
        });
    }
    base::Loop& loop() override { return loop_; }
    std::unique_ptr<Bus> connect(const std::string& name, const std::string& label) override {
        return hub_.connect(name, label);
    }
    void stop_server() override { hub_.set_server_up(false); }
    void start_server() override { hub_.set_server_up(true); }
    bool run_until(const std::function<bool()>& condition) override {
        return loop_.run_while_not(condition, patience);
    }

private:
    base::SimulatedLoop loop_;
    MemoryHub hub_{loop_, 1};
};

void write_file(const std::string& path, const std::string& text) {
    std::ofstream file(path, std::ios::trunc);
    file << text;
    file.close();
    std::filesystem::permissions(
        path, std::filesystem::perms::owner_read | std::filesystem::perms::owner_write);
}

}  // namespace

std::unique_ptr<BusWorld> memory_world() {
    return std::make_unique<MemoryWorld>();
}

void BusWorld::linger(base::Duration span) {
    bool over = false;
    loop().after(span, [&over] { over = true; });
    ASSERT_TRUE(run_until([&over] { return over; }));
}

void BusWorld::settle(Bus& bus) {
    bool done = false;
    bus.request("nobody.is.there", "", base::seconds(60), [&](ReplyStatus status, const Message&) {
        EXPECT_EQ(status, ReplyStatus::no_responders);
        done = true;
    });
    ASSERT_TRUE(run_until([&done] { return done; }));
}

void BusWorld::settle_system(Bus& bus) {
    bool done = false;
    bus.system_request("$SYS.REQ.SERVER.PING", "", base::seconds(60),
                       [&](ReplyStatus status, const Message&) {
                           EXPECT_EQ(status, ReplyStatus::answered);
                           done = true;
                       });
    ASSERT_TRUE(run_until([&done] { return done; }));
}

NatsWorld::NatsWorld(NatsWorldOptions world)
    : world_(std::move(world)),
      operator_key_(KeyPair::generate(KeyKind::operator_key)),
      account_(KeyPair::generate(KeyKind::account)),
      system_account_(KeyPair::generate(KeyKind::account)) {
    std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-bus-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    start_server();
}

NatsWorld::~NatsWorld() {
    stop_server();
    std::filesystem::remove_all(folder_);
}

void NatsWorld::start_server() {
    const base::WallTime now = loop_.wall_now();
    NatsServerOptions options;
    options.port = port_;
    options.operator_jwt =
        identity::mint_operator_jwt(operator_key_, "operator", system_account_.public_key(), now);
    options.account_public_key = account_.public_key();
    options.account_jwt =
        identity::mint_account_jwt(operator_key_, account_.public_key(), "cell", founding);
    options.system_account_public_key = system_account_.public_key();
    options.system_account_jwt =
        identity::mint_account_jwt(operator_key_, system_account_.public_key(), "system", founding);
    if (world_.full_resolver)
        options.resolver_folder = folder_ + "/accounts";
    options.certificate_file = world_.certificate_file;
    options.key_file = world_.key_file;
    options.ports_folder = folder_;
    options.log_file = folder_ + "/server.log";
    const auto prepared = prepare_nats_server(options);
    ASSERT_TRUE(prepared.has_value()) << prepared.error().message;
    write_file(folder_ + "/server.conf", nats_server_config(options));

    const auto program = find_nats_server();
    if (!program) {
        ADD_FAILURE() << program.error().message;
        std::abort();
    }
    base::SpawnOptions spawn;
    spawn.argv = {*program, "-c", folder_ + "/server.conf"};
    server_ended_ = false;
    auto server = base::ChildProcess::spawn(loop_, spawn, [this](int) { server_ended_ = true; });
    ASSERT_TRUE(server.has_value()) << server.error().message;
    server_ = std::move(*server);
    std::optional<NatsServerAddress> address;
    const bool ready = run_until([&] {
        address = nats_server_address(folder_, server_->pid());
        return address.has_value() || server_ended_;
    });
    ASSERT_TRUE(ready && address.has_value()) << "see " << options.log_file;
    url_ = address->url;
    port_ = address->port;
}

void NatsWorld::stop_server() {
    if (!server_)
        return;
    server_->signal(SIGKILL);
    EXPECT_TRUE(run_until([this] { return server_ended_; }));
    server_.reset();
}

bool NatsWorld::run_until(const std::function<bool()>& condition) {
    const base::Instant end = loop_.now() + patience;
    while (!condition()) {
        if (loop_.now() > end)
            return false;
        loop_.run_for(base::microseconds(500));
    }
    return true;
}

std::string NatsWorld::account_jwt(const identity::Revocations& revocations) const {
    return identity::mint_account_jwt(operator_key_, account_.public_key(), "cell",
                                      loop_.wall_now(), revocations);
}

std::string NatsWorld::enrol(const KeyPair& issuer, const std::string& name,
                             const identity::Permissions& permissions,
                             std::optional<base::WallTime> expires) {
    const KeyPair user = KeyPair::generate(KeyKind::user);
    const std::string jwt = identity::mint_user_jwt(issuer, user.public_key(), name, permissions,
                                                    loop_.wall_now(), expires);
    const std::string path = folder_ + '/' + name + ".creds";
    write_file(path, identity::credentials(jwt, user.seed()));
    return path;
}

NatsOptions NatsWorld::options(const std::string& name, const std::string& credentials) {
    NatsOptions options;
    options.urls = {url_};
    options.name = name;
    options.label = name + "/1";
    options.credentials_file = credentials;
    return options;
}

base::Result<std::unique_ptr<Bus>> NatsWorld::try_connect(const NatsOptions& options) {
    return connect_nats(loop_, options);
}

std::unique_ptr<Bus> NatsWorld::connect(const std::string& name, const std::string& label) {
    NatsOptions wanted = options(name, enrol(account_, name));
    wanted.label = label;
    wanted.system_credentials_file = enrol(system_account_, "system_" + name);
    auto bus = try_connect(wanted);
    if (!bus) {
        ADD_FAILURE() << bus.error().message;
        std::abort();
    }
    return std::move(*bus);
}

std::unique_ptr<Bus> NatsWorld::connect_as(const std::string& name,
                                           const identity::Permissions& permissions) {
    auto bus = try_connect(options(name, enrol(account_, name, permissions)));
    if (!bus) {
        ADD_FAILURE() << bus.error().message;
        std::abort();
    }
    return std::move(*bus);
}

}  // namespace idlewatt::bus
