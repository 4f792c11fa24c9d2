// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Request bodies that are given piece by piece, and requests that are handed on.
#include <gtest/gtest.h>

#include "http/beast_fixture_test.hpp"
#include "http/call_forwarder.hpp"
#include "http/client.hpp"

namespace idlewatt::http {
namespace {

class ClientStreamTest : public BeastServerTest {
protected:
    // A server that claims every body and consumes it when it is told to.
    void start_claiming(std::uint64_t most = std::uint64_t{1} << 30) {
        start();
        Handler handler;
        handler.on_request = [this](Request request) { requests_.push_back(std::move(request)); };
        handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
        handler.on_written = [](RequestId, std::uint64_t) {};
        handler.body_bytes_allowed = [most](const Request&) { return most; };
        handler.on_body = [this](RequestId id, const std::string& part) {
            body_ += part;
            if (consumes_)
                server_->consume_body(id, part.size());
        };
        handler.on_body_end = [this](RequestId id) { server_->respond(id, {200, {}, "taken"}); };
        server_->set_handler(std::move(handler));
    }

    [[nodiscard]] Call streamed(std::optional<std::uint64_t> bytes) const {
        Call made;
        made.url = "http://127.0.0.1:" + std::to_string(port_) + "/upload";
        made.method = "POST";
        made.body_stream = Call::BodyStream{bytes};
        made.silence_timeout = base::seconds(20);
        return made;
    }

    CallHandler notes() {
        CallHandler handler;
        handler.on_head = [this](int status, const Headers& headers) {
            status_ = status;
            headers_ = headers;
        };
        handler.on_body = [this](std::string_view bytes) { answer_ += bytes; };
        handler.on_end = [this](base::Result<void> result) { end_ = std::move(result); };
        handler.on_sent = [this](std::uint64_t bytes) {
            EXPECT_GT(bytes, sent_);
            sent_ = bytes;
        };
        return handler;
    }

