// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/connection.hpp"

#include <algorithm>
#include <utility>

#include <netinet/tcp.h>
#include <poll.h>

#include <boost/asio/post.hpp>

#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// What the kernel may hold unsent: a slow client is felt early, and its progress is seen.
constexpr int unsent_bytes_max = 64 * 1024;
// So many reads before others have their turn.
constexpr int reads_in_a_row = 4;

}  // namespace

Connection::Connection(tcp::socket socket, std::shared_ptr<ServerState> server)
    : socket_(std::move(socket)), server_(std::move(server)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
    channel_ = server_->make_channel(socket_.native_handle());
    socket_.set_option(tcp::no_delay(true), ignored);
    socket_.set_option(boost::asio::socket_base::keep_alive(true), ignored);
    socket_.set_option(boost::asio::detail::socket_option::integer<IPPROTO_TCP, TCP_NOTSENT_LOWAT>(
                           unsent_bytes_max),
                       ignored);
}

void Connection::start() {
    enter(Phase::idle);
    wait_readable();
}

void Connection::turn_away() {
    refuse(503);
    wait_readable();
}

void Connection::enter(Phase phase) {
    phase_ = phase;
    const ListenOptions& options = server_->options();
    const base::Instant now = server_->now();
    switch (phase) {
        case Phase::idle:
            deadline_ = now + (served_one_ ? options.idle : options.read);
            break;
        case Phase::reading:
            deadline_ = now + options.read;
            break;
        case Phase::receiving:
            paced_bytes_ = 0;
            deadline_ = now + options.read;
            break;
        case Phase::draining:
            deadline_ = now + options.drain;
            break;
        case Phase::lingering:
            deadline_ = now + linger_timeout;
            break;
        case Phase::waiting:
        case Phase::streaming:
        case Phase::closed:
            deadline_ = base::never;
            break;
    }
}

void Connection::check_deadline(base::Instant now) {
    if (hung_up_unread()) {
        on_end_of_input(true);
        return;
    }
    if (now < deadline_) {
        return;
    }
    switch (phase_) {
        case Phase::reading:
        case Phase::receiving:
            refuse(408);
            return;
        case Phase::draining:
            lost();
            return;
        default:
            close(false);
    }
}

// ── input ───────────────────────────────────────────────────────────────────────────────────────

// Of what may be read now; 0: nothing is to be read.
std::size_t Connection::room() const {
    switch (phase_) {
        case Phase::receiving:
            return body_window_bytes - std::min(body_window_bytes, unconsumed_bytes_);
        case Phase::waiting:
        case Phase::streaming:
        case Phase::draining:
            return ahead_bytes_max - std::min(ahead_bytes_max, ahead_.size());
        case Phase::closed:
            return 0;
        default:
            return ahead_bytes_max;
    }
}

// Always waiting, also while an answer is under way: that is how a hang-up is noticed.
void Connection::wait_readable() {
    if (waits_readable_ || input_ended_ || room() == 0) {
        return;
    }
    waits_readable_ = true;
    auto on_ready = [self = shared_from_this()](const error_code& ec) {
        self->waits_readable_ = false;
        if (self->phase_ == Phase::closed) {
            return;
        }
        if (ec) {
            self->on_end_of_input(true);
            return;
        }
        self->on_readable();
    };
    if (channel_->holds_input()) {
        boost::asio::post(socket_.get_executor(),
                          [on_ready = std::move(on_ready)] { on_ready(error_code{}); });
        return;
    }
    socket_.async_wait(tcp::socket::wait_read, std::move(on_ready));
}

// While nothing more may be read, reading does not tell of a hang-up.
bool Connection::hung_up_unread() {
    if (room() > 0 || input_ended_ ||
        (phase_ != Phase::waiting && phase_ != Phase::streaming && phase_ != Phase::receiving)) {
        return false;
    }
    pollfd asked{socket_.native_handle(), POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) == 1;
}

void Connection::on_readable() {
    read_some();
    if (phase_ != Phase::closed && std::exchange(write_wants_read_, false)) {
        flush_soon();
    }
}

