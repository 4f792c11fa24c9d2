// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What only a real socket shows: slow, silent, half-closed and hostile clients. And the harness
// that puts the real server and our client under the conformance suite.
#include "http/beast_server.hpp"

#include <vector>

#include <gtest/gtest.h>

#include "http/beast_fixture_test.hpp"
#include "http/certificate_test.hpp"
#include "http/client.hpp"
#include "http/server_harness_test.hpp"

namespace idlewatt::http {

namespace {

class BeastHarness final : public Harness {
public:
    explicit BeastHarness(bool tls) {
        allow_many_descriptors();
        ListenOptions options;
        if (tls) {
            certificate_ = std::make_unique<TestCertificate>();
            options.certificate_file = certificate_->certificate_file();
            options.key_file = certificate_->key_file();
        }
        listening_ = std::move(listen(loop_, options).value());
    }
    Server& server() override { return *listening_.server; }
    void destroy_server() override { listening_.server.reset(); }
    std::shared_ptr<Seen> send(std::string method, std::string target, Headers headers,
                               std::string body) override {
        auto seen = std::make_shared<Seen>();
        seen->number = exchanges_.size();
        Call request;
        request.url = certificate_ ? "https" : "http";
        request.url += "://127.0.0.1:" + std::to_string(listening_.port) + target;
        request.ca_file = certificate_ ? certificate_->certificate_file() : "";
        request.method = std::move(method);
        request.headers = std::move(headers);
        request.body = std::move(body);
        CallHandler handler;
        handler.on_head = [seen](int status, const Headers& h) {
            EXPECT_EQ(seen->status, 0);
            seen->status = status;
            seen->headers = h;
        };
        handler.on_body = [seen](std::string_view bytes) { seen->body += bytes; };
        handler.on_end = [seen](const base::Result<void>& result) {
            EXPECT_FALSE(seen->ended);
            seen->ended = true;
            seen->complete = result.has_value();
        };
        exchanges_.push_back(call(loop_, std::move(request), std::move(handler)));
        return seen;
    }
    void hang_up(Seen& call) override { exchanges_[call.number].reset(); }
    bool run_until(const std::function<bool()>& condition) override {
        return run_loop_until(loop_, condition);
    }

private:
    base::AsioLoop loop_;
    std::unique_ptr<TestCertificate> certificate_;
    Listening listening_;
    std::vector<std::unique_ptr<Exchange>> exchanges_;
};

}  // namespace

std::unique_ptr<Harness> make_beast_harness() {
    return std::make_unique<BeastHarness>(false);
}

std::unique_ptr<Harness> make_tls_harness() {
    return std::make_unique<BeastHarness>(true);
}

namespace {

TEST_F(BeastServerTest, AnAddressThatCannotBeListenedOnIsNamed) {
    start();
    ListenOptions taken;
    taken.port = port_;
    EXPECT_TRUE(has(listen(loop_, taken).error().message, std::to_string(port_)));
    ListenOptions bad;
    bad.address = "localhost";
    EXPECT_TRUE(has(listen(loop_, bad).error().message, "numeric"));
}

TEST_F(BeastServerTest, OneConnectionServesManyRequestsInTurn) {
    start();
    echo();
    RawClient raw = client();
    for (int i = 0; i < 50; ++i) {
        const std::string body = "b" + std::to_string(i);
        raw.send("POST /p HTTP/1.1\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
                 body);
        run_until([&] { return raw.received().ends_with("\r\n\r\n/p" + body); });
    }
    EXPECT_FALSE(raw.ended());
}

TEST_F(BeastServerTest, PipelinedRequestsAreServedOneAtATimeInOrder) {
    start();
    RawClient raw = client();
    std::string all;
    for (int i = 0; i < 20; ++i) {
        all += "GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n";
    }
    send_all(raw, all);
    for (std::size_t i = 0; i < 20; ++i) {
        run_until([&] { return requests_.size() == i + 1; });
        loop_.run_for(base::milliseconds(2));
        ASSERT_EQ(requests_.size(), i + 1);
        const std::string text = "[" + requests_[i].target + "]";
        if (i % 2 == 0) {
            server_->respond(requests_[i].id, {200, {}, text});
        } else {
            server_->begin(requests_[i].id, {});
            server_->write(requests_[i].id, text);
            server_->end(requests_[i].id);
        }
        run_until([&] { return has(raw.received(), text); });
    }
}

TEST_F(BeastServerTest, WhatIsSentAheadIsBoundedAndNotLost) {
    start();
    RawClient raw = client();
    raw.send(get);
    run_until([&] { return requests_.size() == 1; });
    std::string ahead = "POST /ahead HTTP/1.1\r\ncontent-length: 8000000\r\n\r\n";
    ahead.append(8'000'000, 'x');
    std::size_t sent = 0;
    for (int i = 0; i < 200; ++i) {
        sent += raw.send(std::string_view(ahead).substr(sent));
        loop_.run_for(base::milliseconds(1));
    }
    EXPECT_LT(sent, ahead.size());  // the rest is held back by the kernel
    server_->respond(requests_[0].id, {});
    send_all(raw, std::string_view(ahead).substr(sent));
    run_until([&] { return requests_.size() == 2; });
    EXPECT_EQ(requests_[1].body.size(), 8'000'000U);
}

TEST_F(BeastServerTest, AHangUpBehindTooMuchSentAheadIsSeen) {
    start();
    RawClient raw = client();
    raw.send(get);
    run_until([&] { return requests_.size() == 1; });
    const std::string ahead =
        "POST /ahead HTTP/1.1\r\ncontent-length: 8000000\r\n\r\n" + std::string(100'000, 'x');
    send_all(raw, ahead);
    loop_.run_for(base::milliseconds(20));
    raw.hang_up();
    run_until([&] { return !gone_.empty(); });
    EXPECT_EQ(gone_, std::vector<RequestId>{requests_[0].id});
}

TEST_F(BeastServerTest, ByteByByteIsUnderstood) {
    start();
    echo();
    RawClient raw = client();
    for (const char c :
         std::string_view("\r\nPOST /slow HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
                          "3;x=y\r\nabc\r\n01\r\nd\r\n0\r\nauthorization: evil\r\n\r\n")) {
        raw.send({&c, 1});
        loop_.run_for(base::microseconds(100));
    }
    run_until([&] { return raw.received().ends_with("/slowabcd"); });
    EXPECT_FALSE(requests_[0].headers.contains("authorization"));
}

TEST_F(BeastServerTest, ExpectationIsAnsweredBeforeTheBody) {
    start();
    echo();
    RawClient raw = client();
    raw.send("POST /e HTTP/1.1\r\ncontent-length: 3\r\nexpect: 100-continue\r\n\r\n");
    run_until([&] { return raw.received() == "HTTP/1.1 100 Continue\r\n\r\n"; });
    raw.send("abc");
    run_until([&] { return raw.received().ends_with("/eabc"); });
    EXPECT_EQ(
        verdict("POST / HTTP/1.1\r\ncontent-length: 99999999\r\nexpect: 100-continue\r\n\r\n"),
        "HTTP/1.1 413 Content Too Large");
    EXPECT_EQ(verdict("POST / HTTP/1.1\r\ncontent-length: 3\r\nexpect: magic\r\n\r\n"),
              "HTTP/1.1 417 Expectation Failed");
}

TEST_F(BeastServerTest, OldClientsGetAnAnswerThatEndsWithTheConnection) {
    start();
    act_ = [this](const Request& r) {
        if (r.target == "/whole") {
            server_->respond(r.id, {200, {}, "text"});
            return;
        }
        server_->begin(r.id, {});
        server_->write(r.id, "text");
        if (r.target == "/broken") {
            server_->abort(r.id);
        } else {
            server_->end(r.id);
        }
    };
    for (const std::string target : {"/whole", "/parts", "/broken"}) {
        RawClient raw = client();
        raw.send("GET " + target + " HTTP/1.0\r\n\r\n");
        run_until([&] { return raw.ended(); });
        EXPECT_FALSE(has(raw.received(), "chunked"));
        EXPECT_EQ(raw.was_reset(), target == "/broken");
        if (target != "/broken") {
            EXPECT_TRUE(raw.received().ends_with("\r\n\r\ntext"));
        }
    }
    RawClient kept = client();
    kept.send("GET /whole HTTP/1.0\r\nconnection: keep-alive\r\n\r\n");
    run_until([&] { return has(kept.received(), "keep-alive"); });
    EXPECT_FALSE(kept.ended());
}

TEST_F(BeastServerTest, GarbageIsRefusedWithAReason) {
    start();
    echo();
    const std::string line = "GET / HTTP/1.1\r\n";
    const std::pair<std::string, std::string> cases[] = {
        {std::string("\x16\x03\x01\x02\x00\x01", 6) + std::string(200, '\0'), "400"},  // TLS
        {"hello\r\n\r\n", "400"},
        {"GET / HTTP/2.0\r\n\r\n", "400"},
        {"GET  / HTTP/1.1\r\n\r\n", "400"},
        {line + "no colon\r\n\r\n", "400"},
        {line + "bad name: x\r\n\r\n", "400"},
        {line + "content-length: -1\r\n\r\n", "400"},
        {line + "content-length: 1\r\ncontent-length: 2\r\n\r\n", "400"},
        {line + "content-length: 3\r\ntransfer-encoding: chunked\r\n\r\n", "400"},
        {line + "transfer-encoding: gzip\r\n\r\n", "501"},
        {line + "transfer-encoding: gzip, chunked\r\n\r\n", "501"},
        {line + "transfer-encoding: chunked\r\n\r\nzz\r\n", "400"},
        {line + "transfer-encoding: chunked\r\n\r\nfffffffffffffffff\r\n", "400"},
        {line + "transfer-encoding: chunked\r\n\r\n1000001\r\n", "413"},
        {line + "transfer-encoding: chunked\r\n\r\n1;" + std::string(header_bytes_max * 2, 'x'),
         "400"},
        {line + "content-length: 16777217\r\n\r\n", "413"},
        {line + "content-length: 99999999999999999999999\r\n\r\n", "400"},
        {std::string(header_bytes_max + 10, 'G'), "431"},
        {"GET /" + std::string(target_bytes_max, 'a') + " HTTP/1.1\r\n\r\n", "414"},
        {line + "a: " + std::string(header_bytes_max, 'a'), "431"},
        {line +
             [] {
                 std::string many;
                 for (int i = 0; i < 3000; ++i)
                     many += "a: b\r\n";
                 return many;
             }(),
         "431"},
    };
    for (const auto& [bytes, status] : cases) {
        const std::string said = verdict(bytes);
        EXPECT_TRUE(said.starts_with("HTTP/1.1 " + status)) << bytes.substr(0, 80) << "→" << said;
    }
    EXPECT_TRUE(requests_.empty());
    expect_still_serving();
}

TEST_F(BeastServerTest, SlowAndSilentClientsAreClosed) {
    ListenOptions options;
    options.read = base::milliseconds(60);
    options.idle = base::milliseconds(150);
    start(options);
    echo();
    RawClient silent = client();
    RawClient slow_head = client();
    slow_head.send("GET / HT");
    RawClient slow_body = client();
    slow_body.send("POST / HTTP/1.1\r\ncontent-length: 10\r\n\r\nabc");
    RawClient kept = client();
    kept.send(get);
    run_until([&] { return has(kept.received(), "200 OK"); });
    const base::Instant served_at = loop_.now();
    run_until([&] { return silent.ended() && slow_head.ended() && slow_body.ended(); });
    EXPECT_EQ(silent.received(), "");
    EXPECT_TRUE(slow_head.received().starts_with("HTTP/1.1 408"));
    EXPECT_TRUE(slow_body.received().starts_with("HTTP/1.1 408"));
    run_until([&] { return kept.ended(); });
    EXPECT_GE(loop_.now() - served_at, base::milliseconds(140));
    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(BeastServerTest, TheWorkOfAHandlerHasNoTimeLimit) {
    ListenOptions options;
    options.read = options.idle = options.drain = base::milliseconds(20);
    start(options);
    RawClient raw = client();
    raw.send(get);
    run_until([&] { return !requests_.empty(); });
    loop_.run_for(base::milliseconds(150));
    server_->begin(requests_[0].id, {});
    loop_.run_for(base::milliseconds(150));
    EXPECT_TRUE(gone_.empty());
    server_->end(requests_[0].id);
    run_until([&] { return raw.received().ends_with("0\r\n\r\n"); });
}

TEST_F(BeastServerTest, AHangUpIsNoticedInMilliseconds) {
    start();
    for (int how = 0; how < 3; ++how) {
        for (const bool begun : {false, true}) {
            gone_.clear();
            requests_.clear();
            RawClient raw = client();
            raw.send(get);
            run_until([&] { return !requests_.empty(); });
            if (begun) {
                server_->begin(requests_[0].id, {});
                server_->write(requests_[0].id, "text");
                run_until([&] { return has(raw.received(), "text"); });
            }
            const base::Instant at = loop_.now();
            if (how == 0) {
                raw.hang_up();
            } else if (how == 1) {
                raw.reset();
            } else {
                raw.end_sending();  // half-closed counts as gone
            }
            run_until([&] { return !gone_.empty(); });
            EXPECT_LT((loop_.now() - at).milliseconds(), 1000.0);
            EXPECT_EQ(gone_, std::vector<RequestId>{requests_[0].id});
        }
    }
}

TEST_F(BeastServerTest, AHangUpBehindBytesSentAheadIsNoticed) {
    start();
    RawClient raw = client();
    raw.send(std::string(get) + std::string(get));
    run_until([&] { return !requests_.empty(); });
    raw.hang_up();
    run_until([&] { return !gone_.empty(); });
    EXPECT_EQ(requests_.size(), 1U);
}

TEST_F(BeastServerTest, AHalfClosedClientGetsAnAnswerThatIsReady) {
    start();
    std::string body(3'000'000, 'x');
    act_ = [&](const Request& r) { server_->respond(r.id, {200, {}, body}); };
    RawClient raw = client();
    raw.send(get);
    raw.end_sending();
    run_until([&] { return raw.ended(); });
    EXPECT_TRUE(raw.received().ends_with("\r\n\r\n" + body));
    EXPECT_FALSE(raw.was_reset());
    EXPECT_TRUE(gone_.empty());
}

TEST_F(BeastServerTest, AClientThatDoesNotReadHoldsTheCountBack) {
    start();
    RawClient raw = client();
    raw.shrink_receive_buffer();
    raw.send(get);
    run_until([&] { return !requests_.empty(); });
    const RequestId id = requests_[0].id;
    server_->begin(id, {});
    std::uint64_t given = 0;
    const std::string part(64 * 1024, 'p');
    while (given < 8 * 1024 * 1024) {
        server_->write(id, part);
        given += part.size();
    }
    std::uint64_t before = 1;
    run_until([&] {
        loop_.run_for(base::milliseconds(20));
        return std::exchange(before, written_[id]) == written_[id];
    });
    EXPECT_LT(written_[id], given);
    run_until([&] {
        raw.received();
        return written_[id] == given;
    });
    server_->end(id);
    run_until([&] { return raw.received().ends_with("\r\n0\r\n\r\n"); });
    EXPECT_TRUE(gone_.empty());
}

TEST_F(BeastServerTest, AnEndedAnswerThatIsNotTakenIsGivenUp) {
    ListenOptions options;
    options.drain = base::milliseconds(50);
    start(options);
    RawClient whole = client();
    whole.send(get);
    RawClient streamed = client();
    streamed.send(get);
    run_until([&] { return requests_.size() == 2; });
    const std::string body(32 * 1024 * 1024, 'x');
    server_->respond(requests_[0].id, {200, {}, body});
    server_->begin(requests_[1].id, {});
    server_->write(requests_[1].id, body);
    server_->end(requests_[1].id);
    run_until([&] { return !gone_.empty(); });
    EXPECT_EQ(gone_, std::vector<RequestId>{requests_[1].id});
    run_until([&] { return whole.ended(); });
    EXPECT_LT(whole.received().size(), body.size());
}

TEST_F(BeastServerTest, WritesOfOneTaskGoOutTogether) {
    start();
    RawClient raw = client();
    raw.send(get);
    run_until([&] { return !requests_.empty(); });
    server_->begin(requests_[0].id, {});
    for (int i = 0; i < 10; ++i) {
        server_->write(requests_[0].id, "x");
    }
    run_until([&] { return written_[requests_[0].id] == 10; });
    // On loopback one send is one segment, and one receive takes only what is there.
    char buffer[4096];
    const ssize_t count = recv(raw.descriptor(), buffer, sizeof buffer, 0);
    ASSERT_GT(count, 0);
    EXPECT_TRUE(std::string(buffer, static_cast<std::size_t>(count)).ends_with("\r\n1\r\nx\r\n"));
    EXPECT_EQ(raw.received(), "");
}

TEST_F(BeastServerTest, AHandlersHeaderCannotStartANewLine) {
    start();
    act_ = [this](const Request& r) {
        server_->respond(r.id, {200, {{"x-it", "a\r\nx-evil: b"}, {"content-length", "999"}}, "t"});
    };
    RawClient raw = client();
    raw.send(get);
    run_until([&] { return raw.received().ends_with("\r\n\r\nt"); });
    EXPECT_FALSE(has(raw.received(), "\nx-evil"));
    EXPECT_TRUE(has(raw.received(), "content-length: 1\r\n"));
}

}  // namespace
}  // namespace idlewatt::http
