// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/connection.hpp"

#include <array>
#include <cerrno>
#include <utility>

#include <sys/socket.h>
#include <sys/stat.h>

#include <boost/asio/local/stream_protocol.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/write.hpp>

#include "engine/http_response.hpp"

namespace idlewatt::engine {

namespace asio = boost::asio;
using boost::system::error_code;

namespace {
constexpr int attempts_max = 50;
constexpr base::Duration retry_pause = base::milliseconds(10);
}  // namespace

struct Connection::Implementation : std::enable_shared_from_this<Implementation> {
    Implementation(base::AsioLoop& on, std::string to, std::string bytes, ConnectionHandler with)
        : loop(on),
          socket(on.context()),
          path(std::move(to)),
          request(std::move(bytes)),
          handler(std::move(with)) {}

    base::AsioLoop& loop;
    asio::local::stream_protocol::socket socket;
    std::string path;
    std::string request;
    ConnectionHandler handler;
    HttpResponse response;
    std::array<char, 16 * 1024> buffer{};
    bool closed = false;
    bool paused = false;
    bool reading = false;
    int attempts = 0;

    void connect() {
        // The engine may write to that folder: nobody but its own socket shall be connected to.
        struct stat found {};
        if (::lstat(path.c_str(), &found) == 0 && !S_ISSOCK(found.st_mode)) {
            return fail_later("what should be the engine's socket is none",
                              asio::error::access_denied);
        }
        // A Unix socket connects at once or not at all.
        error_code error;
        socket.open({}, error);
        if (!error)
            socket.non_blocking(true, error);
        if (!error)
            error = connect_now();
        if (may_retry(error))
            return retry();
        if (error)
            return fail_later("cannot connect to the engine", error);
        send();
    }

    [[nodiscard]] error_code connect_now() {
        const asio::local::stream_protocol::endpoint there(path);
        if (::connect(socket.native_handle(), there.data(), static_cast<socklen_t>(there.size())) ==
            0) {
            return {};
        }
        return {errno, boost::system::system_category()};
    }

    void fail_later(const char* what, const error_code& error) {
        asio::post(socket.get_executor(), [self = shared_from_this(), what, error] {
            if (!self->closed)
                self->fail(what, error);
        });
    }

    // A full queue of connections answers EAGAIN.
    [[nodiscard]] bool may_retry(const error_code& error) const {
        return error == asio::error::try_again && attempts < attempts_max;
    }

    void retry() {
        ++attempts;
        error_code ignored;
        socket.close(ignored);
        loop.after(retry_pause, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (self && !self->closed)
                self->connect();
        });
    }

    // What a socket takes at once leaves at once: the engine works while we still look around.
    void send() {
        if (handler.on_bytes)
            handler.on_bytes(request, true);
        error_code error;
        const std::size_t sent = socket.write_some(asio::buffer(request), error);
        // A refused request is answered before it is read to its end.
        if (error && error != asio::error::would_block && error != asio::error::broken_pipe)
            return fail_later("cannot write to the engine", error);
        if (sent == request.size() || error == asio::error::broken_pipe)
            return read();
        asio::async_write(socket, asio::buffer(request) + sent,
                          [self = shared_from_this()](const error_code& later, std::size_t) {
                              if (self->closed)
                                  return;
                              if (later && later != asio::error::broken_pipe)
                                  return self->fail("cannot write to the engine", later);
                              self->read();
                          });
    }

    void read() {
        if (paused || reading || closed)
            return;
        reading = true;
        socket.async_read_some(
            asio::buffer(buffer),
            [self = shared_from_this()](const error_code& error, std::size_t size) {
                self->reading = false;
                if (self->closed)
                    return;
                if (error == asio::error::eof)
                    return self->finish(self->response.close());
                if (error)
                    return self->fail("cannot read from the engine", error);
                self->take({self->buffer.data(), size});
            });
    }

    void take(std::string_view bytes) {
        if (handler.on_bytes)
            handler.on_bytes(bytes, false);
        std::string body;
        const base::Result<void> fed = response.feed(bytes, body);
        if (!body.empty() && handler.on_body)
            handler.on_body(response.status(), body);
        if (closed)
            return;
        if (!fed || response.complete())
            return finish(fed);
        read();
    }

    void fail(const std::string& what, const error_code& error) {
        finish(base::fail(base::ErrorKind::unavailable, what + ": " + error.message()));
    }

    void finish(const base::Result<void>& result) {
        const auto call = std::move(handler.on_end);
        const std::uint32_t status = response.status();
        close();
        if (!call)
            return;
        if (result) {
            call(status);
        } else {
            call(tl::unexpected<base::Error>(result.error()));
        }
    }

    void close() {
        if (closed)
            return;
        closed = true;
        error_code ignored;
        socket.close(ignored);
        // The handlers may own us, and one of them may be running.
        boost::asio::post(socket.get_executor(), [old = std::move(handler)] {});
        handler = {};
    }
};

Connection::Connection(std::shared_ptr<Implementation> impl) : impl_(std::move(impl)) {}

Connection::~Connection() {
    impl_->close();
}

std::shared_ptr<Connection> Connection::open(base::AsioLoop& loop, const std::string& socket_path,
                                             std::string request, ConnectionHandler handler) {
    auto impl =
        std::make_shared<Implementation>(loop, socket_path, std::move(request), std::move(handler));
    impl->connect();
    return std::make_shared<Connection>(std::move(impl));
}

void Connection::close() {
    impl_->close();
}

void Connection::set_paused(bool paused) {
    if (std::exchange(impl_->paused, paused) == paused || paused)
        return;
    impl_->read();
}

std::string get_request(std::string_view path) {
    return "GET " + std::string(path) + " HTTP/1.1\r\nHost: engine\r\nConnection: close\r\n\r\n";
}

std::string post_request(std::string_view path, std::string_view json) {
    return "POST " + std::string(path) +
           " HTTP/1.1\r\nHost: engine\r\nConnection: close\r\nContent-Type: application/json\r\n"
           "Content-Length: " +
           std::to_string(json.size()) + "\r\n\r\n" + std::string(json);
}

std::shared_ptr<Connection> fetch(base::AsioLoop& loop, const std::string& socket_path,
                                  std::string request,
                                  std::function<void(base::Result<Response>)> done) {
    const auto response = std::make_shared<Response>();
    const auto over =
        std::make_shared<std::function<void(base::Result<Response>)>>(std::move(done));
    ConnectionHandler handler;
    handler.on_body = [response](std::uint32_t, std::string_view body) {
        if (response->body.size() <= fetched_bytes_max)
            response->body.append(body);
    };
    handler.on_end = [response, over](const base::Result<std::uint32_t>& status) {
        if (!status)
            return (*over)(tl::unexpected<base::Error>(status.error()));
        if (response->body.size() > fetched_bytes_max) {
            return (*over)(base::fail(base::ErrorKind::limit_exceeded,
                                      "the engine's response is longer than 64 MiB"));
        }
        response->status = *status;
        (*over)(std::move(*response));
    };
    return Connection::open(loop, socket_path, std::move(request), std::move(handler));
}

}  // namespace idlewatt::engine
