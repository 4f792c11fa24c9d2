// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/client.hpp"

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>

#include "http/message_parser.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// call_and_wait keeps the whole answer.
constexpr std::size_t answer_bytes_max = 256 * 1024 * 1024;

struct Place {
    std::string host;
    std::uint16_t port = 80;
    std::string authority;
    std::string target;
};

base::Result<Place> parse_url(const std::string& url) {
    constexpr std::string_view scheme = "http://";
    const auto bad = [&](std::string_view why) {
        return base::fail(base::ErrorKind::bad_input, "'" + url + "' is no address of a server (" +
                                                          std::string(why) +
                                                          "). Expected http://host:port/path.");
    };
    if (!url.starts_with(scheme)) {
        return bad("it does not start with http://");
    }
    for (const char c : url) {
        if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F) {
            return bad("it holds a blank or a control character");
        }
    }
    Place place;
    const std::size_t path = std::min(url.find_first_of("/?#", scheme.size()), url.size());
    place.authority = url.substr(scheme.size(), path - scheme.size());
    place.target = url.substr(path, url.find('#', path) - path);
    if (!place.target.starts_with('/')) {
        place.target.insert(0, "/");
    }
    std::string_view rest = place.authority;
    const std::size_t bracket = rest.starts_with('[') ? rest.find(']') : std::string_view::npos;
    const std::size_t colon = rest.find(':', bracket == std::string_view::npos ? 0 : bracket);
    place.host = rest.substr(0, colon);
    if (bracket != std::string_view::npos) {
        place.host = rest.substr(1, bracket - 1);
    }
    if (colon != std::string_view::npos) {
        rest.remove_prefix(colon + 1);
        const auto [end, ec] = std::from_chars(rest.data(), rest.data() + rest.size(), place.port);
        if (ec != std::errc() || end != rest.data() + rest.size() || place.port == 0) {
            return bad("the port is not a number from 1 to 65535");
        }
    }
    if (place.host.empty()) {
        return bad("it names no host");
    }
    return place;
}

std::string request_head(const Call& call, const Place& place) {
    std::string head = call.method + " " + place.target + " HTTP/1.1\r\nhost: " + place.authority +
                       "\r\nconnection: close\r\n";
    for (const auto& [name, value] : call.headers) {
        if (name != "content-length" && name != "connection" && name != "host") {
            head += name + ": " + value + "\r\n";
        }
    }
    if (!call.body.empty() || (call.method != "GET" && call.method != "HEAD")) {
        head += "content-length: " + std::to_string(call.body.size()) + "\r\n";
    }
    return head + "\r\n";
}

class CallState final : public std::enable_shared_from_this<CallState> {
public:
    CallState(base::AsioLoop& loop, Call call, CallHandler handler)
        : loop_(loop),
          call_(std::move(call)),
          handler_(std::make_shared<const CallHandler>(std::move(handler))),
          socket_(loop.context()),
          timer_(loop.context()),
          resolver_(loop.context()),
          parser_(call_.method == "HEAD") {}

    void start();
    void hang_up();

private:
    void connect(const std::vector<tcp::endpoint>& endpoints);
    void exchange();
    void read();
    void on_read(const error_code& ec, std::size_t count);
    bool deliver();
    void wait(base::Instant deadline);
    void finish(base::Result<void> result);
    void fail(base::ErrorKind kind, const std::string& what);

    base::AsioLoop& loop_;
    Call call_;
    std::shared_ptr<const CallHandler> handler_;  // null: ended or hung up
    tcp::socket socket_;
    boost::asio::steady_timer timer_;
    tcp::resolver resolver_;
    ResponseParser parser_;
    Place place_;
    std::string head_;
    std::string left_;  // received, not yet parsed
    std::array<char, 8 * 1024> buffer_{};
    base::Instant last_received_;
    bool connected_ = false;
    bool head_delivered_ = false;
};

void CallState::start() {
    auto place = parse_url(call_.url);
    if (!place) {
        loop_.post([self = shared_from_this(), error = place.error()] {
            self->finish(tl::unexpected(error));
        });
        return;
    }
    place_ = std::move(*place);
    wait(loop_.now() + call_.connect_timeout);
    error_code ec;
    const auto address = boost::asio::ip::make_address(place_.host, ec);
    if (!ec) {
        connect({tcp::endpoint(address, place_.port)});
        return;
    }
    resolver_.async_resolve(
        place_.host, std::to_string(place_.port),
        [self = shared_from_this()](const error_code& error, const tcp::resolver::results_type& r) {
            if (!self->handler_) {
                return;
            }
            if (error) {
                self->fail(base::ErrorKind::not_found, "no such host: " + error.message());
                return;
            }
            self->connect({r.begin(), r.end()});
        });
}

void CallState::connect(const std::vector<tcp::endpoint>& endpoints) {
    boost::asio::async_connect(
        socket_, endpoints,
        [self = shared_from_this()](const error_code& ec, const tcp::endpoint&) {
            if (!self->handler_) {
                return;
            }
            if (ec) {
                self->fail(base::ErrorKind::unavailable, "cannot connect: " + ec.message());
                return;
            }
            self->exchange();
        });
}

