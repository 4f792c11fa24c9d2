// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A real server with a handler that keeps notes, and raw clients to worry it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "http/beast_server.hpp"
#include "http/raw_client_test.hpp"

namespace idlewatt::http {

class BeastServerTest : public testing::Test {
protected:
    void SetUp() override { allow_many_descriptors(); }

    void start(const ListenOptions& options = {}) {
        auto listening = listen(loop_, options);
        ASSERT_TRUE(listening) << listening.error().message;
        server_ = std::move(listening->server);
        port_ = listening->port;
        Handler handler;
        handler.on_request = [this](Request request) {
            requests_.push_back(std::move(request));
            if (act_) {
                act_(requests_.back());
            }
        };
        handler.on_gone = [this](RequestId id) { gone_.push_back(id); };
        handler.on_written = [this](RequestId id, std::uint64_t bytes) { written_[id] = bytes; };
        server_->set_handler(std::move(handler));
    }

    // Answers everything at once with what it got.
    void echo() {
        act_ = [this](const Request& r) { server_->respond(r.id, {200, {}, r.target + r.body}); };
    }

    RawClient client() { return RawClient(port_); }

    void run_until(const std::function<bool()>& condition) {
        ASSERT_TRUE(run_loop_until(loop_, condition));
    }

    void send_all(RawClient& raw, std::string_view bytes) {
        run_until([&] {
            bytes.remove_prefix(raw.send(bytes));
            return bytes.empty() || raw.ended();
        });
    }

    // The first line of what the server says to these bytes before it closes.
    std::string verdict(std::string_view bytes) {
        RawClient raw = client();
        send_all(raw, bytes);
        EXPECT_TRUE(run_loop_until(loop_, [&] { return raw.ended(); })) << bytes.substr(0, 200);
        return raw.received().substr(0, raw.received().find("\r\n"));
    }

    void expect_still_serving() {
        echo();
        EXPECT_TRUE(
            verdict("GET /still HTTP/1.1\r\nconnection: close\r\n\r\n").ends_with("200 OK"));
    }

    base::AsioLoop loop_;
    std::unique_ptr<Server> server_;
    std::uint16_t port_ = 0;
    std::function<void(const Request&)> act_;
    std::vector<Request> requests_;
    std::vector<RequestId> gone_;
    std::map<RequestId, std::uint64_t> written_;
};

inline bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

inline constexpr std::string_view get = "GET / HTTP/1.1\r\nhost: x\r\n\r\n";

}  // namespace idlewatt::http
