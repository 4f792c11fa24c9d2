// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/vehicle_commands.hpp"

#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "cli/fake_gateway_test.hpp"
#include "wire/fleet.hpp"

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;

wire::VehicleRow row(const std::string& id, core::Reason reason) {
    wire::VehicleRow row;
    row.announcement.vehicle = core::VehicleId(id);
    row.announcement.state_of_charge_percent = 71.5;
    row.announcement.models = {"tiny"};
    row.announcement.slots_total = 2;
    row.announcement.slots_free = 1;
    row.announcement.allowed_w = 300;
    row.reason = reason;
    row.active_requests = 1;
    row.age = base::milliseconds(400);
    return row;
}

// As our gateway answers.
void answer_as_gateway(http::Server& server, const http::Request& request) {
    const auto reply = [&](int status, const std::string& body) {
        server.respond(request.id, {status, {{"content-type", "application/json"}}, body});
    };
    const auto error = [&](int status, const std::string& code) {
        reply(status,
              R"({"error":{"message":"Message of )" + code + R"(.","code":")" + code + "\"}}");
    };
    const auto key = request.headers.find("authorization");
    if (key == request.headers.end() || key->second != "Bearer secret") {
        error(401, "invalid_api_key");
    } else if (request.target == "/api/v1/vehicles") {
        reply(200, wire::vehicles_body({row("car-0", core::Reason::ok),
                                        row("car-1", core::Reason::occupied),
                                        row("car-2", core::Reason::draining)}));
    } else if (request.target == "/api/v1/vehicles/car-0/signals") {
        reply(200, R"({"taken":true})");
    } else if (request.target == "/api/v1/vehicles/car-1/signals") {
        error(503, "vehicle_unreachable");
    } else {
        error(404, "vehicle_not_found");
    }
}

class VehicleCommands : public testing::Test {
protected:
    FakeGateway gateway{answer_as_gateway};
    Connection connection = gateway.connection();
    std::ostringstream out, err;
};

TEST_F(VehicleCommands, ListsAsJson) {
    ASSERT_EQ(vehicle_ls(connection, true, out, err), ExitCode::ok);
    const Json list = Json::parse(out.str());
    ASSERT_EQ(list.size(), 3U);
    EXPECT_EQ(list[1]["id"], "car-1");
    EXPECT_EQ(list[1]["reason"], "occupied");
    for (const char* member : {"active_requests", "slots_free", "allowed_watts",
                               "state_of_charge_percent", "models", "tokens_per_second", "age_ms"})
        EXPECT_TRUE(list[0].contains(member)) << member;
    EXPECT_EQ(err.str(), "");
}

TEST_F(VehicleCommands, ListsForPeople) {
    ASSERT_EQ(vehicle_ls(connection, false, out, err), ExitCode::ok);
    EXPECT_NE(out.str().find("car-0    ok        71.5 %"), std::string::npos) << out.str();
}

TEST_F(VehicleCommands, ShowsOneAndSaysWhy) {
    ASSERT_EQ(vehicle_show(connection, "car-1", true, out, err), ExitCode::ok);
    EXPECT_EQ(Json::parse(out.str())["id"], "car-1");
    out.str("");
    ASSERT_EQ(vehicle_why(connection, "car-1", false, out, err), ExitCode::ok);
    EXPECT_NE(out.str().find("Somebody is in the car"), std::string::npos);
    EXPECT_NE(out.str().find("the owner's re-entry delay"), std::string::npos) << out.str();
    out.str("");
    ASSERT_EQ(vehicle_why(connection, "car-2", false, out, err), ExitCode::ok);
    EXPECT_NE(out.str().find("`idlewatt vehicle resume car-2`"), std::string::npos) << out.str();
    out.str("");
    ASSERT_EQ(vehicle_why(connection, "car-1", true, out, err), ExitCode::ok);
    EXPECT_EQ(Json::parse(out.str())["kind"], "recall");
}

