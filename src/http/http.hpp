// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// HTTP/1.1 for the gateway: whole requests in, whole or streamed responses out. Hides Boost.Beast.
// The server never decides: the handler does, and answers by request id.
//
// Lifecycle: listen() starts it, destruction closes every connection without a further callback of
// the handler. Threads: the loop given at construction; the handler is only called from a task of
// that loop, never inside a call of the server, and may call or destroy the server.
//
// The server answers by itself what never reaches the handler: 400 (not HTTP), 408 (too slow), 413
// (body), 414 (target), 417, 431 (head), 501 (transfer coding), 503 (too many connections). Such an
// answer is the API's error object ({"error":{message,type,param,code}}) with an x-request-id.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::http {

inline constexpr std::size_t body_bytes_max = 16 * 1024 * 1024;
inline constexpr std::size_t header_bytes_max = 16 * 1024;
inline constexpr std::size_t target_bytes_max = 8 * 1024;
inline constexpr std::size_t connections_max = 4096;
// Of all bodies that are being received at one time; above it 503.
inline constexpr std::size_t receiving_bytes_max = 512 * 1024 * 1024;
// Kept of what a client sends ahead while it waits for an answer; above it nothing more is read.
inline constexpr std::size_t ahead_bytes_max = 64 * 1024;
// A request's head and body must arrive within this time; idle keep-alive connections get longer.
inline constexpr base::Duration read_timeout = base::seconds(30);
// Of a streamed body at least so much must arrive in each such time in which it may.
inline constexpr std::size_t body_pace_bytes = 64 * 1024;
inline constexpr base::Duration idle_timeout = base::seconds(120);
// A whole or ended answer of which the client takes nothing for this long is given up.
inline constexpr base::Duration drain_timeout = base::seconds(30);
// Of a streamed body: handed to the handler and not yet consumed. Above it nothing more is read.
inline constexpr std::size_t body_window_bytes = 1024 * 1024;
// Of a file that is being sent: read at a time, and so held in memory.
inline constexpr std::size_t file_part_bytes = 128 * 1024;

enum class RequestId : std::uint64_t {};

using Headers = std::map<std::string, std::string, std::less<>>;  // names in lower case

struct Request {
    RequestId id{};
    std::string method;
    std::string target;  // path and query, at most target_bytes_max, as sent (not decoded)
    Headers headers;     // a repeated name: the values joined by ", "
    std::string body;
    // The body was claimed (Handler::body_bytes_allowed) and comes by on_body; `body` is empty.
    bool body_follows = false;
};

// A file that is opened once and may be sent many times, in whole or in part. Closes with the last
// owner. Any thread.
class ServedFile {
public:
    // Errors: not_found, io; not a regular file: bad_input.
    [[nodiscard]] static base::Result<std::shared_ptr<const ServedFile>> open(
        const std::string& path);
    ~ServedFile();
    ServedFile(const ServedFile&) = delete;
    ServedFile& operator=(const ServedFile&) = delete;

    [[nodiscard]] std::uint64_t bytes() const { return bytes_; }  // when it was opened
    // Fills the place given, or less at the end of the file; nothing: it could not be read.
    [[nodiscard]] std::size_t read(std::uint64_t offset, char* place, std::size_t count) const;

private:
    ServedFile(int descriptor, std::uint64_t bytes) : descriptor_(descriptor), bytes_(bytes) {}
    int descriptor_;
    std::uint64_t bytes_;
};

struct FilePart {
    std::shared_ptr<const ServedFile> file;
    std::uint64_t offset = 0;
    std::uint64_t bytes = 0;  // offset + bytes is at most the file's size
};

struct Response {
    int status = 200;
    Headers headers;  // content-type, retry-after …; length and connection are the server's
    std::string body;
};

struct Handler {
    std::function<void(Request)> on_request;
    // The client closed the connection, or its sending half, before the answer was with the kernel;
    // or the rest of a claimed body did not come, was not HTTP or was larger than allowed, and the
    // server has answered that. Last word on this id. Never after respond() or abort(); after end()
    // it means that the rest of the stream did not get out.
    std::function<void(RequestId)> on_gone;
    // Of a streamed response: how many of the bytes given (the body of begin(), then write()) are
    // with the kernel. Grows; comes after end() too, until all are there.
    std::function<void(RequestId, std::uint64_t written_bytes)> on_written;

    // For large uploads. Asked with a request's head before its body (if it has one) is read; must
    // not call the server. More than 0 claims the body: on_request is called at once, and up to so
    // many bytes come in parts (more is answered 413). 0: the server gathers the body, as always.
    // The first answer ends a claimed body: what was not read is not read any more.
    std::function<std::uint64_t(const Request& head)> body_bytes_allowed{};
    // Every part is to be consumed by Server::consume_body(), sooner or later. While nothing is,
    // a client that goes away behind bytes on their way is not noticed.
    std::function<void(RequestId, std::string part)> on_body{};
    std::function<void(RequestId)>
        on_body_end{};  // whole; the answer may wait for as long as it likes
};

class Server {
public:
    virtual ~Server() = default;

    virtual void set_handler(Handler handler) = 0;

    // The whole answer.
    virtual void respond(RequestId request, Response response) = 0;
    // An answer in parts (chunked). The body of response, if any, is the first part. With a
    // content-length among the headers it is not chunked: so many bytes are given, what is more is
    // left out, and an end before them breaks the answer off.
    virtual void begin(RequestId request, Response response) = 0;
    // Never blocks; the caller watches on_written and keeps what it gives bounded.
    virtual void write(RequestId request, std::string bytes) = 0;
    virtual void end(RequestId request) = 0;
    // The whole answer with a part of a file as its body, in bounded memory. The server sets
    // content-length; status (200, 206), content-range and the like are the caller's. A file that
    // has become shorter breaks the answer off.
    virtual void respond_file(RequestId request, Response head, FilePart part) = 0;
    // So many more bytes of the claimed body are dealt with: others may come (body_window_bytes).
    virtual void consume_body(RequestId request, std::size_t bytes) = 0;
    // Breaks the connection off, so that the client sees that the answer is not whole.
    virtual void abort(RequestId request) = 0;
    // All calls for an id that is gone or ended have no effect. A HEAD request is answered like a
    // GET; the server leaves out the body.
};

}  // namespace idlewatt::http
