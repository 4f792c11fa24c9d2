// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Whoever has no credentials of this cell, or ones that have ended, were revoked or are another
// car's, can neither be heard nor hear: on a real nats-server, with the credentials that a real
// coordinator hands out.
#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "bus/nats_bus.hpp"
#include "coordinator/coordinator.hpp"
#include "http/memory_server.hpp"
#include "identity/secret.hpp"
#include "store/sqlite_store.hpp"
#include "test_cell.hpp"
#include "wire/admin.hpp"

namespace idlewatt {
namespace {

using identity::KeyKind;
using identity::KeyPair;

constexpr base::Duration patience = base::seconds(20);
const wire::Subjects subjects{"c1"};
const std::string operator_secret = "iw-operator";

class Strangers : public testing::Test {
protected:
    Strangers() {
        bus = connect("C_coordinator", cell.key_file("coordinator.creds"));
        open_coordinator();
        watch();
    }
    ~Strangers() override {
        office.reset();
        store.reset();
        bus.reset();
        listener.reset();
    }

    // ── the cell ────────────────────────────────────────────────────────────────────────────────

    void open_coordinator() {
        office.reset();
        store.reset();
        store = store::open_sqlite_store(loop, cell.folder() + "/cell.db").value();
        coordinator::Options options{"c1"};
        options.authority = coordinator::Authority{cell.operator_key(), cell.account(), "fleet"};
        options.nats_urls = {cell.nats_url()};
        options.operator_key_sha256 = identity::sha256_hex(operator_secret);
        office.emplace(coordinator::Parts{loop, *bus, *store, &http}, options);
        office->start();
    }

    // Whatever anybody says in the cell, by subject.
    void watch() {
        listener = connect("watch", cell.write_user("watch", cell.account()));
        listener->subscribe(">", [this](const bus::Message& message) { ++heard[message.subject]; });
        settle(*listener);
    }

    // ── credentials ─────────────────────────────────────────────────────────────────────────────

    // Of a user with this key.
    std::string file(const std::string& name, const KeyPair& issuer, const KeyPair& user,
                     const identity::Permissions& permissions,
                     std::optional<base::WallTime> expires = std::nullopt) {
        return cell.write_user(name, issuer, permissions, {}, expires, &user);
    }
    // A car as the coordinator lets it in.
    std::string enrol(const std::string& name, const KeyPair& user) {
        const auto token = wire::parse_enrolment_created(
            call("/api/v1/enrolments", wire::enrolment_order_body({name}), operator_secret));
        EXPECT_TRUE(token);
        const auto answer = wire::parse_enrol_answer(
            call("/api/v1/enrol", wire::enrol_request_body({token->token, user.public_key(), name}),
                 ""));
        EXPECT_TRUE(answer);
        EXPECT_EQ(answer->vehicle.value, name);
        return cell.write_credentials(name, answer->user_jwt, user);
    }
    std::string call(const std::string& target, const std::string& body,
                     const std::string& bearer) {
        std::string answer;
        bool ended = false;
        http::Headers headers;
        if (!bearer.empty())
            headers["authorization"] = "Bearer " + bearer;
        http.send("POST", target, headers, body,
                  {[](int, const http::Headers&) {},
                   [&](std::string_view bytes) { answer += bytes; }, [&](bool) { ended = true; }});
        EXPECT_TRUE(run_until([&] { return ended; }));
        return answer;
    }

    // ── connections ─────────────────────────────────────────────────────────────────────────────

    base::Result<std::unique_ptr<bus::Bus>> try_connect(const std::string& name,
                                                        const std::string& credentials) {
        bus::NatsOptions options;
        options.urls = {cell.nats_url()};
        options.name = name;
        options.label = name + "/1";
        options.credentials_file = credentials;
        if (name == "C_coordinator")
            options.system_credentials_file = cell.key_file("coordinator-system.creds");
        options.connect_timeout = base::seconds(20);
        return bus::connect_nats(loop, options);
    }
    std::unique_ptr<bus::Bus> connect(const std::string& name, const std::string& credentials) {
        auto connected = try_connect(name, credentials);
        EXPECT_TRUE(connected) << connected.error().message;
        return connected ? std::move(*connected) : nullptr;
    }
    void expect_refused(const std::string& name, const std::string& credentials) {
        const auto refused = try_connect(name, credentials);
        ASSERT_FALSE(refused) << name;
        // A JWT that is none is no matter of authorisation to the server: it ends the connection.
        EXPECT_TRUE(refused.error().kind == base::ErrorKind::denied ||
                    refused.error().message.find("Protocol Error") != std::string::npos)
            << refused.error().message;
        EXPECT_TRUE(listener->connected()) << "the server is there for others";
    }

