// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/connection.hpp"

#include <array>
#include <charconv>
#include <utility>

#include <netinet/tcp.h>
#include <poll.h>

#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// What an emptied buffer may keep; a stream writes again soon, an idle connection does not.
constexpr std::size_t kept_capacity_bytes = 4 * 1024;
// What the kernel may hold unsent: a slow client is felt early, and its progress is seen.
constexpr int unsent_bytes_max = 64 * 1024;
// So many reads before others have their turn.
constexpr int reads_in_a_row = 4;

bool is_the_servers(std::string_view name) {
    return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
           name == "date";
}

// A value that was taken from outside must not start a new line.
void append_clean(std::string& out, std::string_view text) {
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        out += (byte < 0x20 && c != '\t') || byte == 0x7F ? ' ' : c;
    }
}

}  // namespace

Connection::Connection(tcp::socket socket, std::shared_ptr<ServerState> server)
    : socket_(std::move(socket)), server_(std::move(server)) {
    error_code ignored;
    socket_.non_blocking(true, ignored);
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

// Always waiting, also while an answer is under way: that is how a hang-up is noticed.
void Connection::wait_readable() {
    if (waits_readable_ || input_ended_ || phase_ == Phase::closed ||
        ahead_.size() >= ahead_bytes_max) {
        return;
    }
    waits_readable_ = true;
    socket_.async_wait(tcp::socket::wait_read, [self = shared_from_this()](const error_code& ec) {
        self->waits_readable_ = false;
        if (self->phase_ == Phase::closed) {
            return;
        }
        if (ec) {
            self->on_end_of_input(true);
            return;
        }
        self->on_readable();
    });
}

// While too much was sent ahead nothing is read, so reading does not tell of a hang-up.
bool Connection::hung_up_unread() {
    if (ahead_.size() < ahead_bytes_max || input_ended_ ||
        (phase_ != Phase::waiting && phase_ != Phase::streaming)) {
        return false;
    }
    pollfd asked{socket_.native_handle(), POLLRDHUP, 0};
    return ::poll(&asked, 1, 0) == 1;
}

void Connection::on_readable() {
    for (int i = 0; i < reads_in_a_row; ++i) {
        const bool is_ahead = phase_ != Phase::idle && phase_ != Phase::reading;
        std::vector<char>& scratch = server_->scratch();
        const std::size_t room = is_ahead && phase_ != Phase::lingering
                                     ? ahead_bytes_max - std::min(ahead_bytes_max, ahead_.size())
                                     : scratch.size();
        if (room == 0) {
            return;
        }
        error_code ec;
        const std::size_t count = socket_.read_some(
            boost::asio::buffer(scratch.data(), std::min(room, scratch.size())), ec);
        if (ec == boost::asio::error::would_block) {
            break;
        }
        if (ec) {
            on_end_of_input(ec != boost::asio::error::eof);
            return;
        }
        on_bytes({scratch.data(), count});
        if (phase_ == Phase::closed) {
            return;
        }
        if (count < room) {
            break;
        }
    }
    wait_readable();
}

void Connection::on_bytes(std::string_view bytes) {
    if (phase_ == Phase::lingering || (phase_ == Phase::draining && !keep_alive_)) {
        return;  // nothing more will be served
    }
    if (phase_ != Phase::idle && phase_ != Phase::reading) {
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
    const RequestParser::Progress progress = parser_->feed(bytes);
    if (progress.refused != 0) {
        refuse(progress.refused);
        return;
    }
    ahead_.assign(bytes.substr(progress.taken));
    count_receiving();
    if (server_->receiving_bytes > receiving_bytes_max) {
        refuse(503);
        return;
    }
    if (parser_->done()) {
        dispatch();
        return;
    }
    if (ahead_.empty() && parser_->take_expectation()) {
        out_ += "HTTP/1.1 100 Continue\r\n\r\n";
        flush_soon();
    }
}

void Connection::count_receiving() {
    const std::size_t now_bytes = parser_ ? parser_->body_bytes() : 0;
    server_->receiving_bytes += now_bytes - receiving_bytes_;
    receiving_bytes_ = now_bytes;
}

void Connection::dispatch() {
    keep_alive_ = parser_->keep_alive();
    http_1_0_ = parser_->is_http_1_0();
    Request request = parser_->take_request();
    parser_.reset();
    count_receiving();
    head_request_ = request.method == "HEAD";
    streamed_ = false;
    served_one_ = true;
    given_bytes_ = 0;
    written_bytes_ = 0;
    enter(Phase::waiting);
    const auto handler = server_->handler();
    if (!handler || !handler->on_request) {
        answer(refusal(503));
        return;
    }
    request_ = server_->add_request(shared_from_this());
    request.id = request_;
    handler->on_request(std::move(request));
}

void Connection::refuse(int status) {
    parser_.reset();
    count_receiving();
    ahead_.clear();
    head_request_ = false;
    keep_alive_ = false;
    streamed_ = false;
    answer(refusal(status));
}

// ── output ──────────────────────────────────────────────────────────────────────────────────────

void Connection::append_head(const Response& response, bool whole) {
    out_ += "HTTP/1.1 ";
    out_ += std::to_string(response.status);
    out_ += ' ';
    out_ += reason_phrase(response.status);
    out_ += "\r\ndate: ";
    out_ += server_->date();
    for (const auto& [name, value] : response.headers) {
        if (!is_the_servers(name)) {
            out_ += "\r\n";
            append_clean(out_, name);
            out_ += ": ";
            append_clean(out_, value);
        }
    }
    const bool bodiless = response.status == 204 || response.status == 304;
    if (whole && !bodiless) {
        out_ += "\r\ncontent-length: ";
        out_ += std::to_string(response.body.size());
    } else if (!whole && chunked_) {
        out_ += "\r\ntransfer-encoding: chunked";
    }
    if (!keep_alive_) {
        out_ += "\r\nconnection: close";
    } else if (http_1_0_) {
        out_ += "\r\nconnection: keep-alive";
    }
    out_ += "\r\n\r\n";
    if (whole && !bodiless && !head_request_) {
        out_ += response.body;
    }
}

void Connection::append_chunk(std::string_view bytes) {
    if (bytes.empty() || head_request_) {
        return;  // an empty chunk would be the last one
    }
    if (!chunked_) {
        out_ += bytes;
        return;
    }
    std::array<char, 16> size{};
    const auto end = std::to_chars(size.data(), size.data() + size.size(), bytes.size(), 16).ptr;
    out_.append(size.data(), end);
    out_ += "\r\n";
    out_ += bytes;
    out_ += "\r\n";
}

void Connection::answer(const Response& response) {
    append_head(response, true);
    enter(Phase::draining);
    flush_soon();
}

void Connection::respond(Response response) {
    if (phase_ == Phase::waiting) {
        server_->remove_request(request_);
        answer(response);
    }
}

void Connection::begin(Response response) {
    if (phase_ != Phase::waiting) {
        return;
    }
    streamed_ = true;
    chunked_ = !http_1_0_ && !head_request_;
    keep_alive_ = keep_alive_ && !http_1_0_;
    append_head(response, false);
    enter(Phase::streaming);
    write(response.body);
    flush_soon();
}

void Connection::write(std::string_view bytes) {
    if (phase_ != Phase::streaming || bytes.empty()) {
        return;
    }
    append_chunk(bytes);
    given_bytes_ += bytes.size();
    marks_.push_back({wire_bytes_ + out_.size(), given_bytes_});
    flush_soon();
}

void Connection::end() {
    if (phase_ != Phase::streaming) {
        return;
    }
    if (chunked_) {
        out_ += "0\r\n\r\n";
    }
    enter(Phase::draining);
    flush_soon();
}

void Connection::break_off() {
    if (phase_ != Phase::waiting && phase_ != Phase::streaming) {
        return;
    }
    // What was written still goes out, but the last chunk never comes. Without chunks only a reset
    // tells a broken answer from a whole one.
    static_cast<void>(send_some());
    close(!chunked_ || phase_ == Phase::waiting);
}

// False when the connection is broken. Never calls back.
bool Connection::send_some() {
    while (out_offset_ < out_.size()) {
        error_code ec;
        const std::size_t count = socket_.write_some(
            boost::asio::buffer(out_.data() + out_offset_, out_.size() - out_offset_), ec);
        if (ec == boost::asio::error::would_block) {
            break;
        }
        if (ec) {
            return false;
        }
        out_offset_ += count;
        if (phase_ == Phase::draining) {
            enter(Phase::draining);  // progress: the time starts again
        }
    }
    if (out_offset_ == out_.size() || out_offset_ >= ahead_bytes_max) {
        wire_bytes_ += out_offset_;
        out_.erase(0, out_offset_);
        out_offset_ = 0;
        if (out_.empty() && out_.capacity() > kept_capacity_bytes) {
            out_.shrink_to_fit();
        }
    }
    return true;
}

void Connection::flush_soon() {
    if (!std::exchange(flush_scheduled_, true)) {
        server_->flush_soon(shared_from_this());
    }
}

void Connection::flush() {
    flush_scheduled_ = false;
    if (phase_ == Phase::closed || waits_writable_) {
        return;
    }
    if (!send_some()) {
        lost();
        return;
    }
    if (!report_written()) {
        return;
    }
    if (out_offset_ < out_.size()) {
        wait_writable();
    } else if (phase_ == Phase::draining) {
        finish_answer();
    }
}

void Connection::wait_writable() {
    if (waits_writable_) {
        return;
    }
    waits_writable_ = true;
    socket_.async_wait(tcp::socket::wait_write, [self = shared_from_this()](const error_code& ec) {
        self->waits_writable_ = false;
        if (!ec) {
            self->flush();
        }
    });
}

// False when the handler closed the connection.
bool Connection::report_written() {
    if (!streamed_) {
        return true;
    }
    const std::uint64_t sent = wire_bytes_ + out_offset_;
    std::size_t passed = 0;
    while (passed < marks_.size() && marks_[passed].wire_end <= sent) {
        ++passed;
    }
    if (passed == 0) {
        return true;
    }
    written_bytes_ = marks_[passed - 1].given_bytes;
    marks_.erase(marks_.begin(), marks_.begin() + static_cast<std::ptrdiff_t>(passed));
    const auto handler = server_->handler();
    if (handler && handler->on_written) {
        handler->on_written(request_, written_bytes_);
    }
    return phase_ != Phase::closed;
}

void Connection::finish_answer() {
    if (streamed_) {
        server_->remove_request(request_);
        streamed_ = false;
    }
    if (!keep_alive_) {
        if (input_ended_) {
            close(false);
            return;
        }
        error_code ignored;
        socket_.shutdown(tcp::socket::shutdown_send, ignored);
        ahead_.clear();
        enter(Phase::lingering);
        wait_readable();
        return;
    }
    enter(Phase::idle);
    if (!ahead_.empty()) {
        const std::string bytes = std::exchange(ahead_, {});
        parse(bytes);
    }
    wait_readable();
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

// The client is away before its answer was.
void Connection::lost() {
    const bool tell = phase_ == Phase::waiting || phase_ == Phase::streaming ||
                      (phase_ == Phase::draining && streamed_);
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
    parser_.reset();
    count_receiving();
    out_ = {};
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
