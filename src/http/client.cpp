// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/client.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <deque>
#include <optional>
#include <utility>

#include <boost/asio/connect.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

#include "http/channel.hpp"
#include "http/message_parser.hpp"
#include "http/place.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// call_and_wait keeps the whole answer.
constexpr std::size_t answer_bytes_max = 256 * 1024 * 1024;
constexpr std::size_t read_bytes = 32 * 1024;
// So many reads or writes before others have their turn.
constexpr int moves_in_a_row = 8;

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
    void set_paused(bool paused);
    void give(std::string bytes);
    void end_body();

private:
    base::Result<void> prepare();
    void connect(const std::vector<tcp::endpoint>& endpoints);
    void exchange();
    void wait_readable();
    void wait_writable();
    void read_some();
    [[nodiscard]] bool take_in();
    void send_some();
    [[nodiscard]] bool next_part();
    [[nodiscard]] bool next_given_part();
    void count_sent(std::size_t bytes);
    [[nodiscard]] bool waits_for_caller() const;
    void break_off_body();
    [[nodiscard]] bool deliver();
    void on_end_of_input(bool clean);
    void moved() { last_moved_ = loop_.now(); }
    void wait(base::Instant deadline);
    void finish(base::Result<void> result);
    void fail(base::ErrorKind kind, const std::string& what);

    base::AsioLoop& loop_;
    Call call_;
    std::shared_ptr<const CallHandler> handler_;  // null: ended or hung up
    tcp::socket socket_;
    std::shared_ptr<const TlsContext> tls_;  // null: plain
    std::unique_ptr<Channel> channel_;       // once connected
    boost::asio::steady_timer timer_;
    tcp::resolver resolver_;
    ResponseParser parser_;
    Place place_;
    std::string out_;  // to be sent, from out_offset_: the head, then the body or parts of the file
    std::size_t out_offset_ = 0;
    bool out_is_body_ = false;
    std::size_t chunk_bytes_ = 0;  // of the body, in the chunk that is in out_
    std::uint64_t sent_body_bytes_ = 0;
    std::deque<std::string> given_;  // of a streamed body, not yet in out_
    std::uint64_t given_bytes_ = 0;
    bool body_ended_ = false;       // by the caller
    bool last_chunk_made_ = false;  // likewise in out_
    std::string left_;              // received, not yet parsed
    base::Instant last_moved_;
    bool head_delivered_ = false;
    bool paused_ = false;
    bool waits_readable_ = false;
    bool waits_writable_ = false;
    bool sending_failed_ = false;
};

base::Result<void> CallState::prepare() {
    auto place = parse_url(call_.url);
    if (!place) {
        return tl::unexpected(place.error());
    }
    place_ = std::move(*place);
    if (place_.tls) {
        auto context = TlsContext::for_client(call_.ca_file);
        if (!context) {
            return tl::unexpected(context.error());
        }
        tls_ = std::move(*context);
    }
    return {};
}

void CallState::start() {
    const auto prepared = prepare();
    if (!prepared) {
        loop_.post([self = shared_from_this(), error = prepared.error()] {
            self->finish(tl::unexpected(error));
        });
        return;
    }
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
    moved();
    if (call_.silence_timeout.ns > 0) {
        wait(last_moved_ + call_.silence_timeout);
    } else {
        timer_.cancel();
    }
    error_code ignored;
    socket_.non_blocking(true, ignored);
    socket_.set_option(tcp::no_delay(true), ignored);
    const int handle = socket_.native_handle();
    channel_ = tls_ ? tls_->connect(handle, place_.host) : plain_channel(handle);
    out_ = request_head(call_, place_);
    send_some();
    wait_readable();
}

// ── sending ─────────────────────────────────────────────────────────────────────────────────────

void CallState::wait_writable() {
    if (std::exchange(waits_writable_, true)) {
        return;
    }
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code&) {
        self->waits_writable_ = false;
        if (self->handler_) {
            self->send_some();
        }
    });
}