    bool run_until(const std::function<bool()>& condition) {
        return test::run_loop_until(loop, condition, patience);
    }
    // Until the server has seen what the connection has done so far, by its own inbox.
    void settle(bus::Bus& who) {
        bool done = false;
        who.request(settled_subject(who), "", base::seconds(2),
                    [&](bus::ReplyStatus, const bus::Message&) { done = true; });
        EXPECT_TRUE(run_until([&] { return done; }));
    }
    // Denied or not: the answer, or its absence, comes after everything before.
    std::string settled_subject(const bus::Bus& who) const {
        return &who == listener.get() ? "nobody.is.there" : subjects.coordinator_totals();
    }
    std::uint64_t heard_below(const std::string& prefix) const {
        std::uint64_t count = 0;
        for (const auto& [subject, times] : heard)
            count += subject.starts_with(prefix) ? times : 0;
        return count;
    }

    base::AsioLoop loop;
    test::TestCell cell{loop, {{"gw"}}};
    http::MemoryServer http{loop};
    std::unique_ptr<store::Store> store;
    std::unique_ptr<bus::Bus> bus;
    std::unique_ptr<bus::Bus> listener;
    std::map<std::string, std::uint64_t> heard;
    std::optional<coordinator::Coordinator> office;
};

const core::VehicleId kiwi{"kiwi"};
const core::VehicleId plum{"plum"};

TEST_F(Strangers, WrongCredentialsAreNotLetIn) {
    const KeyPair user = KeyPair::generate(KeyKind::user);
    const KeyPair other = KeyPair::generate(KeyKind::user);
    const auto permissions = coordinator::vehicle_permissions("c1", kiwi);
    // Signed by an account of its own making.
    expect_refused("kiwi", file("kiwi", KeyPair::generate(KeyKind::account), user, permissions));
    // The right account's public key as issuer, but a signature that is not its.
    std::string forged = identity::mint_user_jwt(cell.account(), user.public_key(), "kiwi",
                                                 permissions, loop.wall_now(), std::nullopt);
    forged.back() = forged.back() == 'A' ? 'Q' : 'A';
    expect_refused("kiwi", cell.write_credentials("kiwi", forged, user));
    // A JWT of this cell, seen somewhere, without the key that belongs to it.
    expect_refused("kiwi", cell.write_credentials(
                               "kiwi",
                               identity::mint_user_jwt(cell.account(), other.public_key(), "kiwi",
                                                       permissions, loop.wall_now(), std::nullopt),
                               user));
    // Signed by a user, as if users could let others in.
    expect_refused("kiwi", file("kiwi", other, user, permissions));
    expect_refused("kiwi", "");
    EXPECT_EQ(heard_below("iw."), 0U);
}

TEST_F(Strangers, CredentialsThatEndEndTheConnection) {
    const KeyPair user = KeyPair::generate(KeyKind::user);
    const auto permissions = coordinator::vehicle_permissions("c1", kiwi);
    expect_refused("kiwi", file("kiwi", cell.account(), user, permissions,
                                loop.wall_now() + base::seconds(-1)));
    std::unique_ptr<bus::Bus> car;
    int orders = 0;
    const auto both = [&] { return heard[subjects.announce(kiwi)] > 0 && orders > 0; };
    // A slow machine gets a longer life, so that it can be heard before its end.
    for (const std::int64_t life_s : {3, 10, 30}) {
        auto connected = try_connect("kiwi", file("kiwi", cell.account(), user, permissions,
                                                  loop.wall_now() + base::seconds(life_s)));
        if (!connected)
            continue;
        car = std::move(*connected);
        car->subscribe(subjects.signal_order(kiwi), [&](const auto&) { ++orders; });
        ASSERT_TRUE(run_until([&] {
            car->publish(subjects.announce(kiwi), "x");
            listener->publish(subjects.signal_order(kiwi), "");
            return both() || !car->connected();
        }));
        if (both())
            break;
    }
    ASSERT_TRUE(both()) << "it is heard and hears while they last";
    ASSERT_TRUE(run_until([&] { return !car->connected(); }));
    settle(*listener);
    const std::uint64_t before = heard[subjects.announce(kiwi)];
    const int orders_before = orders;
    for (int i = 0; i < 20; ++i) {
        car->publish(subjects.announce(kiwi), "x");
        listener->publish(subjects.signal_order(kiwi), "");
        loop.run_for(base::milliseconds(20));
    }
    settle(*listener);
    EXPECT_EQ(heard[subjects.announce(kiwi)], before);
    EXPECT_EQ(orders, orders_before);
}

TEST_F(Strangers, ARevokedCarIsCutOffAndStaysOut) {
    const KeyPair kiwi_key = KeyPair::generate(KeyKind::user);
    const std::string kiwi_file = enrol("kiwi", kiwi_key);
    auto car = connect("kiwi", kiwi_file);
    auto other = connect("plum", enrol("plum", KeyPair::generate(KeyKind::user)));
    int other_states = 0;
    other->on_state([&](bool) { ++other_states; });
    ASSERT_TRUE(run_until([&] {
        car->publish(subjects.announce(kiwi), "x");
        return heard[subjects.announce(kiwi)] > 0;
    }));
    // NATS counts whole seconds: what was issued in the second of the revocation is revoked too.
    call("/api/v1/vehicles/kiwi/revoke", "", operator_secret);
    ASSERT_TRUE(run_until([&] { return office->revocations_settled() && !car->connected(); }));
    expect_refused("kiwi", kiwi_file);
    EXPECT_EQ(other_states, 0) << "nobody else is disturbed";

    // A server that was killed still knows, and so does a coordinator.
    other.reset();
    car.reset();
    cell.kill_nats();
    cell.start_nats();
    ASSERT_TRUE(run_until([&] { return bus->connected() && listener->connected(); }));
    expect_refused("kiwi", kiwi_file);
    open_coordinator();
    ASSERT_TRUE(run_until([&] { return office->vehicles_known() == 2; }));
    ASSERT_TRUE(run_until([&] { return office->revocations_settled(); }));
    expect_refused("kiwi", kiwi_file);
    // A server that has lost its folder learns it again from the coordinator.
    cell.kill_nats();
    std::filesystem::remove_all(cell.accounts_folder());
    cell.start_nats();
    ASSERT_TRUE(run_until([&] { return bus->connected() && office->revocations_settled(); }));
    ASSERT_TRUE(run_until([&] {
        const auto connected = try_connect("kiwi", kiwi_file);
        return !connected && connected.error().kind == base::ErrorKind::denied;
    }));
}

TEST_F(Strangers, ACarIsHeardAndHearsOnlyInItsOwnName) {
    auto car = connect("kiwi", enrol("kiwi", KeyPair::generate(KeyKind::user)));
    auto victim = connect("plum", enrol("plum", KeyPair::generate(KeyKind::user)));
    std::map<std::string, int> overheard;
    const core::GatewayId gw{"gw"};
    const std::vector<std::string> not_its_own = {
        ">",
        "iw.>",
        "iw.c1.v.*.announce",
        "iw.c1.v.plum.>",
        subjects.signal_order(plum),
        subjects.assignment_order(plum),
        subjects.all_receipts(),
        subjects.all_renewals(),
        subjects.all_deliveries(),
        subjects.coordinator_changed(),
        subjects.coordinator_keys(),
        "_INBOX_plum.>",
        "_INBOX_C_coordinator.>",
        "$SYS.>",
    };
    for (const std::string& subject : not_its_own)
        car->subscribe(subject, [&](const bus::Message& message) { ++overheard[message.subject]; });
    int orders = 0;
    car->subscribe(subjects.signal_order(kiwi), [&](const auto&) { ++orders; });
    const std::vector<std::string> not_its_word = {
        subjects.announce(plum),
        subjects.receipts(plum),
        subjects.renew(plum),
        subjects.assignment(plum),
        subjects.out(plum, gw, core::Incarnation(1), core::AttemptId("a")),
        subjects.in(plum, core::Incarnation(1), core::AttemptId("a")),
        subjects.signal_order(plum),
        subjects.assignment_order(kiwi),
        subjects.deliveries(gw),
        subjects.demand(gw),
        subjects.coordinator_changed(),
        subjects.coordinator_keys(),
        "_INBOX_plum.x",
        "$SYS.REQ.CLAIMS.UPDATE",
    };
    settle(*victim);
    heard.clear();
    std::size_t ended = 0;
    for (const std::string& subject : not_its_word) {
        car->publish(subject, "false");
        car->request(subject, "false", base::milliseconds(500),
                     [&, subject](bus::ReplyStatus status, const auto&) {
                         EXPECT_NE(status, bus::ReplyStatus::answered) << subject;
                         ++ended;
                     });
    }
    ASSERT_TRUE(run_until([&] { return ended == not_its_word.size(); }));
    // What it may say arrives, so that silence above means something.
    car->publish(subjects.announce(kiwi), "true");
    ASSERT_TRUE(run_until([&] { return heard[subjects.announce(kiwi)] == 1; }));
    for (const std::string& subject : not_its_word)
        EXPECT_EQ(heard.contains(subject), false) << subject;

    for (const std::string& subject :
         {subjects.announce(plum), subjects.signal_order(plum), subjects.assignment_order(plum),
          subjects.in(plum, core::Incarnation(1), core::AttemptId("a")), subjects.receipts(plum),
          subjects.coordinator_changed(), std::string("_INBOX_plum.x"),
          std::string("_INBOX_C_coordinator.x")})
        listener->publish(subject, "secret");
    listener->publish(subjects.signal_order(kiwi), "");
    ASSERT_TRUE(run_until([&] { return orders == 1; }));
    EXPECT_EQ(overheard, (std::map<std::string, int>{}));
    EXPECT_GE(car->losses().denied, not_its_own.size() + not_its_word.size());
}

TEST_F(Strangers, AGatewayAndACoordinatorHaveTheirLimitsToo) {
    const core::GatewayId id{"gw"};
    auto gateway = connect(wire::bus_name(id), cell.key_file("gw.creds"));
    std::map<std::string, int> overheard;
    for (const std::string& subject :
         {std::string(">"), subjects.all_receipts(), subjects.all_renewals(),
          subjects.all_deliveries(), subjects.all_out(core::GatewayId("other")),
          std::string("_INBOX_kiwi.>"), std::string("$SYS.>")})
        gateway->subscribe(subject,
                           [&](const bus::Message& message) { ++overheard[message.subject]; });
    heard.clear();
    for (const std::string& subject :
         {subjects.announce(kiwi), subjects.receipts(kiwi), subjects.renew(kiwi),
          subjects.assignment_order(kiwi), subjects.deliveries(core::GatewayId("other")),
          subjects.coordinator_changed()}) {
        gateway->publish(subject, "false");
        bus->publish(subjects.announce(kiwi), "false");
    }
    int answered = -1;
    gateway->request(subjects.coordinator_keys(), wire::encode(wire::KeyBookRequest{}),
                     base::seconds(5), [&](bus::ReplyStatus status, const auto&) {
                         answered = status == bus::ReplyStatus::answered ? 1 : 0;
                     });
    ASSERT_TRUE(run_until([&] { return answered >= 0; }));
    EXPECT_EQ(answered, 1) << "what it may ask is answered";
    listener->publish(subjects.receipts(kiwi), "secret");
    settle(*listener);
    settle(*gateway);
    EXPECT_EQ(heard_below("iw.c1.v."), 1U) << "only the watcher's own";
    EXPECT_EQ(heard.count(subjects.coordinator_changed()), 0U);
    EXPECT_TRUE(overheard.empty());
}

}  // namespace
}  // namespace idlewatt