void Connection::read_some() {
    for (int i = 0; i < reads_in_a_row; ++i) {
        std::vector<char>& scratch = server_->scratch();
        const std::size_t most = std::min(room(), scratch.size());
        if (most == 0) {
            return;
        }
        const IoResult result = channel_->read(scratch.data(), most);
        if (result.state == IoState::wants_read) {
            break;
        }
        if (result.state == IoState::wants_write) {
            read_wants_write_ = true;
            wait_writable();
            return;
        }
        if (result.state != IoState::moved) {
            on_end_of_input(result.state != IoState::ended);
            return;
        }
        on_bytes({scratch.data(), result.bytes});
        if (phase_ == Phase::closed) {
            return;
        }
        if (result.bytes < most && !channel_->holds_input()) {
            break;
        }
    }
    wait_readable();
}

void Connection::on_bytes(std::string_view bytes) {
    if (phase_ == Phase::lingering || (phase_ == Phase::draining && !keep_alive_)) {
        return;  // nothing more will be served
    }
    if (phase_ != Phase::idle && phase_ != Phase::reading && phase_ != Phase::receiving) {
        ahead_ += bytes;
        return;
    }
    if (ahead_.empty()) {
        parse(bytes);
        return;
    }
    std::string all = std::exchange(ahead_, {});
    all += bytes;
    parse(all);
}

// A closed sending half counts as gone: it cannot be told from a closed connection in time.
void Connection::on_end_of_input(bool reset) {
    input_ended_ = true;
    keep_alive_ = false;
    switch (phase_) {
        case Phase::receiving:
        case Phase::waiting:
        case Phase::streaming:
            lost();
            return;
        case Phase::draining:
            if (reset) {
                lost();
            }
            return;
        default:
            close(false);
    }
}

void Connection::parse(std::string_view bytes) {
    if (phase_ == Phase::idle) {
        // Empty lines before a request are allowed and mean nothing.
        while (!bytes.empty() && (bytes.front() == '\r' || bytes.front() == '\n')) {
            bytes.remove_prefix(1);
        }
        if (bytes.empty()) {
            return;
        }
        parser_ = std::make_unique<RequestParser>();
        enter(Phase::reading);
    }
    for (bool in_head = true; in_head;) {
        in_head = !parser_->head_done();
        const RequestParser::Progress progress = parser_->feed(bytes);
        if (progress.refused != 0) {
            refuse(progress.refused);
            return;
        }
        bytes.remove_prefix(progress.taken);
        in_head = in_head && parser_->head_done();
        if (in_head && !open_body()) {
            return;
        }
    }
    if (phase_ == Phase::receiving) {
        hand_body(bytes);
        return;
    }
    ahead_.assign(bytes);
    count_receiving();
    if (server_->receiving_bytes > receiving_bytes_max) {
        refuse(503);
        return;
    }
    if (parser_->done()) {
        dispatch();
        return;
    }
    expect_more();
}

void Connection::expect_more() {
    if (ahead_.empty() && parser_->take_expectation()) {
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        flush_soon();
    }
}

// With the head: is the body to be gathered or claimed? False when nothing more is to be parsed.
bool Connection::open_body() {
    const auto handler = server_->handler();
    std::uint64_t claimed = 0;
    if (!parser_->done() && handler && handler->body_bytes_allowed) {
        claimed = handler->body_bytes_allowed(parser_->head());
    }
    const int refused = parser_->limit_body(claimed > 0 ? claimed : body_bytes_max);
    if (refused != 0) {
        refuse(refused, claimed > 0);
        return false;
    }
    if (claimed == 0) {
        return true;
    }
    start_request();
    unconsumed_bytes_ = 0;
    enter(Phase::receiving);
    Request request = parser_->head();
    request.id = request_ = server_->add_request(shared_from_this());
    request.body_follows = true;
    handler->on_request(std::move(request));
    return phase_ == Phase::receiving;
}