TEST_F(VehicleCommands, SaysWhichCarsThereAre) {
    EXPECT_EQ(vehicle_show(connection, "car-9", false, out, err), ExitCode::not_found);
    EXPECT_NE(err.str().find("car-0, car-1"), std::string::npos) << err.str();
    EXPECT_EQ(out.str(), "");
}

TEST_F(VehicleCommands, SendsSignals) {
    ASSERT_EQ(vehicle_signal(connection, "car-0",
                             {"occupied=true", "state_of_charge_percent=-17.5", "locked=missing"},
                             out, err),
              ExitCode::ok)
        << err.str();
    const http::Request request = gateway.requests().back();
    EXPECT_EQ(request.method, "POST");
    const Json expected = {
        {"occupied", true}, {"state_of_charge_percent", -17.5}, {"locked", "missing"}};
    EXPECT_EQ(Json::parse(request.body), expected);
    EXPECT_EQ(out.str(), "");
    EXPECT_NE(err.str().find("note: state_of_charge_percent is 0 to 100"), std::string::npos);
    EXPECT_EQ(err.str().find("occupied"), std::string::npos) << err.str();
}

TEST_F(VehicleCommands, TellsFailuresApart) {
    EXPECT_EQ(vehicle_signal(connection, "car-9", {"occupied=true"}, out, err),
              ExitCode::not_found);
    EXPECT_EQ(vehicle_signal(connection, "car-1", {"occupied=true"}, out, err), ExitCode::failure);
    connection.api_key = "wrong";
    EXPECT_EQ(vehicle_ls(connection, false, out, err), ExitCode::denied);
    EXPECT_NE(err.str().find("IDLEWATT_API_KEY"), std::string::npos);
    err.str("");
    EXPECT_EQ(vehicle_ls(connection, true, out, err), ExitCode::denied);
    EXPECT_EQ(Json::parse(err.str())["error"]["code"], "invalid_api_key");
    connection.url = "http://127.0.0.1:1";
    EXPECT_EQ(vehicle_ls(connection, false, out, err), ExitCode::failure);
    EXPECT_NE(err.str().find("IDLEWATT_URL"), std::string::npos);
}

TEST(Assignments, AreRefusedWithTheNearestName) {
    const auto wrong = parse_assignments({"ocupied=true"});
    ASSERT_FALSE(wrong);
    EXPECT_NE(wrong.error().message.find("did you mean 'occupied'"), std::string::npos)
        << wrong.error().message;
    const auto strange = parse_assignments({"foo=true"});
    ASSERT_FALSE(strange);
    EXPECT_EQ(strange.error().message.find("did you mean"), std::string::npos)
        << strange.error().message;
    EXPECT_NE(strange.error().message.find("occupied"), std::string::npos);
    for (const char* bad : {"occupied", "occupied=", "occupied=yes", "occupied=nan", "occupied=inf",
                            "occupied=1x", "=true", ""})
        EXPECT_FALSE(parse_assignments({bad})) << bad;
    EXPECT_FALSE(parse_assignments({}));
    // Senseless, but a car must be able to hear it.
    EXPECT_TRUE(parse_assignments({"state_of_charge_percent=900", "occupied=17"}));
    const auto last = parse_assignments({"occupied=true", "occupied=false"});
    ASSERT_TRUE(last);
    ASSERT_EQ(last->values.size(), 1U);
    EXPECT_EQ(last->values[0].second, 0.0);
}

TEST(Connection, ComesFromTheEnvironment) {
    const auto with = [](std::string url, std::optional<std::string> key) {
        return connection_from([=](std::string_view name) -> std::optional<std::string> {
            if (name == "IDLEWATT_URL")
                return url;
            return name == "IDLEWATT_API_KEY" ? key : std::nullopt;
        });
    };
    EXPECT_EQ(with("", std::nullopt)->url, default_url);
    EXPECT_EQ(with("http://h:1/v1/", "k")->url, "http://h:1");
    EXPECT_EQ(with("http://h:1", "k")->api_key, "k");
    EXPECT_FALSE(with("h:1", "k"));
    EXPECT_FALSE(with("http://h:1", "k\r\nx: y"));
}

}  // namespace
}  // namespace idlewatt::cli