// Reads at once: a server may answer, and refuse, before it has seen the whole body. A failure to
// send is left to the reading side, which finds that answer or the end.
void CallState::exchange() {
    connected_ = true;
    last_received_ = loop_.now();
    if (call_.silence_timeout.ns > 0) {
        wait(last_received_ + call_.silence_timeout);
    } else {
        timer_.cancel();
    }
    error_code ignored;
    socket_.set_option(tcp::no_delay(true), ignored);
    head_ = request_head(call_, place_);
    const std::array parts{boost::asio::buffer(std::as_const(head_)),
                           boost::asio::buffer(std::as_const(call_.body))};
    boost::asio::async_write(socket_, parts,
                             [self = shared_from_this()](const error_code&, std::size_t) {});
    read();
}

void CallState::read() {
    socket_.async_read_some(boost::asio::buffer(buffer_),
                            [self = shared_from_this()](const error_code& ec, std::size_t count) {
                                if (self->handler_) {
                                    self->on_read(ec, count);
                                }
                            });
}

void CallState::on_read(const error_code& ec, std::size_t count) {
    if (ec) {
        const bool whole = ec == boost::asio::error::eof && parser_.finish();
        if (whole) {
            finish({});
        } else {
            fail(base::ErrorKind::unavailable,
                 "the answer broke off: " + (ec == boost::asio::error::eof
                                                 ? std::string("the connection was closed")
                                                 : ec.message()));
        }
        return;
    }
    last_received_ = loop_.now();
    left_.append(buffer_.data(), count);
    const ResponseParser::Progress progress = parser_.feed(left_);
    left_.erase(0, progress.taken);
    if (!deliver()) {
        return;
    }
    if (progress.broken) {
        fail(base::ErrorKind::bad_input, "the answer is not well-formed HTTP/1.1");
    } else if (parser_.done()) {
        finish({});
    } else {
        read();
    }
}

// False when a callback hung up.
bool CallState::deliver() {
    const auto handler = handler_;
    if (parser_.head_done() && !std::exchange(head_delivered_, true) && handler->on_head) {
        handler->on_head(parser_.status(), parser_.headers());
    }
    if (!handler_) {
        return false;
    }
    const std::string body = parser_.take_body();
    if (!body.empty() && handler->on_body) {
        handler->on_body(body);
    }
    return handler_ != nullptr;
}

void CallState::wait(base::Instant deadline) {
    timer_.expires_after(std::chrono::nanoseconds((deadline - loop_.now()).ns));
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (ec || !self->handler_) {
            return;
        }
        if (!self->connected_) {
            self->fail(base::ErrorKind::unavailable, "no connection within the time given");
            return;
        }
        // Bytes came meanwhile: the timer is moved here, not at each of them.
        const base::Instant next = self->last_received_ + self->call_.silence_timeout;
        if (self->loop_.now() < next) {
            self->wait(next);
        } else {
            self->fail(base::ErrorKind::unavailable, "the server fell silent");
        }
    });
}

void CallState::finish(base::Result<void> result) {
    if (const auto handler = handler_) {
        hang_up();
        if (handler->on_end) {
            handler->on_end(std::move(result));
        }
    }
}

void CallState::fail(base::ErrorKind kind, const std::string& what) {
    finish(base::fail(kind, call_.method + " " + call_.url + ": " + what));
}

void CallState::hang_up() {
    handler_.reset();
    error_code ignored;
    socket_.close(ignored);
    resolver_.cancel();
    timer_.cancel();
}

class HttpExchange final : public Exchange {
public:
    explicit HttpExchange(std::shared_ptr<CallState> state) : state_(std::move(state)) {}
    ~HttpExchange() override { state_->hang_up(); }

private:
    std::shared_ptr<CallState> state_;
};

}  // namespace

std::unique_ptr<Exchange> call(base::AsioLoop& loop, Call call, CallHandler handler) {
    auto state = std::make_shared<CallState>(loop, std::move(call), std::move(handler));
    state->start();
    return std::make_unique<HttpExchange>(std::move(state));
}

base::Result<Response> call_and_wait(base::AsioLoop& loop, Call request) {
    Response response;
    std::optional<base::Result<void>> end;
    CallHandler handler;
    handler.on_head = [&](int status, const Headers& headers) {
        response.status = status;
        response.headers = headers;
    };
    handler.on_body = [&](std::string_view bytes) {
        if (response.body.size() + bytes.size() > answer_bytes_max) {
            end = base::fail(base::ErrorKind::limit_exceeded, "the answer is larger than 256 MiB");
            loop.stop();
            return;
        }
        response.body += bytes;
    };
    handler.on_end = [&](base::Result<void> result) {
        end = std::move(result);
        loop.stop();
    };
    const auto exchange = call(loop, std::move(request), std::move(handler));
    loop.run();
    if (!end) {
        return base::fail(base::ErrorKind::unavailable, "stopped before the answer was whole");
    }
    if (!*end) {
        return tl::unexpected(end->error());
    }
    return response;
}

}  // namespace idlewatt::http
