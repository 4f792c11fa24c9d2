// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only the twin has: a client that does not read. And the harness that puts the twin under
// the conformance suite.
#include "http/memory_server.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "http/server_harness_test.hpp"

namespace idlewatt::http {

namespace {

ClientHandler watch(const std::shared_ptr<Seen>& seen) {
    ClientHandler handler;
    handler.on_head = [seen](int status, const Headers& headers) {
        EXPECT_EQ(seen->status, 0);
        seen->status = status;
        seen->headers = headers;
    };
    handler.on_body = [seen](std::string_view bytes) {
        EXPECT_NE(seen->status, 0);
        EXPECT_FALSE(seen->ended);
        seen->body += bytes;
    };
    handler.on_end = [seen](bool complete) {
        EXPECT_FALSE(seen->ended);
        seen->ended = true;
        seen->complete = complete;
    };
    return handler;
}

class MemoryHarness final : public Harness {
public:
    Server& server() override { return *server_; }
    void destroy_server() override { server_.reset(); }
    std::shared_ptr<Seen> send(std::string method, std::string target, Headers headers,
                               std::string body) override {
        auto seen = std::make_shared<Seen>();
        seen->number = static_cast<std::uint64_t>(
            server_->send(std::move(method), std::move(target), std::move(headers), std::move(body),
                          watch(seen)));
        return seen;
    }
    void hang_up(Seen& call) override { server_->hang_up(RequestId{call.number}); }
    bool run_until(const std::function<bool()>& condition) override {
        return loop_.run_while_not(condition, base::seconds(60));
    }

private:
    base::SimulatedLoop loop_;
    std::unique_ptr<MemoryServer> server_ = std::make_unique<MemoryServer>(loop_);
};

}  // namespace

std::unique_ptr<Harness> make_memory_harness() {
    return std::make_unique<MemoryHarness>();
}

namespace {

class MemoryServerTest : public testing::Test {
protected:
    void SetUp() override {
        Handler handler;
        handler.on_request = [this](const Request& request) { ids_.push_back(request.id); };
        handler.on_gone = [this](RequestId) { ++gone_; };
        handler.on_written = [this](RequestId, std::uint64_t bytes) { written_ = bytes; };
        server_.set_handler(std::move(handler));
    }

    void run() { loop_.run_for(base::seconds(1)); }

    base::SimulatedLoop loop_;
    MemoryServer server_{loop_};
    std::vector<RequestId> ids_;
    std::uint64_t written_ = 0;
    int gone_ = 0;
};

TEST_F(MemoryServerTest, NothingHappensInsideACall) {
    const auto seen = std::make_shared<Seen>();
    const RequestId id = server_.send("GET", "/", {}, "", watch(seen));
    EXPECT_TRUE(ids_.empty());
    run();
    ASSERT_EQ(ids_, std::vector<RequestId>{id});
    server_.respond(id, {});
    EXPECT_FALSE(seen->ended);
    run();
    EXPECT_TRUE(seen->complete);
}

TEST_F(MemoryServerTest, AClientThatDoesNotReadHoldsBytesAndCountBack) {
    const auto seen = std::make_shared<Seen>();
    const RequestId id = server_.send("GET", "/", {}, "", watch(seen));
    run();
    server_.begin(id, {200, {}, "head"});
    server_.write(id, "abc");
    run();
    EXPECT_EQ(seen->body, "headabc");
    EXPECT_EQ(written_, 7U);
    server_.set_reading(id, false);
    server_.write(id, "def");
    server_.end(id);
    run();
    EXPECT_EQ(seen->body, "headabc");
    EXPECT_EQ(written_, 7U);
    EXPECT_FALSE(seen->ended);
    server_.set_reading(id, true);
    run();
    EXPECT_EQ(seen->body, "headabcdef");
    EXPECT_EQ(written_, 10U);
    EXPECT_TRUE(seen->complete);
    EXPECT_EQ(gone_, 0);
}

TEST_F(MemoryServerTest, AHangUpBeforeTheRestOfAnEndedStreamIsReported) {
    const RequestId id = server_.send("GET", "/", {}, "", {});
    run();
    server_.set_reading(id, false);
    server_.begin(id, {});
    server_.write(id, "abc");
    server_.end(id);
    run();
    server_.hang_up(id);
    run();
    EXPECT_EQ(gone_, 1);
    EXPECT_EQ(written_, 0U);
}

TEST_F(MemoryServerTest, ARequestHungUpAtOnceIsNeverSeen) {
    const RequestId id = server_.send("GET", "/", {}, "", {});
    server_.hang_up(id);
    run();
    EXPECT_TRUE(ids_.empty());
    EXPECT_EQ(gone_, 0);
}

TEST_F(MemoryServerTest, WithoutAHandlerTheAnswerIs503) {
    MemoryServer bare(loop_);
    const auto seen = std::make_shared<Seen>();
    bare.send("GET", "/", {}, "", watch(seen));
    run();
    EXPECT_EQ(seen->status, 503);
    EXPECT_TRUE(seen->complete);
}

}  // namespace
}  // namespace idlewatt::http
