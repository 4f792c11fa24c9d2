// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Models: registered, uploaded with breaks, told to cars, fetched by them, removed.
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "base/asio_loop.hpp"
#include "blobs/folder_blobs.hpp"
#include "coordinator/coordinator_fixture_test.hpp"
#include "engine/random_model.hpp"

namespace idlewatt::coordinator {
namespace {

class ModelsTest : public OfficeTest {
protected:
    static core::Model model(const std::string& name, const std::string& bytes) {
        core::Model made;
        made.name = name;
        made.sha256 = identity::sha256_hex(bytes);
        made.bytes = bytes.size();
        made.architecture = "llama";
        made.quantization = "Q8_0";
        made.context_tokens = 2048;
        return made;
    }
    HttpAnswer add(const core::Model& one) {
        return call("POST", "/api/v1/models", wire::registered_model_body(one));
    }
    HttpAnswer put(const std::string& sha256, const std::string& whole, std::size_t from,
                   std::size_t count) {
        return call("PUT", "/blobs/sha256/" + sha256, whole.substr(from, count), operator_secret,
                    {{"content-range", "bytes " + std::to_string(from) + "-" +
                                           std::to_string(from + count - 1) + "/" +
                                           std::to_string(whole.size())}});
    }
    std::optional<core::Assignment> assignment(bus::Bus& car, const core::VehicleId& vehicle) {
        const auto answer =
            ask(car, test_subjects.assignment(vehicle),
                wire::encode(core::Capacity{std::uint64_t{8} << 30, std::uint64_t{8} << 30, {}}));
        if (!answer)
            return std::nullopt;
        return wire::decode_assignment(*answer).value();
    }
    std::vector<wire::RegisteredModel> list() {
        return wire::parse_registered_models(call("GET", "/api/v1/models").body).value();
    }