// The next thing to send into out_; false when there is none.
bool CallState::next_part() {
    out_offset_ = 0;
    out_is_body_ = true;
    chunk_bytes_ = 0;
    if (call_.body_stream) {
        return next_given_part();
    }
    FilePart& file = call_.body_file;
    if (!file.file) {
        out_ = std::exchange(call_.body, {});
        return !out_.empty();
    }
    out_.resize(static_cast<std::size_t>(std::min<std::uint64_t>(file.bytes, file_part_bytes)));
    if (file.file->read(file.offset, out_.data(), out_.size()) != out_.size()) {
        // Only a broken request tells the server that it has not got all.
        fail(base::ErrorKind::io, "the file that is being sent has become shorter");
        return false;
    }
    file.offset += out_.size();
    file.bytes -= out_.size();
    return !out_.empty();
}

bool CallState::next_given_part() {
    const bool chunked = !call_.body_stream->bytes;
    if (!given_.empty()) {
        std::string bytes = std::move(given_.front());
        given_.pop_front();
        if (!chunked) {
            out_ = std::move(bytes);
            return true;
        }
        std::array<char, 16> size{};
        const auto end =
            std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
        out_.assign(size.data(), end);
        out_ += "\r\n" + bytes + "\r\n";
        chunk_bytes_ = bytes.size();
        return true;
    }
    if (!chunked || !body_ended_ || std::exchange(last_chunk_made_, true)) {
        return false;
    }
    out_ = "0\r\n\r\n";
    return true;
}

// A chunk counts when it is out as a whole: what frames it is not the caller's.
void CallState::count_sent(std::size_t bytes) {
    const bool chunked = call_.body_stream && !call_.body_stream->bytes;
    if (out_is_body_ && !chunked) {
        sent_body_bytes_ += bytes;
    } else if (out_is_body_ && out_offset_ == out_.size()) {
        sent_body_bytes_ += std::exchange(chunk_bytes_, 0);
    }
}

void CallState::send_some() {
    const std::uint64_t before = sent_body_bytes_;
    for (int i = 0; !sending_failed_; ++i) {
        if (out_offset_ == out_.size() && !next_part()) {
            out_ = {};
            break;
        }
        if (i == moves_in_a_row) {
            wait_writable();
            break;
        }
        const IoResult result =
            channel_->write(out_.data() + out_offset_, out_.size() - out_offset_);
        if (result.state == IoState::wants_write) {
            wait_writable();
            break;
        }
        if (result.state == IoState::wants_read) {
            break;  // reading goes on with it
        }
        if (result.state != IoState::moved) {
            sending_failed_ = true;
            break;
        }
        out_offset_ += result.bytes;
        count_sent(result.bytes);
        moved();
    }
    const auto handler = handler_;
    if (handler && handler->on_sent && sent_body_bytes_ > before) {
        handler->on_sent(sent_body_bytes_);
    }
}

void CallState::give(std::string bytes) {
    if (!handler_ || bytes.empty() || body_ended_ || !call_.body_stream) {
        return;
    }
    given_bytes_ += bytes.size();
    if (given_bytes_ > call_.body_stream->bytes.value_or(given_bytes_)) {
        break_off_body();
        return;
    }
    given_.push_back(std::move(bytes));
    moved();
    if (channel_) {
        wait_writable();
    }
}

void CallState::end_body() {
    if (!handler_ || !call_.body_stream || std::exchange(body_ended_, true)) {
        return;
    }
    if (given_bytes_ < call_.body_stream->bytes.value_or(0)) {
        break_off_body();
        return;
    }
    moved();
    if (channel_) {
        wait_writable();
    }
}

// Not inside the caller's call.
void CallState::break_off_body() {
    body_ended_ = true;
    given_.clear();
    loop_.post([self = shared_from_this()] {
        self->fail(base::ErrorKind::bad_input, "the body is not as long as was said");
    });
}

