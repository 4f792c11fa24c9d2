// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Commands that ask the coordinator, against a server that answers as ours does.
#include <filesystem>
#include <fstream>
#include <sstream>

#include <sys/stat.h>
#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "blobs/sha256.hpp"
#include "cli/fake_gateway_test.hpp"
#include "cli/files.hpp"
#include "cli/key_commands.hpp"
#include "cli/model_commands.hpp"
#include "cli/model_upload.hpp"
#include "cli/token_commands.hpp"
#include "cli/vehicle_orders.hpp"

namespace idlewatt::cli {
namespace {

using Json = nlohmann::ordered_json;

class AdminCommands : public testing::Test {
protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "idlewatt-admin-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        connection.party = Party::coordinator;
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    void answer(http::Server& to, const http::Request& request) {
        const auto reply = [&](int status, const std::string& body) {
            to.respond(request.id, {status, {{"content-type", "application/json"}}, body});
        };
        core::ApiKey key;
        key.id = core::KeyId("k1");
        key.label = "anna";
        if (request.headers.find("authorization")->second == "Bearer customer") {
            reply(403, R"({"error":{"message":"Use an operator's key.",)"
                       R"("code":"insufficient_permissions"}})");
        } else if (request.headers.find("authorization")->second != "Bearer secret") {
            reply(401, R"({"error":{"message":"No.","code":"invalid_api_key"}})");
        } else if (request.target == "/api/v1/keys" && request.method == "POST") {
            reply(201, wire::key_created_body({key, "iw-the-secret"}));
        } else if (request.target == "/api/v1/keys") {
            reply(200, wire::keys_body({key}));
        } else if (request.target == "/api/v1/keys/k1" && request.method == "DELETE") {
            key.revoked_at = base::WallTime{1'000'000};
            reply(200, wire::key_body(key));
        } else if (request.target == "/api/v1/models" && request.method == "GET") {
            wire::RegisteredModel row;
            row.model.name = "tiny";
            row.model.sha256 = std::string(64, 'a');
            row.model.bytes = 1;
            row.model.context_tokens = 8192;
            reply(200, wire::registered_models_body({row}));
        } else if (request.target == "/api/v1/keys/anna") {
            reply(404, R"({"error":{"message":"None.","code":"not_found","param":"id"}})");
        } else if (request.target == "/api/v1/enrolments" && request.method == "POST") {
            wire::EnrolmentCreated created;
            created.enrolment.id = "e1";
            created.token = "iwt-token";
            reply(201, wire::enrolment_created_body(created));
        } else if (request.target == "/api/v1/vehicles/car-1/pause") {
            wire::EnrolledVehicle row;
            row.id = core::VehicleId("car-1");
            row.paused = true;
            reply(200, wire::enrolled_vehicle_body(row));
        } else {
            reply(404, R"({"error":{"message":"There is none.","code":"vehicle_not_found"}})");
        }
    }

