// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a gateway hands on, with a coordinator that does as the test says.
#include "gateway/forward_desk.hpp"

#include <optional>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "http/memory_server.hpp"

namespace idlewatt::gateway {
namespace {

// What the coordinator's side sees of one request, and how it answers.
struct Told {
    http::Request request;
    http::CallHandler handler;
    std::string body;
    bool ended = false;
    bool paused = false;
    bool hung_up = false;
};

class FakeForwarder final : public http::Forwarder {
public:
    std::unique_ptr<http::Exchange> forward(const http::Request& request,
                                            http::CallHandler handler) override {
        told.push_back(std::make_shared<Told>());
        told.back()->request = request;
        told.back()->handler = std::move(handler);
        return std::make_unique<FakeExchange>(told.back());
    }

    std::vector<std::shared_ptr<Told>> told;

private:
    class FakeExchange final : public http::Exchange {
    public:
        explicit FakeExchange(std::shared_ptr<Told> to) : to_(std::move(to)) {}
        ~FakeExchange() override { to_->hung_up = true; }
        void pause() override { to_->paused = true; }
        void resume() override { to_->paused = false; }
        void send(std::string bytes) override { to_->body += bytes; }
        void end_body() override { to_->ended = true; }

    private:
        std::shared_ptr<Told> to_;
    };
};

class ForwardDeskTest : public testing::Test {
protected:
    ForwardDeskTest() { listen(&forwarder); }

    void listen(http::Forwarder* to) {
        desk.emplace(server, to);
        http::Handler handler;
        handler.on_request = [this](const http::Request& request) {
            desk->forward(request, {{"x-request-id", "req_gateway"}, {"vary", "origin"}});
        };
        handler.on_gone = [this](http::RequestId id) { desk->on_gone(id); };
        handler.on_written = [this](http::RequestId id, std::uint64_t bytes) {
            desk->on_written(id, bytes);
        };
        handler.body_bytes_allowed = &ForwardDesk::body_bytes_allowed;
        handler.on_body = [this](http::RequestId id, std::string part) {
            desk->on_body(id, std::move(part));
        };
        handler.on_body_end = [this](http::RequestId id) { desk->on_body_end(id); };
        server.set_handler(std::move(handler));
    }

    http::RequestId ask(const std::string& method, const std::string& target,
                        const std::string& body = "") {
        status = 0;
        answer.clear();
        complete.reset();
        http::ClientHandler client;
        client.on_head = [this](int code, const http::Headers& theirs) {
            status = code;
            headers = theirs;
        };
        client.on_body = [this](std::string_view bytes) { answer += bytes; };
        client.on_end = [this](bool whole) { complete = whole; };
        const auto id = server.send(method, target, {{"authorization", "Bearer k"}}, body, client);
        loop.run_for(base::seconds(1));
        return id;
    }
    void settle() { loop.run_for(base::seconds(1)); }