    bool consumes_ = true;
    std::string body_;
    int status_ = 0;
    Headers headers_;
    std::string answer_;
    std::optional<base::Result<void>> end_;
    std::uint64_t sent_ = 0;
};

TEST_F(ClientStreamTest, ABodyOfKnownLengthIsSentAsItIsGiven) {
    start_claiming();
    const auto exchange = call(loop_, streamed(10), notes());
    exchange->send("01234");
    run_until([&] { return body_ == "01234"; });
    EXPECT_EQ(requests_.at(0).headers["content-length"], "10");
    EXPECT_FALSE(end_);
    exchange->send("56");
    exchange->send("789");
    exchange->end_body();
    run_until([&] { return end_.has_value(); });
    ASSERT_TRUE(*end_) << end_->error().message;
    EXPECT_EQ(body_, "0123456789");
    EXPECT_EQ(sent_, 10U);
    EXPECT_EQ(answer_, "taken");
}

TEST_F(ClientStreamTest, ABodyOfUnknownLengthIsSentInChunks) {
    start_claiming();
    const auto exchange = call(loop_, streamed(std::nullopt), notes());
    std::string given;
    for (int i = 0; i < 100; ++i) {
        const std::string part(static_cast<std::size_t>(1 + i * 97),
                               static_cast<char>('a' + i % 26));
        exchange->send(part);
        given += part;
    }
    exchange->end_body();
    run_until([&] { return end_.has_value(); });
    ASSERT_TRUE(*end_) << end_->error().message;
    EXPECT_EQ(requests_.at(0).headers["transfer-encoding"], "chunked");
    EXPECT_EQ(body_, given);
    EXPECT_EQ(sent_, given.size());
}

// The sender sees how far the other side is, and can wait.
TEST_F(ClientStreamTest, AServerThatTakesNothingIsFelt) {
    start_claiming();
    consumes_ = false;
    const std::uint64_t all = 64 * 1024 * 1024;
    const auto exchange = call(loop_, streamed(all), notes());
    std::uint64_t given = 0;
    const std::string part(128 * 1024, 'x');
    for (int i = 0; i < 2'000 && given < all; ++i) {
        while (given < all && given - sent_ < body_window_bytes) {
            exchange->send(part);
            given += part.size();
        }
        loop_.run_for(base::microseconds(200));
    }
    // A window here, one there, and what two kernels hold between them.
    EXPECT_LT(given, all / 2);
    EXPECT_LE(body_.size(), body_window_bytes);
    consumes_ = true;
    server_->consume_body(requests_.at(0).id, body_.size());
    run_until([&] {
        while (given < all && given - sent_ < body_window_bytes) {
            exchange->send(part);
            given += part.size();
            if (given == all)
                exchange->end_body();
        }
        return end_.has_value();
    });
    ASSERT_TRUE(*end_) << end_->error().message;
    EXPECT_EQ(body_.size(), all);
}

TEST_F(ClientStreamTest, ABodyOfAnotherLengthThanWasSaidIsBrokenOff) {
    for (const bool more : {true, false}) {
        start_claiming();
        end_.reset();
        gone_.clear();
        const auto exchange = call(loop_, streamed(10), notes());
        exchange->send(more ? "01234567890" : "012345678");
        EXPECT_FALSE(end_);
        exchange->end_body();
        run_until([&] { return end_.has_value(); });
        ASSERT_FALSE(*end_);
        EXPECT_EQ(end_->error().kind, base::ErrorKind::bad_input);
        EXPECT_NE(answer_, "taken");
        server_.reset();
    }
}

TEST_F(ClientStreamTest, AnEarlyRefusalIsHeardWhileTheBodyIsSent) {
    start_claiming();
    const auto exchange = call(loop_, streamed(std::uint64_t{1} << 29), notes());
    exchange->send(std::string(100'000, 'x'));
    run_until([&] { return !requests_.empty(); });
    server_->respond(requests_[0].id, {401, {}, "no"});
    run_until([&] {
        exchange->send("more");
        return end_.has_value();
    });
    EXPECT_TRUE(*end_) << end_->error().message;
    EXPECT_EQ(status_, 401);
    EXPECT_EQ(answer_, "no");
}

TEST_F(ClientStreamTest, WaitingForTheCallerIsNoSilence) {
    start_claiming();
    Call request = streamed(2);
    request.silence_timeout = base::milliseconds(200);
    const auto exchange = call(loop_, std::move(request), notes());
    exchange->send("a");
    run_until([&] { return body_ == "a"; });
    loop_.run_for(base::milliseconds(600));
    EXPECT_FALSE(end_);
    exchange->send("b");
    exchange->end_body();
    run_until([&] { return end_.has_value(); });
    EXPECT_TRUE(*end_) << end_->error().message;
}

TEST_F(ClientStreamTest, WhatIsHandedOnIsWhatCameButForTheConnection) {
    start_claiming();
    auto forwarder = forward_to(loop_, {"http://127.0.0.1:" + std::to_string(port_) + "/", ""});
    ASSERT_TRUE(forwarder) << forwarder.error().message;
    Request request;
    request.method = "POST";
    request.target = "/v1/files?x=%20y";
    request.headers = {{"authorization", "Bearer k"},
                       {"content-length", "3"},
                       {"content-type", "multipart/x"},
                       {"connection", "close, x-mine"},
                       {"x-mine", "1"},
                       {"x-yours", "2"},
                       {"host", "elsewhere"},
                       {"expect", "100-continue"},
                       {"te", "trailers"}};
    request.body_follows = true;
    const auto exchange = (*forwarder)->forward(request, notes());
    exchange->send("abc");
    exchange->end_body();
    run_until([&] { return end_.has_value(); });
    ASSERT_TRUE(*end_) << end_->error().message;
    const Request& seen = requests_.at(0);
    EXPECT_EQ(seen.target, "/v1/files?x=%20y");
    EXPECT_EQ(seen.headers.find("authorization")->second, "Bearer k");
    EXPECT_EQ(seen.headers.find("content-type")->second, "multipart/x");
    EXPECT_EQ(seen.headers.find("x-yours")->second, "2");
    EXPECT_EQ(seen.headers.find("host")->second, "127.0.0.1:" + std::to_string(port_));
    for (const char* gone : {"x-mine", "expect", "te"})
        EXPECT_FALSE(seen.headers.contains(gone)) << gone;
    EXPECT_EQ(body_, "abc");
    EXPECT_FALSE(headers_.contains("connection"));
    EXPECT_EQ(headers_["content-length"], "5");
    EXPECT_FALSE(forward_to(loop_, {"nowhere", ""}));
}

}  // namespace
}  // namespace idlewatt::http
