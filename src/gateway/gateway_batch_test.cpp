// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Lines of batches at the gateway's door, and what it hands on to the coordinator.
#include "gateway/gateway_fixture_test.hpp"

namespace idlewatt::gateway {
namespace {

class GatewayBatchTest : public GatewayCoreTest {
protected:
    static http::RequestId line_id(std::uint64_t number) {
        return http::RequestId{static_cast<std::uint64_t>(batch_requests_begin) + number};
    }
    Effects line(std::uint64_t number, const std::string& body = ask_whole,
                 const std::string& key = "") {
        return feed(BatchAsked{line_id(number), core::KeyId(key), core::Task::chat, body});
    }
    static core::KeyBook book(core::ApiKey key) {
        key.id = core::KeyId("k");
        key.secret_sha256 = std::string(64, 'a');
        core::KeyBook made;
        made.version = 1;
        made.issued_at = base::WallTime{1'790'000'000'000'000};
        made.keys = {key};
        return made;
    }
};

TEST_F(GatewayBatchTest, ALineIsAnsweredLikeAClientsQuestionAndRecorded) {
    announce("car");
    const Tell open = opened(line(1));
    EXPECT_EQ(work_of(open).model, "m");
    (void)piece(open, 1, "hello");
    const Effects effects = say(open, core::Numbered{2, core::Finished{}});
    const auto responses = all<Respond>(effects);
    ASSERT_EQ(responses.size(), 1U);
    EXPECT_EQ(responses[0].request, line_id(1));
    EXPECT_EQ(responses[0].response.status, 200);
    EXPECT_TRUE(responses[0].response.headers.contains("x-request-id"));
    EXPECT_NE(responses[0].response.body.find("hello"), std::string::npos);
    const auto records = all<Record>(effects);
    ASSERT_EQ(records.size(), 1U);
    EXPECT_EQ(records[0].delivery.delivered_tokens, 1U);
}

TEST_F(GatewayBatchTest, ALineIsNeverStreamed) {
    announce("car");
    const Tell open = opened(line(1, ask_streamed));
    (void)piece(open, 1, "hello");
    const Effects effects = say(open, core::Numbered{2, core::Finished{}});
    EXPECT_TRUE(all<BeginResponse>(effects).empty());
    EXPECT_EQ(all<Respond>(effects).size(), 1U);
}

TEST_F(GatewayBatchTest, WithoutAFreeCarALineIsPutOffAndNothingOfItStays) {
    EXPECT_EQ(all<BatchDeferred>(line(1)).size(), 1U) << "nobody is there";
    slots = 1;
    announce("car");
    const Tell open = opened(ask(1));
    const Effects effects = line(2);
    ASSERT_EQ(all<BatchDeferred>(effects).size(), 1U);
    EXPECT_EQ(all<BatchDeferred>(effects)[0].request, line_id(2));
    EXPECT_TRUE(all<Respond>(effects).empty());
    (void)say(open, core::Numbered{1, core::Finished{}});
    (void)all_written(1);
    announce("car");
    EXPECT_EQ(all_opened(line(2)).size(), 1U);
}

TEST_F(GatewayBatchTest, ClientsComeFirstInTheQueue) {
    slots = 1;
    announce("car");
    announce("other");
    const Tell of_line = opened(line(1));
    const Tell of_client = opened(ask(1));
    // Both are in use: a client waits, and so does a line that has lost its car.
    EXPECT_TRUE(all_opened(ask(2)).empty());
    EXPECT_TRUE(core.room().clients_wait);
    (void)say(of_line, core::Numbered{1, core::Yielded{core::Reason::occupied}});
    now = now + base::seconds(2);
    (void)say(of_client, core::Numbered{1, core::Finished{}});
    const Effects effects = announce(of_client.vehicle.value);
    std::vector<Tell> opens = all_opened(everything);
    ASSERT_GE(opens.size(), 3U);
    EXPECT_EQ(core.room().clients_wait, false);
    EXPECT_EQ(core.room().clients_served, 1U);
    (void)effects;
}

TEST_F(GatewayBatchTest, ALineYieldsItsCarToAClientThatWaits) {
    slots = 1;
    fleets["car"] = "ours";
    announce("car");
    const Tell older = opened(line(1));
    announce("other");
    const Tell younger = opened(line(2));
    EXPECT_TRUE(all_opened(ask(1)).empty());
    const Effects effects = pass(base::milliseconds(700), {"car", "other"});
    const auto deferred = all<BatchDeferred>(effects);
    ASSERT_EQ(deferred.size(), 1U) << "one for one client";
    EXPECT_EQ(deferred[0].request, line_id(2));
    EXPECT_TRUE(deferred[0].begun);
    std::vector<Tell> opens = all_opened(effects);  // said again while nobody answers
    std::erase_if(opens, [&](const Tell& open) {
        return open.attempt == older.attempt || open.attempt == younger.attempt;
    });
    ASSERT_FALSE(opens.empty());
    EXPECT_EQ(opens[0].vehicle, younger.vehicle);
    EXPECT_FALSE(core.room().clients_wait);
    // The older one goes on.
    (void)piece(older, 1, "hello");
    EXPECT_EQ(all<Respond>(say(older, core::Numbered{2, core::Finished{}})).size(), 1U);
}

TEST_F(GatewayBatchTest, WaitingLinesDoNotCrowdOutClients) {
    slots = 1;
    announce("car");
    const Tell open =
        opened(line(1, R"({"model":"m","n":8,"messages":[{"role":"user","content":"q"}]})"));
    (void)open;
    EXPECT_FALSE(core.room().clients_wait);
    // Seven choices of the line wait; the client is the first in the queue.
    EXPECT_TRUE(all<Respond>(ask(1)).empty());
    EXPECT_TRUE(core.room().clients_wait);
}

TEST_F(GatewayBatchTest, LimitsOfTheKeyAreForClientsAndItsDataClassIsForAll) {
    GatewayConfig config;
    config.uses_key_book = true;
    begin_with(config);
    core::ApiKey key;
    key.limits.requests_per_minute = 1;
    key.data_class = core::DataClass::own_fleet;
    key.fleet = "ours";
    feed(KeyBookChanged{book(key)});
    fleets["ours-1"] = "ours";
    slots = 8;
    announce("ours-1");
    announce("stranger");
    for (std::uint64_t i = 1; i <= 8; ++i)
        EXPECT_EQ(opened(line(i, ask_whole, "k")).vehicle, core::VehicleId("ours-1"));
    EXPECT_EQ(all<BatchDeferred>(line(9, ask_whole, "k")).size(), 1U);
}

TEST_F(GatewayBatchTest, AKeyThatIsGoneIsAnErrorAndOneThatIsNewIsWaitedFor) {
    GatewayConfig config;
    config.api_key = "secret";
    config.uses_key_book = true;
    begin_with(config);
    announce("car");
    EXPECT_EQ(opened(line(1, ask_whole, std::string(static_key_id))).vehicle,
              core::VehicleId("car"));
    EXPECT_EQ(all<BatchDeferred>(line(2, ask_whole, "k")).size(), 1U);
    core::ApiKey key;
    key.revoked_at = base::WallTime{1};
    feed(KeyBookChanged{book(key)});
    EXPECT_EQ(answer(line(3, ask_whole, "k")).status, 401);
    EXPECT_EQ(all<BatchDeferred>(line(4, ask_whole, "younger")).size(), 1U);
    EXPECT_EQ(all<Respond>(everything).size(), 1U) << "only what is revoked is settled";
}

// An error would be the line's result for ever.
TEST_F(GatewayBatchTest, WhoIsHereNowDecidesNoLine) {
    GatewayConfig config;
    config.uses_key_book = true;
    begin_with(config);
    core::ApiKey key;
    key.data_class = core::DataClass::own_fleet;
    key.fleet = "ours";
    core::KeyBook both = book(key);
    core::ApiKey any;
    any.id = core::KeyId("any");
    any.secret_sha256 = std::string(64, 'b');
    both.keys.push_back(any);
    feed(KeyBookChanged{both});
    announce("car");
    const std::string other = R"({"model":"later","messages":[{"role":"user","content":"q"}]})";
    const BatchAsked vectors{line_id(3), any.id, core::Task::embedding,
                             R"({"model":"m","input":"x"})"};
    everything.clear();
    EXPECT_EQ(all<BatchDeferred>(line(1, other, "any")).size(), 1U) << "no car has it yet";
    EXPECT_EQ(all<BatchDeferred>(line(2, ask_whole, "k")).size(), 1U) << "no car of the fleet";
    EXPECT_EQ(all<BatchDeferred>(feed(vectors)).size(), 1U) << "no car makes vectors";
    EXPECT_TRUE(all<Respond>(everything).empty());
    fleets["ours-1"] = "ours";
    announce("ours-1");
    EXPECT_EQ(opened(line(4, ask_whole, "k")).vehicle, core::VehicleId("ours-1"));
    able.embeddings = true;
    announce("able");
    EXPECT_EQ(opened(feed(vectors)).vehicle, core::VehicleId("able"));
    // What no car could change is said.
    EXPECT_EQ(answer(line(5, "{}", "any")).status, 400);
}

TEST_F(GatewayBatchTest, AStoppedLineFreesItsCar) {
    announce("car");
    const Tell open = opened(line(1));
    const Effects effects = feed(ClientGone{line_id(1)});
    EXPECT_EQ(told<core::Cancel>(effects).size(), 1U);
    EXPECT_TRUE(all<Respond>(effects).empty());
    (void)open;
}

TEST_F(GatewayBatchTest, FilesAndBatchesAreHandedOnForThoseWhoMay) {
    GatewayConfig config;
    config.api_key = "secret";
    begin_with(config);
    for (const char* target : {"/v1/files", "/v1/files?limit=1", "/v1/files/file-1/content",
                               "/v1/batches/", "/v1/batches/batch_1/cancel"}) {
        const Effects effects = send(1, "GET", target, {{"authorization", "Bearer secret"}});
        const auto handed = all<Forward>(effects);
        ASSERT_EQ(handed.size(), 1U) << target;
        EXPECT_EQ(handed[0].request.target, target);
        EXPECT_TRUE(handed[0].headers.contains("x-request-id"));
        EXPECT_TRUE(all<Respond>(effects).empty());
        EXPECT_EQ(answer(send(2, "GET", target)).status, 401);
    }
    for (const char* target : {"/v1/filesystem", "/v1/batches2"}) {
        EXPECT_EQ(answer(send(3, "GET", target, {{"authorization", "Bearer secret"}})).status, 404);
    }
}

}  // namespace
}  // namespace idlewatt::gateway
