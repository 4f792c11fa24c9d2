// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How a car comes into the cell, stays in it, and is put out of it.
#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "coordinator/admin_desk.hpp"
#include "coordinator/coordinator_fixture_test.hpp"
#include "identity/membership.hpp"
#include "identity/user_claims.hpp"

namespace idlewatt::coordinator {
namespace {

const std::string account = test_authority().account.public_key();

std::string claims_of(const std::string& jwt) {
    const std::size_t first = jwt.find('.');
    return base::from_base64url(jwt.substr(first + 1, jwt.rfind('.') - first - 1)).value_or("");
}

class EnrolmentTest : public OfficeTest {};

TEST_F(EnrolmentTest, ATokenBringsACarIn) {
    const auto answer = enrolled("kiwi", 1, "north");
    EXPECT_EQ(answer.vehicle.value, "kiwi");
    EXPECT_EQ(answer.cell, "cell");
    EXPECT_EQ(answer.nats_urls, std::vector<std::string>{"nats://127.0.0.1:4222"});
    EXPECT_EQ(answer.account_public_key, account);
    const auto claims = identity::verify_user_jwt(answer.user_jwt, account, loop.wall_now());
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(claims->name, "kiwi");
    EXPECT_EQ(claims->public_key, user(1).public_key());
    EXPECT_TRUE(claims->has_tag(identity::vehicle_tag));
    ASSERT_TRUE(claims->expires_at);
    EXPECT_LE(*claims->expires_at, answer.expires_at);
    const auto fleet = identity::verify_membership(answer.membership, account, loop.wall_now());
    ASSERT_TRUE(fleet) << fleet.error().message;
    EXPECT_EQ(fleet->fleet, "north");
    EXPECT_EQ(fleet->vehicle.value, "kiwi");
    EXPECT_EQ(database->vehicles.at(core::VehicleId("kiwi")).fleet, "north");
}

TEST_F(EnrolmentTest, ATokenIsUsedOnce) {
    const std::string once = token();
    EXPECT_EQ(enrol(once, user(1), "a").status, 201);
    const auto second = enrol(once, user(2), "b");
    EXPECT_EQ(second.status, 401);
    EXPECT_TRUE(wire::parse_error_body(second.body)) << second.body;
    EXPECT_EQ(enrol(once, user(1), "a").status, 201) << "the car did not hear the first answer";
    EXPECT_EQ(database->vehicles.size(), 1U);
}

TEST_F(EnrolmentTest, WhoeverHasNoRightTokenStaysOut) {
    EXPECT_EQ(enrol("iwt-made-up", user(1)).status, 401);
    const std::string old = token();
    loop.run_for(base::minutes(61));
    EXPECT_EQ(enrol(old, user(1)).status, 401);
    const auto created = wire::parse_enrolment_created(
        call("POST", "/api/v1/enrolments", wire::enrolment_order_body({"x", ""})).body);
    ASSERT_TRUE(created);
    EXPECT_EQ(call("DELETE", "/api/v1/enrolments/" + created->enrolment.id).status, 200);
    EXPECT_EQ(enrol(created->token, user(1)).status, 401);
    EXPECT_EQ(call("POST", "/api/v1/enrol", "{", "").status, 400);
    EXPECT_EQ(call("POST", "/api/v1/enrol",
                   wire::enrol_request_body({token(), "U" + std::string(55, 'A'), ""}), "")
                  .status,
              400);
    EXPECT_TRUE(database->vehicles.empty());
    for (const auto& [id, enrolment] : database->enrolments)
        EXPECT_EQ(enrolment.token_sha256.size(), 64U) << "only the hash is kept";
}

TEST_F(EnrolmentTest, ANameThatIsTakenOrNoIdMakesAnotherId) {
    enrolled("kiwi", 1);
    const auto second = enrolled("kiwi", 2);
    EXPECT_TRUE(second.vehicle.value.starts_with("car-")) << second.vehicle.value;
    const auto third = enrolled("Kiwi's twin", 3);
    EXPECT_TRUE(third.vehicle.value.starts_with("car-"));
    EXPECT_EQ(database->vehicles.at(third.vehicle).label, "Kiwi's twin");
}

TEST_F(EnrolmentTest, StrangersDoNotKeepTheDatabaseBusy) {
    int refused = 0;
    for (std::uint32_t i = 0; i < enrolments_per_minute + 50; ++i)
        refused += enrol("iwt-made-up", user(1)).status == 429 ? 1 : 0;
    EXPECT_GT(refused, 0);
    loop.run_for(base::minutes(1));
    EXPECT_EQ(enrol(token(), user(1)).status, 201);
}

TEST_F(EnrolmentTest, ACarRenewsAlsoWhileTheDatabaseIsAway) {
    const auto car = enrolled("kiwi", 1, "north");
    auto connection = hub.connect("kiwi", "kiwi/1");
    database->failing = true;
    loop.run_for(base::minutes(60));
    const auto answer = ask(*connection, test_subjects.renew(car.vehicle), "");
    ASSERT_TRUE(answer);
    const auto renewal = wire::decode_renewal(*answer);
    ASSERT_TRUE(renewal) << renewal.error().message;
    EXPECT_GT(renewal->expires_at, car.expires_at);
    EXPECT_TRUE(identity::verify_user_jwt(renewal->user_jwt, account, loop.wall_now()));
    EXPECT_TRUE(identity::verify_membership(renewal->membership, account, loop.wall_now()));
    EXPECT_FALSE(ask(*connection, test_subjects.renew(core::VehicleId("nobody")), ""));
}

TEST_F(EnrolmentTest, ARevokedCarIsToldToTheServersAndNeverRenewed) {
    const auto car = enrolled("kiwi", 1);
    enrolled("plum", 2);
    EXPECT_TRUE(pushed.empty());
    const auto answer = call("POST", "/api/v1/vehicles/kiwi/revoke");
    EXPECT_EQ(answer.status, 200) << answer.body;
    ASSERT_TRUE(run_until([&] { return !pushed.empty() && coordinator->revocations_settled(); }));
    EXPECT_NE(claims_of(pushed.back()).find("\"" + user(1).public_key() + "\":"),
              std::string::npos);
    EXPECT_EQ(claims_of(pushed.back()).find(user(2).public_key()), std::string::npos);
    auto connection = hub.connect("kiwi", "kiwi/1");
    EXPECT_FALSE(ask(*connection, test_subjects.renew(car.vehicle), ""));
    EXPECT_EQ(enrol(token(), user(1)).status, 401) << "its key is not let in again";
    EXPECT_EQ(call("GET", "/blobs/sha256/" + std::string(64, '0'), "", car.user_jwt).status, 401);
}

TEST_F(EnrolmentTest, AJwtGivenWhileTheRevocationIsStoredIsRevokedToo) {
    const auto car = enrolled("kiwi", 1);
    auto connection = hub.connect("kiwi", "kiwi/1");
    database->latency = base::seconds(20);
    server.send("POST", "/api/v1/vehicles/kiwi/revoke",
                {{"authorization", "Bearer " + operator_secret}}, "",
                {[](int, const http::Headers&) {}, [](std::string_view) {}, [](bool) {}});
    loop.run_for(base::seconds(10));
    const auto answer = ask(*connection, test_subjects.renew(car.vehicle), "");
    ASSERT_TRUE(answer);
    const auto renewed =
        nlohmann::json::parse(claims_of(wire::decode_renewal(*answer).value().user_jwt));
    ASSERT_TRUE(run_until([&] { return !pushed.empty(); }));
    const auto told = nlohmann::json::parse(claims_of(pushed.back()));
    EXPECT_GE(told["nats"]["revocations"][user(1).public_key()].get<std::int64_t>(),
              renewed["iat"].get<std::int64_t>());
}

TEST_F(EnrolmentTest, TheServersAreToldAgainAfterARestartAndAReconnect) {
    enrolled("kiwi", 1);
    call("POST", "/api/v1/vehicles/kiwi/revoke");
    ASSERT_TRUE(run_until([&] { return pushed.size() == 1; }));
    close();
    open();
    ASSERT_TRUE(run_until([&] { return pushed.size() == 2; }));
    hub.set_server_up(false);
    loop.run_for(base::seconds(1));
    hub.set_server_up(true);
    ASSERT_TRUE(run_until([&] { return pushed.size() >= 3; }));
    EXPECT_NE(claims_of(pushed.back()).find(user(1).public_key()), std::string::npos);
}

TEST_F(EnrolmentTest, AServerThatDoesNotTakeTheListIsAskedAgain) {
    int answers = 0;
    hub.set_system_responder([&](std::string_view, std::string_view) {
        return std::optional<std::string>(++answers < 4 ? R"({"error":{"code":500}})"
                                                        : R"({"data":{"code":200}})");
    });
    enrolled("kiwi", 1);
    call("POST", "/api/v1/vehicles/kiwi/revoke");
    ASSERT_TRUE(run_until([&] { return coordinator->revocations_settled() && answers == 4; }));
}

TEST_F(EnrolmentTest, AnOrderBeforeTheAssignmentsAreReadCountsOn) {
    const auto car = enrolled("kiwi", 1).vehicle;
    close();
    database->assignments[car] = {car, 7, ""};
    database->latency = base::seconds(2);
    open();
    database->failing = true;  // of the assignments, not of the models before them
    loop.run_for(base::seconds(2));
    database->failing = false;
    database->latency = base::milliseconds(1);
    EXPECT_EQ(call("POST", "/api/v1/vehicles/kiwi/pause").status, 200);
    EXPECT_EQ(database->assignments.at(car).version, 7U);
    loop.run_for(base::seconds(10));
    EXPECT_EQ(database->assignments.at(car).version, 8U);
}

TEST_F(EnrolmentTest, OrdersToOneCarDoNotUndoEachOther) {
    enrolled("kiwi", 1);
    database->latency = base::milliseconds(50);
    int answered = 0;
    for (const char* verb : {"pause", "drain"}) {
        server.send("POST", std::string("/api/v1/vehicles/kiwi/") + verb,
                    {{"authorization", "Bearer " + operator_secret}}, "",
                    {[&](int status, const http::Headers&) { EXPECT_EQ(status, 200); },
                     [](std::string_view) {}, [&](bool) { ++answered; }});
    }
    ASSERT_TRUE(run_until([&] { return answered == 2; }));
    const store::Vehicle& car = database->vehicles.at(core::VehicleId("kiwi"));
    EXPECT_TRUE(car.paused && car.draining);
    const auto row =
        wire::parse_enrolled_vehicle(call("POST", "/api/v1/vehicles/kiwi/resume").body);
    ASSERT_TRUE(row);
    EXPECT_FALSE(row->paused || row->draining);
    EXPECT_EQ(call("POST", "/api/v1/vehicles/kiwi/work").status, 404);
    EXPECT_EQ(call("POST", "/api/v1/vehicles/nobody/pause").status, 404);
}

}  // namespace
}  // namespace idlewatt::coordinator