    FakeGateway server{
        [this](http::Server& to, const http::Request& request) { answer(to, request); }};
    Connection connection = server.connection();
    std::string folder;
    std::ostringstream out, err;
};

TEST_F(AdminCommands, a_secret_is_printed_once_or_written_for_its_owner) {
    ASSERT_EQ(key_create(connection, {.label = "anna"}, {}, {out, err}), ExitCode::ok);
    EXPECT_EQ(out.str(), "iw-the-secret\n");
    EXPECT_EQ(err.str().find("iw-the-secret"), std::string::npos);
    EXPECT_NE(err.str().find("whoever gets the key: export IDLEWATT_API_KEY=…"), std::string::npos);
    out.str("");
    const std::string file = folder + "/anna.key";
    std::ofstream(file + ".new") << "left by a run that was killed, and open to all";
    ASSERT_EQ(key_create(connection, {}, {file}, {out, err, true}), ExitCode::ok);
    EXPECT_EQ(*read_file(file), "iw-the-secret\n");
    struct stat status {};
    ASSERT_EQ(stat(file.c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0600U);
    EXPECT_EQ(out.str().find("iw-the-secret"), std::string::npos);
    EXPECT_EQ(Json::parse(out.str())["id"], "k1");
}

TEST_F(AdminCommands, no_file_is_overwritten_unasked) {
    const std::string file = folder + "/anna.key";
    ASSERT_TRUE(write_secret(file, "mine"));
    EXPECT_EQ(key_create(connection, {}, {file}, {out, err}), ExitCode::usage);
    EXPECT_EQ(token_create(connection, {}, {file}, {out, err}), ExitCode::usage);
    EXPECT_NE(err.str().find("--force"), std::string::npos) << err.str();
    EXPECT_TRUE(server.requests().empty()) << "a key was made that nobody has";
    EXPECT_EQ(model_make_random(file, {}, 1, false, out, err), ExitCode::usage);
    EXPECT_EQ(*read_file(file), "mine");
    EXPECT_EQ(key_create(connection, {}, {file, true}, {out, err}), ExitCode::ok);
    EXPECT_EQ(*read_file(file), "iw-the-secret\n");
}

TEST_F(AdminCommands, tell_a_wrong_key_from_a_wrong_role) {
    connection.api_key = "customer";
    EXPECT_EQ(key_ls(connection, {out, err}), ExitCode::denied);
    EXPECT_NE(err.str().find("Use an operator's key"), std::string::npos) << err.str();
    EXPECT_NE(err.str().find("knows this key"), std::string::npos) << err.str();
    EXPECT_EQ(err.str().find("Set IDLEWATT_API_KEY"), std::string::npos) << err.str();
}

TEST_F(AdminCommands, a_label_is_no_id) {
    EXPECT_EQ(key_revoke(connection, "anna", {out, err}), ExitCode::not_found);
    EXPECT_NE(err.str().find("idlewatt key ls"), std::string::npos) << err.str();
}

TEST_F(AdminCommands, models_show_what_they_could_and_what_they_get) {
    ASSERT_EQ(model_ls(connection, {{"tiny", 2048}}, {out, err}), ExitCode::ok);
    EXPECT_NE(out.str().find("8192     2048"), std::string::npos) << out.str();
    out.str("");
    ASSERT_EQ(model_ls(connection, {}, {out, err}), ExitCode::ok);
    EXPECT_NE(out.str().find("8192     -"), std::string::npos) << out.str();
}

TEST_F(AdminCommands, a_taken_name_is_told_before_anything_is_sent) {
    const std::string file = folder + "/tiny.gguf";
    const engine::RandomModelShape small{
        .layers = 1, .width = 64, .heads = 4, .key_value_heads = 2, .feed_forward = 96, .name = ""};
    ASSERT_EQ(model_make_random(file, small, 1, false, out, err), ExitCode::ok);
    EXPECT_EQ(model_add(connection, file, "", 1, {out, err}), ExitCode::usage);
    EXPECT_NE(err.str().find("--name"), std::string::npos) << err.str();
    for (const http::Request& request : server.requests())
        EXPECT_EQ(request.method, "GET") << request.target;
}

TEST_F(AdminCommands, a_model_is_not_taken_from_a_customer) {
    const std::string file = folder + "/tiny.gguf";
    const engine::RandomModelShape small{
        .layers = 1, .width = 64, .heads = 4, .key_value_heads = 2, .feed_forward = 96, .name = ""};
    ASSERT_EQ(model_make_random(file, small, 1, false, out, err), ExitCode::ok);
    connection.api_key = "customer";
    EXPECT_EQ(model_add(connection, file, "", 1, {out, err}), ExitCode::denied);
    EXPECT_NE(err.str().find("Use an operator's key"), std::string::npos) << err.str();
    EXPECT_NE(err.str().find("idlewatt key create --role"), std::string::npos) << err.str();
    EXPECT_EQ(server.requests().size(), 1U);
}

TEST_F(AdminCommands, lists_are_for_people_and_for_programs) {
    ASSERT_EQ(key_ls(connection, {out, err}), ExitCode::ok);
    EXPECT_NE(out.str().find("k1   customer"), std::string::npos) << out.str();
    out.str("");
    ASSERT_EQ(key_ls(connection, {out, err, true}), ExitCode::ok);
    EXPECT_FALSE(Json::parse(out.str(), nullptr, false).is_discarded());
    ASSERT_EQ(key_revoke(connection, "k1", {out, err}), ExitCode::ok);
    EXPECT_EQ(server.requests().back().method, "DELETE");
}

TEST_F(AdminCommands, orders_and_tokens) {
    EXPECT_EQ(vehicle_order(connection, "car-1", VehicleOrder::pause, {out, err}), ExitCode::ok);
    EXPECT_NE(err.str().find("it is paused"), std::string::npos);
    EXPECT_EQ(vehicle_order(connection, "car-2", VehicleOrder::pause, {out, err}),
              ExitCode::not_found);
    EXPECT_EQ(vehicle_order(connection, "../x", VehicleOrder::pause, {out, err}), ExitCode::usage);
    ASSERT_EQ(token_create(connection, {}, {}, {out, err}), ExitCode::ok);
    EXPECT_EQ(out.str(), "iwt-token\n");
    for (const char* step : {"mkdir -m 700 car\n", " --token-file FILE --state car\n",
                             "idlewatt-agent --state car --script "})
        EXPECT_NE(err.str().find(step), std::string::npos) << err.str();
    connection.api_key = "wrong";
    EXPECT_EQ(token_create(connection, {}, {}, {out, err}), ExitCode::denied);
}

// A coordinator that takes a file in parts and breaks off again and again.
TEST(ModelUpload, goes_on_where_it_was_cut) {
    std::string folder = std::filesystem::temp_directory_path() / "idlewatt-upload-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const std::string path = folder + "/blob";
    std::string bytes;
    for (int i = 0; bytes.size() < 3'000'000; ++i)
        bytes += "line " + std::to_string(i) + "\n";
    std::ofstream(path, std::ios::binary) << bytes;
    core::Model model;
    model.name = "m";
    model.bytes = bytes.size();
    model.sha256 = blobs::sha256_of(bytes);
    std::string have;
    int cuts = 0;
    FakeGateway server([&](http::Server& to, const http::Request& request) {
        const http::Headers headers{{"upload-offset", std::to_string(have.size())}};
        if (request.method == "HEAD")
            return to.respond(request.id, {have.size() == bytes.size() ? 200 : 404, headers, ""});
        const std::string expected = "bytes " + std::to_string(have.size()) + "-" +
                                     std::to_string(bytes.size() - 1) + "/" +
                                     std::to_string(bytes.size());
        if (request.headers.find("content-range")->second != expected)
            return to.respond(request.id, {409, headers, ""});
        if (cuts < 3) {
            // A part of it has arrived when the connection breaks.
            have += request.body.substr(0, request.body.size() / 2);
            ++cuts;
            return to.abort(request.id);
        }
        have += request.body;
        to.respond(request.id, {201, {}, ""});
    });
    std::ostringstream err;
    base::AsioLoop loop;
    Progress progress(err, ProgressStyle::plain, "send m", model.bytes);
    const auto sent = upload_blob(loop, server.connection(), path, model, progress);
    ASSERT_TRUE(sent) << sent.error().message;
    EXPECT_EQ(have, bytes);
    EXPECT_EQ(cuts, 3);
    EXPECT_NE(err.str().find("send m: 3.0 MB in"), std::string::npos) << err.str();
    std::filesystem::remove_all(folder);
}

TEST(ModelUpload, a_refusal_is_final) {
    const std::string path = std::filesystem::temp_directory_path() / "idlewatt-refused";
    std::ofstream(path) << "bytes";
    FakeGateway server([](http::Server& to, const http::Request& request) {
        to.respond(request.id, {request.method == "HEAD" ? 404 : 422, {}, ""});
    });
    core::Model model;
    model.bytes = 5;
    model.sha256 = blobs::sha256_of("bytes");
    std::ostringstream err;
    base::AsioLoop loop;
    Progress progress(err, ProgressStyle::none, "send", model.bytes);
    EXPECT_FALSE(upload_blob(loop, server.connection(), path, model, progress));
    EXPECT_EQ(server.requests().size(), 2U);
    EXPECT_EQ(err.str(), "");
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace idlewatt::cli
