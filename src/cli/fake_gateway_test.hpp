// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A real HTTP server that answers as the test says, on a thread of its own, so that blocking
// commands can ask it.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/asio_loop.hpp"
#include "base/assert.hpp"
#include "cli/connection.hpp"
#include "http/beast_server.hpp"

namespace idlewatt::cli {

class FakeGateway {
public:
    // Runs on the server's thread.
    using Answer = std::function<void(http::Server&, const http::Request&)>;

    explicit FakeGateway(Answer answer) : answer_(std::move(answer)) {
        auto listening = http::listen(loop_, {});
        IDLEWATT_ASSERT(listening.has_value());
        server_ = std::move(listening->server);
        port_ = listening->port;
        http::Handler handler;
        handler.on_request = [this](const http::Request& request) {
            {
                const std::lock_guard lock(mutex_);
                requests_.push_back(request);
            }
            answer_(*server_, request);
        };
        handler.on_gone = [this](http::RequestId) {
            const std::lock_guard lock(mutex_);
            ++gone_;
        };
        handler.on_written = [](http::RequestId, std::uint64_t) {};
        server_->set_handler(std::move(handler));
        thread_ = std::thread([this] { loop_.run(); });  // tidy: allow(thread) clients block
    }

    ~FakeGateway() {
        // Behind the beginning of run(), which forgets a stop() that came before it.
        loop_.post([this] { loop_.stop(); });
        thread_.join();
    }

    FakeGateway(const FakeGateway&) = delete;
    FakeGateway& operator=(const FakeGateway&) = delete;

    [[nodiscard]] Connection connection() const {
        return {"http://127.0.0.1:" + std::to_string(port_), "secret"};
    }
    [[nodiscard]] base::Loop& loop() { return loop_; }
    [[nodiscard]] std::vector<http::Request> requests() {
        const std::lock_guard lock(mutex_);
        return requests_;
    }
    [[nodiscard]] int gone() {
        const std::lock_guard lock(mutex_);
        return gone_;
    }

private:
    base::AsioLoop loop_;
    Answer answer_;
    std::unique_ptr<http::Server> server_;
    std::uint16_t port_ = 0;
    std::mutex mutex_;  // guards what follows
    std::vector<http::Request> requests_;
    int gone_ = 0;
    std::thread thread_;  // tidy: allow(thread) clients block
};

}  // namespace idlewatt::cli
