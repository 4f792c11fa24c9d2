// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The real server under many clients and under hostile ones.
#include <vector>

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "http/beast_fixture_test.hpp"

namespace idlewatt::http {
namespace {

class BeastServerLoadTest : public BeastServerTest {};

TEST_F(BeastServerLoadTest, TooManyConnectionsAreToldSo) {
    ListenOptions options;
    options.connections = 8;
    start(options);
    echo();
    std::vector<RawClient> kept;
    for (int i = 0; i < 8; ++i) {
        kept.push_back(client());
        kept.back().send(get);
    }
    run_until([&] { return requests_.size() == 8; });
    EXPECT_TRUE(verdict(get).starts_with("HTTP/1.1 503"));
    std::vector<RawClient> flood;
    for (int i = 0; i < 200; ++i) {
        flood.push_back(client());
    }
    for (RawClient& raw : flood) {
        run_until([&] { return raw.ended(); });
    }
    flood.clear();
    kept.clear();
    loop_.run_for(base::milliseconds(50));
    expect_still_serving();
}

TEST_F(BeastServerLoadTest, FiveHundredStreamsAtOnce) {
    start();
    std::vector<RawClient> clients;
    for (int i = 0; i < 500; ++i) {
        clients.push_back(client());
        clients.back().send("GET /" + std::to_string(i) + " HTTP/1.1\r\n\r\n");
    }
    run_until([&] { return requests_.size() == 500; });
    for (const Request& r : requests_) {
        server_->begin(r.id, {});
    }
    for (int part = 0; part < 10; ++part) {
        for (const Request& r : requests_) {
            server_->write(r.id, r.target + ";");
        }
        loop_.run_for(base::milliseconds(1));
    }
    for (std::size_t i = 0; i < clients.size(); i += 2) {
        clients[i].hang_up();
    }
    run_until([&] { return gone_.size() == 250; });
    for (const Request& r : requests_) {
        server_->end(r.id);
    }
    for (std::size_t i = 1; i < clients.size(); i += 2) {
        run_until([&] { return clients[i].received().ends_with("0\r\n\r\n"); });
        const std::string part = "/" + std::to_string(i) + ";";
        std::size_t count = 0;
        for (std::size_t at = clients[i].received().find(part); at != std::string::npos;
             at = clients[i].received().find(part, at + 1)) {
            ++count;
        }
        ASSERT_EQ(count, 10U);
    }
}

// The server's own words may differ; it must answer or close, stay alive and stay bounded.
TEST_F(BeastServerLoadTest, TwoThousandMutatedRequestsAreSurvived) {
    ListenOptions options;
    options.read = base::milliseconds(100);
    start(options);
    base::Prng prng(7);
    act_ = [&](const Request& r) {
        switch (prng.below(4)) {
            case 0:
                server_->respond(r.id, {200, {}, r.body});
                break;
            case 1:
                server_->begin(r.id, {});
                server_->write(r.id, r.target);
                server_->abort(r.id);
                break;
            default:
                server_->begin(r.id, {});
                server_->write(r.id, r.target);
                server_->end(r.id);
        }
    };
    const std::string seeds[] = {
        "POST /v1/chat HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello worldGET / "
        "HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx: y\r\n\r\n",
        "GET /a?b HTTP/1.0\r\nConnection: keep-alive\r\nExpect: 100-continue\r\n\r\n",
        "HEAD / HTTP/1.1\r\nCookie: a\r\nCookie: b\r\n\r\nOPTIONS * HTTP/1.1\r\n\r\n",
    };
    std::vector<RawClient> open;
    for (int i = 0; i < 2'000; ++i) {
        std::string bytes = seeds[prng.below(4)];
        for (std::uint64_t n = 1 + prng.below(5); n-- > 0 && !bytes.empty();) {
            const std::size_t at = prng.below(bytes.size());
            switch (prng.below(4)) {
                case 0:
                    bytes[at] = static_cast<char>(prng.below(256));
                    break;
                case 1:
                    bytes.erase(at, 1 + prng.below(8));
                    break;
                case 2:
                    bytes.insert(at, seeds[prng.below(4)].substr(prng.below(30), prng.below(30)));
                    break;
                default:
                    bytes.insert(at, 1 + prng.below(40), "0123456789\r\n:; \0"[prng.below(16)]);
            }
        }
        open.push_back(client());
        const std::size_t cut = prng.below(bytes.size() + 1);
        open.back().send(bytes.substr(0, cut));
        loop_.run_for(base::microseconds(50));
        open.back().send(bytes.substr(cut));
        if (prng.chance(0.2)) {
            open.back().reset();
            open.pop_back();
        } else if (prng.chance(0.3)) {
            open.back().end_sending();
        }
        if (open.size() == 100) {
            loop_.run_for(base::milliseconds(2));
            open.erase(open.begin(), open.begin() + 50);
        }
    }
    open.clear();
    expect_still_serving();
    EXPECT_GT(requests_.size(), 200U);
}

}  // namespace
}  // namespace idlewatt::http