    std::string bytes = std::string(700'000, 'm') + "odel";
};

TEST_F(ModelsTest, AModelIsUploadedInPartsWithBreaks) {
    const core::Model tiny = model("tiny", bytes);
    EXPECT_EQ(add(tiny).status, 201);
    EXPECT_EQ(add(tiny).status, 200) << "the same again is no conflict";
    EXPECT_EQ(add(model("tiny", "other")).status, 409);
    EXPECT_FALSE(list().at(0).blob_present);

    const std::string path = "/blobs/sha256/" + tiny.sha256;
    const auto first = put(tiny.sha256, bytes, 0, 300'000);
    EXPECT_EQ(first.status, 202) << first.body;
    EXPECT_EQ(first.headers.at("upload-offset"), "300000");
    const auto wrong_place = put(tiny.sha256, bytes, 200'000, 1000);
    EXPECT_EQ(wrong_place.status, 409);
    EXPECT_EQ(wrong_place.headers.at("upload-offset"), "300000");
    const auto head = call("HEAD", path);
    EXPECT_EQ(head.status, 404);
    EXPECT_EQ(head.headers.at("upload-offset"), "300000");
    const auto rest = put(tiny.sha256, bytes, 300'000, bytes.size() - 300'000);
    EXPECT_EQ(rest.status, 201) << rest.body;
    EXPECT_TRUE(list().at(0).blob_present);
    EXPECT_EQ(put(tiny.sha256, bytes, 0, 10).status, 201) << "it is there already";
}

TEST_F(ModelsTest, BytesThatAreNotWhatTheirNameSaysAreRefused) {
    std::string flipped = bytes;
    flipped[1000] ^= 1;
    const std::string sha256 = identity::sha256_hex(bytes);
    const auto answer = put(sha256, flipped, 0, flipped.size());
    EXPECT_EQ(answer.status, 422);
    EXPECT_TRUE(wire::parse_error_body(answer.body));
    EXPECT_TRUE(shelf->files.empty() || !shelf->files.begin()->second.complete);
    EXPECT_EQ(put(sha256, bytes, 0, bytes.size()).status, 201);
}

// The body does not wait until the database has said who sends it.
TEST_F(ModelsTest, BytesThatArriveBeforeTheSenderIsKnownAreNotLost) {
    const auto boss = wire::parse_key_created(
        call("POST", "/api/v1/keys", wire::key_order_body({"o", core::KeyRole::fleet_operator}))
            .body);
    ASSERT_TRUE(boss);
    database->latency = base::milliseconds(200);
    const std::string path = "/blobs/sha256/" + identity::sha256_hex(bytes);
    EXPECT_EQ(call("PUT", path, bytes, "iw-made-up").status, 401);
    EXPECT_TRUE(shelf->files.empty());
    EXPECT_EQ(call("PUT", path, bytes, boss->secret).status, 201);
    const std::string large(5'000'000, 'l');
    EXPECT_EQ(
        call("PUT", "/blobs/sha256/" + identity::sha256_hex(large), large, boss->secret).status,
        201);
}

// The client's connection breaks; what has arrived stays, and the next try goes on behind it.
TEST_F(ModelsTest, AnUploadThatBreaksOffGoesOn) {
    const std::string large = std::string(3'000'000, 'l');
    const std::string sha256 = identity::sha256_hex(large);
    std::size_t there = 0;
    int breaks = 0;
    while (there < large.size() && breaks < 20) {
        const auto id =
            server.send("PUT", "/blobs/sha256/" + sha256,
                        {{"authorization", "Bearer " + operator_secret},
                         {"content-length", std::to_string(large.size() - there)},
                         {"content-range", "bytes " + std::to_string(there) + "-2999999/3000000"}},
                        large.substr(there),
                        {[](int, const http::Headers&) {}, [](std::string_view) {}, [](bool) {}});
        loop.run_for(base::microseconds(1 + 200 * breaks));
        server.hang_up(id);
        ++breaks;
        loop.run_for(base::seconds(1));
        const std::size_t before = there;
        there = blobs->progress(sha256).bytes;
        EXPECT_GE(there, before);
    }
    if (there < large.size()) {
        EXPECT_EQ(put(sha256, large, there, large.size() - there).status, 201) << breaks;
    }
    EXPECT_TRUE(blobs->find(sha256));
}

TEST_F(ModelsTest, OnlyOperatorsWriteAndStrangersDoNotRead) {
    const std::string sha256 = identity::sha256_hex(bytes);
    const std::string path = "/blobs/sha256/" + sha256;
    const auto car = enrolled("kiwi", 1);
    EXPECT_EQ(call("PUT", path, bytes, car.user_jwt).status, 401);
    EXPECT_EQ(call("PUT", path, bytes, "").status, 401);
    EXPECT_EQ(call("DELETE", path, "", car.user_jwt).status, 401);
    EXPECT_EQ(call("GET", path, "", "").status, 401);
    EXPECT_EQ(call("GET", path, "", "iw-made-up").status, 401);
    EXPECT_EQ(call("GET", path, "", car.user_jwt).status, 404) << "asked, and not there";
    for (const std::string scheme : {"bearer ", "BEARER "}) {
        EXPECT_EQ(call("GET", path, "", "", {{"authorization", scheme + operator_secret}}).status,
                  404);
    }
    EXPECT_EQ(call("GET", "/blobs/sha256/../../etc/passwd").status, 404);
    EXPECT_EQ(call("PUT", "/blobs/sha256/x", bytes).status, 400);
    EXPECT_TRUE(shelf->files.empty());
    loop.run_for(jwt_life_default + base::seconds(1));
    EXPECT_EQ(call("GET", path, "", car.user_jwt).status, 401) << "its JWT has ended";
}

TEST_F(ModelsTest, ACarIsToldWhatToHoldOnceItsBytesAreThere) {
    const auto car = enrolled("kiwi", 1);
    auto connection = hub.connect("kiwi", "kiwi/1");
    int poked = 0;
    connection->subscribe(test_subjects.assignment_order(car.vehicle),
                          [&](const auto&) { ++poked; });
    loop.run_for(base::seconds(1));
    const core::Model tiny = model("tiny", bytes);
    add(tiny);
    auto told = assignment(*connection, car.vehicle);
    ASSERT_TRUE(told);
    EXPECT_FALSE(told->model);
    loop.run_for(base::seconds(10));
    EXPECT_EQ(poked, 0);

    put(tiny.sha256, bytes, 0, bytes.size());
    ASSERT_TRUE(run_until([&] { return poked == 1; }));
    told = assignment(*connection, car.vehicle);
    ASSERT_TRUE(told && told->model);
    EXPECT_EQ(told->model->name, "tiny");
    EXPECT_EQ(told->blob_url, "https://office/blobs/sha256/" + tiny.sha256);
    EXPECT_EQ(told->version, 1U);
    EXPECT_EQ(list().at(0).vehicles_assigned, 1U);

    call("POST", "/api/v1/vehicles/kiwi/pause");
    ASSERT_TRUE(run_until([&] { return poked == 2; }));
    told = assignment(*connection, car.vehicle);
    EXPECT_TRUE(told->paused);
    EXPECT_TRUE(told->model) << "it holds the model, but takes no work";
    EXPECT_EQ(told->version, 2U);

    // A coordinator that comes back tells the same.
    close();
    open();
    EXPECT_EQ(assignment(*connection, car.vehicle), told);

    EXPECT_EQ(call("DELETE", "/api/v1/models/tiny").status, 200);
    EXPECT_EQ(call("DELETE", "/api/v1/models/tiny").status, 404);
    ASSERT_TRUE(run_until([&] { return poked == 3; }));
    told = assignment(*connection, car.vehicle);
    EXPECT_FALSE(told->model);
    EXPECT_EQ(told->version, 3U);
}

TEST_F(ModelsTest, ADatabaseThatIsAwayCostsCarsNothing) {
    const auto car = enrolled("kiwi", 1);
    auto connection = hub.connect("kiwi", "kiwi/1");
    const core::Model tiny = model("tiny", bytes);
    put(tiny.sha256, bytes, 0, bytes.size());
    add(tiny);
    assignment(*connection, car.vehicle);
    ASSERT_TRUE(run_until([&] { return assignment(*connection, car.vehicle)->model.has_value(); }));
    database->failing = true;
    loop.run_for(base::minutes(5));
    EXPECT_TRUE(assignment(*connection, car.vehicle)->model);
    EXPECT_EQ(add(model("other", "x")).status, 503);
    database->failing = false;
    EXPECT_EQ(add(model("other", "x")).status, 201);
}

TEST_F(ModelsTest, OfTwoThatComeAtOnceWithOneNameOneIsTaken) {
    std::vector<int> statuses;
    for (const char* which : {"one", "other", "one"}) {
        const std::string body = wire::registered_model_body(model("tiny", which));
        server.send("POST", "/api/v1/models",
                    {{"authorization", "Bearer " + operator_secret},
                     {"content-length", std::to_string(body.size())}},
                    body,
                    {[&](int status, const http::Headers&) { statuses.push_back(status); },
                     [](std::string_view) {}, [](bool) {}});
    }
    ASSERT_TRUE(run_until([&] { return statuses.size() == 3; }));
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 409), 1);
    EXPECT_EQ(list().at(0).model.sha256, model("tiny", "one").sha256);
    EXPECT_EQ(add(model("tiny", "other")).status, 409);
    call("DELETE", "/api/v1/models/tiny");
    EXPECT_EQ(add(model("tiny", "other")).status, 201) << "nothing is left of the first";
    database->failing = true;
    EXPECT_EQ(add(model("late", "one")).status, 503);
    database->failing = false;
    EXPECT_EQ(add(model("late", "other")).status, 201);
}

class BlobsOfAFolder : public testing::Test {
protected:
    void SetUp() override {
        std::string made = std::filesystem::temp_directory_path() / "idlewatt-office-XXXXXX";
        ASSERT_TRUE(::mkdtemp(made.data()));
        folder = made;
        auto opened = blobs::open_folder_blobs(loop, {folder + "/blobs"});
        ASSERT_TRUE(opened) << opened.error().message;
        blobs = std::move(*opened);
        Options options{"cell"};
        options.authority = test_authority();
        options.operator_key_sha256 = identity::sha256_hex(operator_secret);
        coordinator.emplace(Parts{loop, *bus, *store, &server, blobs.get()}, options);
        coordinator->start();
    }
    void TearDown() override {
        coordinator.reset();
        blobs.reset();
        std::filesystem::remove_all(folder);
    }