    base::SimulatedLoop loop;
    http::MemoryServer server{loop};
    FakeForwarder forwarder;
    std::optional<ForwardDesk> desk;
    int status = 0;
    http::Headers headers;
    std::string answer;
    std::optional<bool> complete;
};

TEST_F(ForwardDeskTest, AQuestionGoesOnAndItsAnswerComesBack) {
    ask("POST", "/v1/batches?x=1", "{}");
    ASSERT_EQ(forwarder.told.size(), 1U);
    Told& told = *forwarder.told[0];
    EXPECT_EQ(told.request.target, "/v1/batches?x=1");
    EXPECT_EQ(told.request.body, "{}");
    EXPECT_EQ(told.request.headers["authorization"], "Bearer k");
    told.handler.on_head(400, {{"content-type", "application/json"},
                               {"content-length", "4"},
                               {"x-request-id", "req_coordinator"},
                               {"x-should-retry", "false"}});
    told.handler.on_body("nope");
    told.handler.on_end({});
    settle();
    EXPECT_EQ(status, 400);
    EXPECT_EQ(answer, "nope");
    EXPECT_EQ(complete, true);
    EXPECT_EQ(headers["x-request-id"], "req_coordinator");
    EXPECT_EQ(headers["x-should-retry"], "false");
    EXPECT_EQ(headers["vary"], "origin");
    EXPECT_EQ(headers["content-length"], "4");
    EXPECT_EQ(desk->under_way(), 0U);
}

TEST_F(ForwardDeskTest, AnUploadGoesOnAtTheCoordinatorsPace) {
    const std::string file(8 * 1024 * 1024, 'f');
    ask("POST", "/v1/files", file);
    Told& told = *forwarder.told.at(0);
    EXPECT_TRUE(told.request.body_follows);
    EXPECT_EQ(told.request.body, "");
    EXPECT_EQ(told.body.size(), http::body_window_bytes);
    settle();
    EXPECT_EQ(told.body.size(), http::body_window_bytes);
    while (!told.ended) {
        const std::size_t before = told.body.size();
        told.handler.on_sent(before);
        settle();
        ASSERT_GT(told.body.size(), before);
        ASSERT_LE(told.body.size(), before + http::body_window_bytes);
    }
    EXPECT_EQ(told.body, file);
    told.handler.on_head(200, {});
    told.handler.on_end({});
    settle();
    EXPECT_EQ(complete, true);
    EXPECT_EQ(headers["x-request-id"], "req_gateway");
}

TEST_F(ForwardDeskTest, ADownloadWaitsForAClientThatReadsNothing) {
    const auto id = ask("GET", "/v1/files/file-1/content");
    Told& told = *forwarder.told.at(0);
    server.set_reading(id, false);
    told.handler.on_head(206, {{"content-range", "bytes 0-9/10"}});
    std::size_t given = 0;
    for (; !told.paused; given += 100'000)
        told.handler.on_body(std::string(100'000, 'd'));
    EXPECT_LE(given, forward_window_bytes + 100'000);
    settle();
    EXPECT_TRUE(told.paused);
    server.set_reading(id, true);
    settle();
    EXPECT_FALSE(told.paused);
    told.handler.on_end({});
    settle();
    EXPECT_EQ(answer.size(), given);
    EXPECT_EQ(status, 206);
    EXPECT_EQ(headers["content-range"], "bytes 0-9/10");
}

TEST_F(ForwardDeskTest, AClientThatTakesNothingMoreGivesItsPlaceUp) {
    const auto pass = [this](base::Duration span) {
        for (base::Duration waited; waited < span; waited = waited + base::seconds(1)) {
            settle();
            desk->look(loop.now());
        }
    };
    const auto id = ask("GET", "/v1/files/file-1/content");
    Told& told = *forwarder.told.at(0);
    told.handler.on_head(200, {});
    // A coordinator that takes its time is not the client's fault.
    told.handler.on_body("first");
    pass(forward_stall_max * 2);
    for (int i = 0; i < 3; ++i) {
        server.set_reading(id, false);
        told.handler.on_body("more");
        pass(forward_stall_max - base::seconds(5));
        server.set_reading(id, true);
        pass(base::seconds(2));
    }
    EXPECT_EQ(desk->under_way(), 1U);
    server.set_reading(id, false);
    while (!told.paused)
        told.handler.on_body(std::string(100'000, 'd'));
    pass(forward_stall_max + base::seconds(5));
    EXPECT_EQ(desk->under_way(), 0U);
    EXPECT_TRUE(told.hung_up);
    server.set_reading(id, true);
    settle();
    EXPECT_EQ(complete, false);
}

TEST_F(ForwardDeskTest, ACoordinatorThatIsAwayIsSaidSo) {
    ask("GET", "/v1/batches");
    forwarder.told.at(0)->handler.on_end(base::fail(base::ErrorKind::unavailable, "refused"));
    settle();
    EXPECT_EQ(status, 503);
    EXPECT_EQ(headers["retry-after"], std::to_string(retry_after_away_s));
    EXPECT_EQ(headers["x-request-id"], "req_gateway");
    const auto error = wire::parse_error_body(answer);
    ASSERT_TRUE(error);
    EXPECT_EQ(error->code, "store_unavailable");
    EXPECT_TRUE(forwarder.told[0]->hung_up);
    listen(nullptr);
    ask("GET", "/v1/files");
    EXPECT_EQ(status, 503);
    EXPECT_NE(answer.find("--coordinator"), std::string::npos);
    EXPECT_TRUE(headers.contains("retry-after"));
}

TEST_F(ForwardDeskTest, AnAnswerThatBreaksOffIsBrokenForTheClientToo) {
    ask("GET", "/v1/files/file-1/content");
    Told& told = *forwarder.told.at(0);
    told.handler.on_head(200, {{"content-length", "10"}});
    told.handler.on_body("01234");
    told.handler.on_end(base::fail(base::ErrorKind::unavailable, "broke off"));
    settle();
    EXPECT_EQ(answer, "01234");
    EXPECT_EQ(complete, false);
}

TEST_F(ForwardDeskTest, AClientThatLeavesIsHungUpForTheCoordinatorToo) {
    const auto id = ask("GET", "/v1/batches");
    server.hang_up(id);
    settle();
    EXPECT_TRUE(forwarder.told.at(0)->hung_up);
    EXPECT_EQ(desk->under_way(), 0U);
}

TEST_F(ForwardDeskTest, TooManyAreSentAway) {
    for (std::size_t i = 0; i < forwards_max; ++i)
        ask("GET", "/v1/batches");
    EXPECT_EQ(desk->under_way(), forwards_max);
    ask("GET", "/v1/batches");
    EXPECT_EQ(status, 503);
    EXPECT_EQ(forwarder.told.size(), forwards_max);
}

}  // namespace
}  // namespace idlewatt::gateway
