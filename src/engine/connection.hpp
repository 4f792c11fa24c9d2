// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One HTTP request to the engine over its Unix socket, and the response as it arrives. A connection
// carries one request: closing it is how work is cancelled.
//
// Lifecycle: open() connects and sends; on_end runs once, then nothing more; close() (or the last
// reference going away) ends it silently. Callbacks run on the loop, never inside open(), but that
// on_bytes tells there of the request, which leaves at once.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/asio_loop.hpp"
#include "base/result.hpp"

namespace idlewatt::engine {

struct ConnectionHandler {
    // A stretch of the body; the status is known by then.
    std::function<void(std::uint32_t status, std::string_view body)> on_body;
    // The response is complete, or why not.
    std::function<void(base::Result<std::uint32_t> status)> on_end;
    // Raw bytes, for the tap; may be empty.
    std::function<void(std::string_view bytes, bool to_engine)> on_bytes;
};

class Connection {
public:
    [[nodiscard]] static std::shared_ptr<Connection> open(base::AsioLoop& loop,
                                                          const std::string& socket_path,
                                                          std::string request,
                                                          ConnectionHandler handler);
    void close();
    // While paused nothing is read, so the engine's bytes wait on its side.
    void set_paused(bool paused);

    struct Implementation;
    explicit Connection(std::shared_ptr<Implementation> impl);
    ~Connection();
    Connection(const Connection&) = delete;
    Connection& operator=(const Connection&) = delete;

private:
    std::shared_ptr<Implementation> impl_;
};

[[nodiscard]] std::string get_request(std::string_view path);
[[nodiscard]] std::string post_request(std::string_view path, std::string_view json);

struct Response {
    std::uint32_t status = 0;
    std::string body;
};

inline constexpr std::size_t fetched_bytes_max = 64 * 1024 * 1024;

// The whole response at once.
[[nodiscard]] std::shared_ptr<Connection> fetch(base::AsioLoop& loop,
                                                const std::string& socket_path, std::string request,
                                                std::function<void(base::Result<Response>)> done);

}  // namespace idlewatt::engine
