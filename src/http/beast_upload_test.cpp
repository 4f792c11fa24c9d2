// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Claimed bodies of clients without manners.
#include <gtest/gtest.h>

#include "http/beast_fixture_test.hpp"

namespace idlewatt::http {
namespace {

class BeastUploadTest : public BeastServerTest {
protected:
    void start_uploads(const ListenOptions& options = {}) {
        start(options);
        Handler handler;
        handler.on_request = [this](Request r) { requests_.push_back(std::move(r)); };
        handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
        handler.body_bytes_allowed = [](const Request&) { return std::uint64_t{1000}; };
        handler.on_body = [this](RequestId id, const std::string& part) {
            uploaded_ += part;
            if (consumes_) {
                server_->consume_body(id, part.size());
            }
        };
        handler.on_body_end = [this](RequestId id) { server_->respond(id, {200, {}, uploaded_}); };
        server_->set_handler(std::move(handler));
    }

    std::string uploaded_;
    bool consumes_ = true;
};

TEST_F(BeastUploadTest, ByteByByteAndInChunksWithAnotherRequestBehind) {
    start_uploads();
    RawClient raw = client();
    const std::string bytes =
        "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n7;x=y\r\n, "
        "world\r\n0\r\n"
        "trailer: no\r\n\r\nPUT / HTTP/1.1\r\ncontent-length: 3\r\n\r\nbye";
    for (const char c : bytes) {
        send_all(raw, {&c, 1});
        loop_.run_for(base::microseconds(200));
    }
    run_until([&] { return has(raw.received(), "hello, worldbye"); });
    EXPECT_EQ(requests_.size(), 2U);
    EXPECT_TRUE(gone_.empty());
}

TEST_F(BeastUploadTest, ExpectationIsAnsweredWhenTheHandlerWantsTheBody) {
    start_uploads();
    RawClient raw = client();
    raw.send("PUT / HTTP/1.1\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\n");
    run_until([&] { return has(raw.received(), "100 Continue"); });
    EXPECT_EQ(requests_.size(), 1U);
    raw.send("abc");
    run_until([&] { return raw.received().ends_with("\r\n\r\nabc"); });
}

TEST_F(BeastUploadTest, WhatIsWrongInTheBodyIsToldToBothSides) {
    ListenOptions options;
    options.read = base::milliseconds(100);
    start_uploads(options);
    const std::string chunked = "PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n";
    const std::pair<std::string, std::string> cases[] = {
        {chunked + "5\r\nhello\r\nzz\r\n", "400"},
        {chunked + "3e8\r\n" + std::string(1000, 'x') + "\r\n1\r\n", "413"},
        {chunked + "5\r\nhel", "408"},
    };
    for (const auto& [bytes, status] : cases) {
        gone_.clear();
        EXPECT_TRUE(verdict(bytes).starts_with("HTTP/1.1 " + status)) << status;
        EXPECT_EQ(gone_, std::vector<RequestId>{requests_.back().id});
    }
    // Known beforehand: the handler never hears of it.
    gone_.clear();
    const std::size_t before = requests_.size();
    EXPECT_TRUE(
        verdict("PUT / HTTP/1.1\r\ncontent-length: 1001\r\n\r\n").starts_with("HTTP/1.1 413"));
    EXPECT_EQ(requests_.size(), before);
    EXPECT_TRUE(gone_.empty());
}

// Such a client would hold its place, here and at the next server, for days.
TEST_F(BeastUploadTest, AByteNowAndThenIsNoProgress) {
    ListenOptions options;
    options.read = base::milliseconds(300);
    start_uploads(options);
    RawClient raw = client();
    raw.send("PUT / HTTP/1.1\r\ncontent-length: 900\r\n\r\n");
    run_until([&] {
        raw.send("x");
        // Slow enough for a quick machine: all of them would take seconds.
        loop_.run_for(base::milliseconds(5));
        return has(raw.received(), "\r\n\r\n{");
    });
    EXPECT_TRUE(raw.received().starts_with("HTTP/1.1 408")) << raw.received();
    EXPECT_TRUE(has(raw.received(), R"("code":"request_timeout")")) << raw.received();
    EXPECT_TRUE(has(raw.received(), "64 KiB")) << raw.received();
    EXPECT_LT(uploaded_.size(), 900U);
    EXPECT_EQ(gone_, std::vector<RequestId>{requests_.back().id});
}

TEST_F(BeastUploadTest, ALargeUploadMayTakeLongerThanOneTime) {
    ListenOptions options;
    options.read = base::seconds(1);
    start(options);
    std::size_t taken = 0;
    bool whole = false;
    Handler handler;
    handler.on_request = [this](Request r) { requests_.push_back(std::move(r)); };
    handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
    handler.body_bytes_allowed = [](const Request&) { return std::uint64_t{10} << 20; };
    handler.on_body = [&](RequestId id, const std::string& part) {
        taken += part.size();
        server_->consume_body(id, part.size());
    };
    handler.on_body_end = [&](RequestId) { whole = true; };
    server_->set_handler(std::move(handler));
    RawClient raw = client();
    constexpr std::size_t parts = 8;
    raw.send("PUT / HTTP/1.1\r\ncontent-length: " + std::to_string(parts * body_pace_bytes) +
             "\r\n\r\n");
    const std::string part(body_pace_bytes, 'x');
    for (std::size_t i = 1; i <= parts; ++i) {
        send_all(raw, part);
        run_until([&] { return taken == i * body_pace_bytes; });
        loop_.run_for(base::milliseconds(150));
    }
    run_until([&] { return whole; });
    EXPECT_TRUE(gone_.empty());
}

TEST_F(BeastUploadTest, ASlowHandlerIsNotASlowClient) {
    ListenOptions options;
    options.read = base::milliseconds(50);
    start(options);
    std::size_t outstanding = 0;
    bool whole = false;
    Handler handler;
    handler.on_request = [this](Request r) { requests_.push_back(std::move(r)); };
    handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
    handler.body_bytes_allowed = [](const Request&) { return std::uint64_t{3} << 20; };
    handler.on_body = [&](RequestId, const std::string& part) { outstanding += part.size(); };
    handler.on_body_end = [&](RequestId) { whole = true; };
    server_->set_handler(std::move(handler));
    RawClient raw = client();
    raw.send("PUT / HTTP/1.1\r\ncontent-length: 2000000\r\n\r\n");
    std::string body(2'000'000, 'x');
    std::string_view rest = body;
    run_until([&] {
        rest.remove_prefix(raw.send(rest));
        return outstanding == body_window_bytes;
    });
    loop_.run_for(base::milliseconds(300));
    EXPECT_TRUE(gone_.empty());
    server_->consume_body(requests_[0].id, outstanding);
    send_all(raw, rest);
    run_until([&] { return whole; });
    EXPECT_TRUE(gone_.empty());
}

}  // namespace
}  // namespace idlewatt::http