    HttpAnswer call(const std::string& method, const std::string& target, const std::string& body,
                    http::Headers headers) {
        HttpAnswer answer;
        bool ended = false;
        headers["authorization"] = "Bearer " + operator_secret;
        if (!body.empty())
            headers["content-length"] = std::to_string(body.size());
        server.send(
            method, target, std::move(headers), body,
            {[&](int status, const http::Headers& got) {
                 answer.status = status;
                 answer.headers = got;
             },
             [&](std::string_view bytes) { answer.body += bytes; }, [&](bool) { ended = true; }});
        for (int i = 0; i < 20'000 && !ended; ++i)
            loop.run_for(base::milliseconds(1));
        EXPECT_TRUE(ended);
        return answer;
    }

    std::string folder;
    base::AsioLoop loop;
    bus::MemoryHub hub{loop, 1};
    std::unique_ptr<bus::Bus> bus = hub.connect("C_coordinator", "C_coordinator");
    http::MemoryServer server{loop};
    std::unique_ptr<store::Store> store =
        store::open_memory_store(loop, std::make_shared<store::MemoryDatabase>());
    std::unique_ptr<blobs::Blobs> blobs;
    std::optional<Coordinator> coordinator;
};

// What was put is what is got, in whole and in part.
TEST_F(BlobsOfAFolder, AreServedWithRanges) {
    std::string bytes;
    for (int i = 0; i < 300'000; ++i)
        bytes += std::to_string(i);
    const std::string path = "/blobs/sha256/" + identity::sha256_hex(bytes);
    EXPECT_EQ(call("PUT", path, bytes, {}).status, 201);
    const auto whole = call("GET", path, "", {});
    EXPECT_EQ(whole.status, 200);
    EXPECT_TRUE(whole.body == bytes);
    const auto part = call("GET", path, "", {{"range", "bytes=1000000-"}});
    EXPECT_EQ(part.status, 206);
    EXPECT_TRUE(part.body == bytes.substr(1'000'000));
    EXPECT_EQ(call("DELETE", path, "", {}).status, 204);
    EXPECT_EQ(call("GET", path, "", {}).status, 404);
}

// Whoever sends it: cars would drop a good model for it.
TEST_F(BlobsOfAFolder, AreNoModelWhenTheyAreCutOff) {
    engine::RandomModelShape shape;
    shape.layers = 1;
    shape.width = 64;
    shape.heads = 2;
    shape.key_value_heads = 1;
    shape.feed_forward = 64;
    ASSERT_TRUE(engine::write_random_model(folder + "/model", shape, 1));
    std::ifstream file(folder + "/model", std::ios::binary);
    const std::string whole(std::istreambuf_iterator<char>(file), {});
    for (const std::string& sent : {whole.substr(0, whole.size() / 2), whole}) {
        core::Model model;
        model.name = "tiny";
        model.sha256 = identity::sha256_hex(sent);
        model.bytes = sent.size();
        model.architecture = "llama";
        ASSERT_EQ(call("PUT", "/blobs/sha256/" + model.sha256, sent, {}).status, 201);
        const auto added = call("POST", "/api/v1/models", wire::registered_model_body(model), {});
        const bool is_whole = sent.size() == whole.size();
        EXPECT_EQ(added.status, is_whole ? 201 : 400) << added.body;
        EXPECT_EQ(added.body.find("cut off") == std::string::npos, is_whole) << added.body;
    }
}

}  // namespace
}  // namespace idlewatt::coordinator
