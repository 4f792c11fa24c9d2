// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The server's in-memory twin with the client's side on the same loop: for the simulator and fast
// tests. Every request is a connection of its own; nothing stands between the two sides, so what
// the client has read is what the server has written.
//
// Lifecycle: destruction breaks every open answer off (on_end(false), in a later task).
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "http/http.hpp"

namespace idlewatt::http {

struct ClientHandler {
    std::function<void(int status, const Headers&)> on_head;
    std::function<void(std::string_view bytes)> on_body;
    // complete is false when the server broke the answer off.
    std::function<void(bool complete)> on_end;
};

class MemoryServer final : public Server {
public:
    explicit MemoryServer(base::Loop& loop);
    ~MemoryServer() override;

    // The client's side. The id is the one that the server sees.
    RequestId send(std::string method, std::string target, Headers headers, std::string body,
                   ClientHandler handler);
    // The client goes away; its handler is not called any more.
    void hang_up(RequestId request);
    // A client that reads nothing: bytes wait, on_written stands still.
    void set_reading(RequestId request, bool reading);

    void set_handler(Handler handler) override;
    void respond(RequestId request, Response response) override;
    void respond_file(RequestId request, Response head, FilePart part) override;
    void consume_body(RequestId request, std::size_t bytes) override;
    void begin(RequestId request, Response response) override;
    void write(RequestId request, std::string bytes) override;
    void end(RequestId request) override;
    void abort(RequestId request) override;

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::http