bool CallState::waits_for_caller() const {
    return call_.body_stream && !body_ended_ && given_.empty() && out_offset_ == out_.size() &&
           !parser_.head_done();
}

// ── receiving ───────────────────────────────────────────────────────────────────────────────────

void CallState::wait_readable() {
    if (paused_ || waits_readable_ || !handler_) {
        return;
    }
    waits_readable_ = true;
    auto on_ready = [self = shared_from_this()](const error_code&) {
        self->waits_readable_ = false;
        if (self->handler_) {
            self->read_some();
        }
    };
    // What came before a pause may be all that comes.
    if (channel_->holds_input() || parser_.done()) {
        boost::asio::post(socket_.get_executor(),
                          [on_ready = std::move(on_ready)] { on_ready(error_code{}); });
        return;
    }
    socket_.async_wait(tcp::socket::wait_read, std::move(on_ready));
}

void CallState::read_some() {
    std::array<char, read_bytes> buffer{};
    for (int i = 0; i < moves_in_a_row && !paused_; ++i) {
        if (parser_.done()) {
            finish({});
            return;
        }
        const IoResult result = channel_->read(buffer.data(), buffer.size());
        if (result.state == IoState::wants_read) {
            break;
        }
        if (result.state == IoState::wants_write) {
            wait_writable();
            break;
        }
        if (result.state != IoState::moved) {
            on_end_of_input(result.state == IoState::ended);
            return;
        }
        moved();
        left_.append(buffer.data(), result.bytes);
        if (!take_in()) {
            return;
        }
    }
    if (out_offset_ < out_.size() && !waits_writable_) {
        send_some();  // a TLS handshake has gone on
    }
    wait_readable();
}

// False when the call has ended.
bool CallState::take_in() {
    const ResponseParser::Progress progress = parser_.feed(left_);
    left_.erase(0, progress.taken);
    if (!deliver()) {
        return false;
    }
    if (progress.broken) {
        fail(base::ErrorKind::bad_input, "the answer is not well-formed HTTP/1.1");
        return false;
    }
    return true;
}

void CallState::on_end_of_input(bool clean) {
    if (clean && parser_.finish()) {
        finish({});
    } else if (clean) {
        fail(base::ErrorKind::unavailable, "the answer broke off: the connection was closed");
    } else if (channel_->failure().kind == base::ErrorKind::denied) {
        fail(base::ErrorKind::denied, channel_->failure().message);
    } else {
        fail(base::ErrorKind::unavailable, "the answer broke off: " + channel_->failure().message);
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

void CallState::set_paused(bool paused) {
    if (!handler_ || paused_ == paused) {
        return;
    }
    paused_ = paused;
    moved();
    if (!paused_ && channel_) {
        wait_readable();
    }
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

void CallState::wait(base::Instant deadline) {
    timer_.expires_after(std::chrono::nanoseconds((deadline - loop_.now()).ns));
    timer_.async_wait([self = shared_from_this()](const error_code& ec) {
        if (ec || !self->handler_) {
            return;
        }
        if (!self->channel_) {
            self->fail(base::ErrorKind::unavailable, "no connection within the time given");
            return;
        }
        // Bytes moved meanwhile: the timer is set again here, not at each of them.
        const bool counts = !self->paused_ && !self->waits_for_caller();
        const base::Instant from = counts ? self->last_moved_ : self->loop_.now();
        const base::Instant next = from + self->call_.silence_timeout;
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
    if (channel_) {
        channel_->end_sending();
    }
    socket_.close(ignored);
    resolver_.cancel();
    timer_.cancel();
}

class HttpExchange final : public Exchange {
public:
    explicit HttpExchange(std::shared_ptr<CallState> state) : state_(std::move(state)) {}
    ~HttpExchange() override { state_->hang_up(); }
    void pause() override { state_->set_paused(true); }
    void resume() override { state_->set_paused(false); }
    void send(std::string bytes) override { state_->give(std::move(bytes)); }
    void end_body() override { state_->end_body(); }

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