// What was parsed of a claimed body; `rest` was not.
void Connection::hand_body(std::string_view rest) {
    ahead_.assign(rest);
    std::string part = parser_->take_body();
    const bool whole = parser_->done();
    const auto handler = server_->handler();
    unconsumed_bytes_ += part.size();
    if (whole) {
        enter(Phase::waiting);
        parser_.reset();
    } else {
        keep_pace(part.size());
    }
    count_receiving();
    const Phase phase = phase_;
    if (!part.empty() && handler && handler->on_body) {
        handler->on_body(request_, std::move(part));
    }
    if (phase_ != phase) {
        return;  // answered
    }
    if (!whole) {
        expect_more();
    } else if (handler && handler->on_body_end) {
        handler->on_body_end(request_);
    }
}

// Whoever waits for the handler is not slow. A byte now and then is no progress: it would hold the
// request's place for days.
void Connection::keep_pace(std::size_t bytes) {
    paced_bytes_ += bytes;
    if (room() == 0) {
        deadline_ = base::never;
    } else if (deadline_ == base::never || paced_bytes_ >= body_pace_bytes) {
        enter(Phase::receiving);
    }
}

void Connection::consume_body(std::size_t bytes) {
    unconsumed_bytes_ -= std::min(bytes, unconsumed_bytes_);
    count_receiving();
    if (phase_ == Phase::receiving) {
        keep_pace(0);
        wait_readable();
    }
}

// The answer has come. The rest of a body is not wanted any more, and cannot be told from the next
// request without reading it.
void Connection::forget_body() {
    if (parser_) {
        keep_alive_ = false;
        parser_.reset();
        ahead_.clear();
    }
    unconsumed_bytes_ = 0;
    count_receiving();
}

void Connection::count_receiving() {
    const std::size_t now_bytes = (parser_ ? parser_->body_bytes() : 0) + unconsumed_bytes_;
    server_->receiving_bytes += now_bytes - receiving_bytes_;
    receiving_bytes_ = now_bytes;
}

void Connection::start_request() {
    keep_alive_ = parser_->keep_alive();
    http_1_0_ = parser_->is_http_1_0();
    head_request_ = parser_->head().method == "HEAD";
    streamed_ = false;
    served_one_ = true;
    given_bytes_ = 0;
    written_bytes_ = 0;
}

void Connection::dispatch() {
    start_request();
    Request request = parser_->take_request();
    parser_.reset();
    unconsumed_bytes_ = 0;
    count_receiving();
    enter(Phase::waiting);
    const auto handler = server_->handler();
    if (!handler || !handler->on_request) {
        answer(server_->refusal(503));
        return;
    }
    request_ = server_->add_request(shared_from_this());
    request.id = request_;
    handler->on_request(std::move(request));
}

void Connection::refuse(int status, bool upload) {
    const bool claimed = phase_ == Phase::receiving;
    const RequestId request = request_;
    forget_body();
    ahead_.clear();
    keep_alive_ = false;
    head_request_ = false;
    streamed_ = false;
    answer(server_->refusal(status, upload || claimed));
    if (!claimed) {
        return;
    }
    server_->remove_request(request);
    const auto handler = server_->handler();
    if (handler && handler->on_gone) {
        handler->on_gone(request);
    }
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

// The client is away before its answer was.
void Connection::lost() {
    const bool tell = phase_ == Phase::receiving || phase_ == Phase::waiting ||
                      phase_ == Phase::streaming || (phase_ == Phase::draining && streamed_);
    const RequestId request = request_;
    close(false);
    const auto handler = server_->handler();
    if (tell && handler && handler->on_gone) {
        handler->on_gone(request);
    }
}

void Connection::close(bool reset) {
    if (phase_ == Phase::closed) {
        return;
    }
    const auto self = shared_from_this();
    enter(Phase::closed);
    error_code ignored;
    if (reset) {
        socket_.set_option(tcp::socket::linger(true, 0), ignored);
    }
    socket_.close(ignored);
    forget_body();
    out_ = {};
    file_ = {};
    ahead_ = {};
    server_->remove_request(request_);
    server_->remove(self);
}

void Connection::shut() {
    if (phase_ != Phase::closed) {
        static_cast<void>(send_some());
        close(streamed_ && !chunked_ && phase_ != Phase::draining);
    }
}

}  // namespace idlewatt::http
