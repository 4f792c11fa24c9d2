// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "http/connection.hpp"
#include "http/content_length.hpp"
#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

using boost::asio::ip::tcp;
using boost::system::error_code;

// What an emptied buffer may keep; a stream writes again soon, an idle connection does not.
constexpr std::size_t kept_capacity_bytes = 4 * 1024;
// So many parts of a file before others have their turn.
constexpr int file_parts_in_a_row = 4;

bool is_the_servers(std::string_view name) {
    return name == "content-length" || name == "transfer-encoding" || name == "connection" ||
           name == "date";
}

// A value that was taken from outside must not start a new line.
void append_clean(std::string& out, std::string_view text) {
    const auto breaks = [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return (byte < 0x20 && c != '\t') || byte == 0x7F;
    };
    const std::size_t begin = out.size();
    out += text;
    std::replace_if(out.begin() + static_cast<std::ptrdiff_t>(begin), out.end(), breaks, ' ');
}

}  // namespace

bool Connection::answerable() const {
    return phase_ == Phase::waiting || phase_ == Phase::receiving;
}

// Without a length the answer comes in chunks, or ends with the connection.
void Connection::append_head(const Response& response, std::optional<std::uint64_t> length) {
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
    if (length && !bodiless) {
        out_ += "\r\ncontent-length: ";
        out_ += std::to_string(*length);
    } else if (!length && chunked_) {
        out_ += "\r\ntransfer-encoding: chunked";
    }
    if (!keep_alive_) {
        out_ += "\r\nconnection: close";
    } else if (http_1_0_) {
        out_ += "\r\nconnection: keep-alive";
    }
    out_ += "\r\n\r\n";
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
    append_head(response, response.body.size());
    if (response.status != 204 && response.status != 304 && !head_request_) {
        out_ += response.body;
    }
    enter(Phase::draining);
    flush_soon();
}

void Connection::respond(Response response) {
    if (!answerable()) {
        return;
    }
    forget_body();
    server_->remove_request(request_);
    answer(response);
}

void Connection::respond_file(Response head, FilePart part) {
    if (!answerable()) {
        return;
    }
    forget_body();
    server_->remove_request(request_);
    append_head(head, part.bytes);
    if (!head_request_) {
        file_ = std::move(part);
    }
    enter(Phase::draining);
    flush_soon();
}

void Connection::begin(Response response) {
    if (!answerable()) {
        return;
    }
    forget_body();
    streamed_ = true;
    announced_bytes_ = announced_length(response.headers);
    chunked_ = !http_1_0_ && !head_request_ && !announced_bytes_;
    keep_alive_ = keep_alive_ && (!http_1_0_ || announced_bytes_);
    append_head(response, announced_bytes_);
    enter(Phase::streaming);
    write(response.body);
    flush_soon();
}

void Connection::write(std::string_view bytes) {
    if (announced_bytes_) {
        bytes = bytes.substr(0, *announced_bytes_ - std::min(*announced_bytes_, given_bytes_));
    }
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
    if (given_bytes_ < announced_bytes_.value_or(0) && !head_request_) {
        break_off();
        return;
    }
    if (chunked_) {
        out_ += "0\r\n\r\n";
    }
    enter(Phase::draining);
    flush_soon();
}

void Connection::break_off() {
    if (!answerable() && phase_ != Phase::streaming) {
        return;
    }
    // What was written still goes out, but the last chunk never comes. Without chunks only a reset
    // tells a broken answer from a whole one.
    static_cast<void>(send_some());
    close(!chunked_ || answerable());
}

// False when the connection is broken. Never calls back.
bool Connection::send_some() {
    for (int parts = 0; parts <= file_parts_in_a_row; ++parts) {
        if (!send_out()) {
            return false;
        }
        if (!out_.empty() || file_.bytes == 0 || parts == file_parts_in_a_row) {
            break;
        }
        if (!read_file_part()) {
            return false;
        }
    }
    return true;
}

// The next part of the file into the empty buffer.
bool Connection::read_file_part() {
    const std::size_t count =
        static_cast<std::size_t>(std::min<std::uint64_t>(file_.bytes, file_part_bytes));
    out_.resize(count);
    if (file_.file->read(file_.offset, out_.data(), count) != count) {
        return false;  // it has become shorter: only a broken answer tells
    }
    file_.offset += count;
    file_.bytes -= count;
    if (file_.bytes == 0) {
        file_.file.reset();
    }
    return true;
}

bool Connection::send_out() {
    while (out_offset_ < out_.size()) {
        const IoResult result =
            channel_->write(out_.data() + out_offset_, out_.size() - out_offset_);
        write_wants_read_ = result.state == IoState::wants_read;
        if (result.state == IoState::wants_write || write_wants_read_) {
            break;
        }
        if (result.state != IoState::moved) {
            return false;
        }
        out_offset_ += result.bytes;
        if (phase_ == Phase::draining) {
            enter(Phase::draining);  // progress: the time starts again
        }
    }
    if (out_offset_ == out_.size() || out_offset_ >= ahead_bytes_max) {
        wire_bytes_ += out_offset_;
        out_.erase(0, out_offset_);
        out_offset_ = 0;
        if (out_.empty() && file_.bytes == 0 && out_.capacity() > kept_capacity_bytes) {
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
        if (!write_wants_read_) {
            wait_writable();
        }
    } else if (file_.bytes > 0) {
        flush_soon();
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
        if (ec) {
            return;
        }
        self->flush();
        if (self->phase_ != Phase::closed && std::exchange(self->read_wants_write_, false)) {
            self->on_readable();
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
        channel_->end_sending();
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

}  // namespace idlewatt::http
