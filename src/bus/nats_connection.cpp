// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_connection.hpp"

#include <array>
#include <utility>

#include <boost/asio/post.hpp>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::size_t read_bytes = 64 * 1024;
// A buffer that one flood has widened is given back.
constexpr std::size_t kept_out_bytes_max = 1024 * 1024;

constexpr std::size_t told_bytes_max = 256;  // of an error's text

// The first of each power of two: a loop that is denied must not fill the disk.
bool is_told(std::uint64_t count) {
    return (count & (count - 1)) == 0;
}

}  // namespace

std::shared_ptr<NatsConnection> NatsConnection::start(base::AsioLoop& loop, NatsSession session,
                                                      NatsConnectionOwner& owner, Losses& losses) {
    auto* const made_here = new NatsConnection(  // tidy: allow(raw_new) the constructor is private
        loop, std::move(session), owner, losses);
    const std::shared_ptr<NatsConnection> made(made_here);
    made->tick();
    // What came with the greeting is told in a task of its own, as all else.
    boost::asio::post(loop.context(), [made] {
        if (made->owner_ != nullptr)
            made->handle_input();
    });
    return made;
}

NatsConnection::NatsConnection(base::AsioLoop& loop, NatsSession session,
                               NatsConnectionOwner& owner, Losses& losses)
    : loop_(loop),
      session_(std::move(session)),
      waiter_(loop.context(), session_.socket.descriptor()),
      owner_(&owner),
      losses_(&losses) {}

NatsConnection::~NatsConnection() {
    stop();
}

void NatsConnection::subscribe(std::uint64_t id, std::string_view pattern) {
    write_subscription(out_, pattern, id);
    write_soon();
}

void NatsConnection::unsubscribe(std::uint64_t id) {
    write_unsubscription(out_, id);
    write_soon();
}

void NatsConnection::publish(std::string_view subject, std::string_view reply,
                             std::string_view payload) {
    if (out_.size() - sent_ + subject.size() + payload.size() > outbound_bytes_max) {
        if (losses_->published_too_fast++ == 0)
            base::log_warning("bus", "published faster than the server takes; dropping");
        return;
    }
    write_publication(out_, subject, reply, payload);
    ++unsent_publications_;
    write_soon();
}

void NatsConnection::ping() {
    write_ping(out_);
    ++pings_out_;
    write_soon();
}

void NatsConnection::await_input() {
    waiter_.async_wait(boost::asio::posix::descriptor_base::wait_read,
                       [self = shared_from_this()](const boost::system::error_code&) {
                           if (self->owner_ != nullptr)
                               self->read();
                       });
}

void NatsConnection::read() {
    const std::span<char> room = session_.reader.room(read_bytes);
    const IoResult result = session_.socket.read(room);
    switch (result.state) {
        case IoState::ended:
            return lose("the server ended the connection");
        case IoState::blocked:
            return await_input();
        case IoState::moved:
            session_.reader.arrived(result.count);
            return handle_input();
    }
}

void NatsConnection::handle_input() {
    const std::shared_ptr<NatsConnection> self = shared_from_this();
    for (int messages = 0; messages < inbound_batch;) {
        const auto word = session_.reader.next();
        if (!word)
            return lose(word.error().message);
        if (!*word)
            return input_ended();
        pings_out_ = 0;  // whoever speaks is there
        messages += handle(**word) ? 0 : 1;
        if (owner_ == nullptr)
            return;
    }
    boost::asio::post(loop_.context(), [self] {
        if (self->owner_ != nullptr)
            self->handle_input();
    });
}

// All that has arrived is told; what is to be said because of it goes out in this turn of the loop.
void NatsConnection::input_ended() {
    session_.socket.holds_input() ? read_soon() : await_input();
    write();
}

void NatsConnection::read_soon() {
    boost::asio::post(loop_.context(), [self = shared_from_this()] {
        if (self->owner_ != nullptr)
            self->read();
    });
}

bool NatsConnection::handle(const NatsWord& word) {
    switch (word.kind) {
        case NatsWord::Kind::message:
            message_.subject = word.subject;
            message_.reply = word.reply;
            message_.payload = word.payload;
            owner_->on_message(word.subscription, message_, says_no_responders(word));
            return false;
        case NatsWord::Kind::ping:
            write_pong(out_);
            write_soon();
            return true;
        case NatsWord::Kind::pong:
            owner_->on_pong();
            return true;
        case NatsWord::Kind::error:
            handle_error(word.text);
            return true;
        case NatsWord::Kind::info:  // other servers of the cluster: we know those that we are told
        case NatsWord::Kind::ok:
            return true;
    }
    return true;
}

// After all but a denial the server ends the connection.
void NatsConnection::handle_error(std::string_view text) {
    if (text.starts_with("Permissions Violation")) {
        const std::uint64_t count = ++losses_->denied;
        if (is_told(count)) {
            base::log_warning("bus", "denied by the server (" + std::to_string(count) +
                                         "): " + std::string(text.substr(0, told_bytes_max)));
        }
        return;
    }
    base::log_warning("bus", "the server says: " + std::string(text.substr(0, told_bytes_max)));
}

void NatsConnection::write_soon() {
    if (is_blocked() || std::exchange(write_posted_, true))
        return;
    boost::asio::post(loop_.context(), [self = shared_from_this()] {
        self->write_posted_ = false;
        if (self->owner_ != nullptr)
            self->write();
    });
}

void NatsConnection::write() {
    if (is_blocked())
        return;
    IoResult result{IoState::moved, 0};
    while (sent_ < out_.size() && result.state == IoState::moved) {
        result = session_.socket.write(std::string_view(out_).substr(sent_));
        sent_ += result.count;
    }
    if (result.state == IoState::moved)
        result.state = session_.socket.flush();
    if (result.state == IoState::ended)
        return lose("the server ended the connection");
    if (result.state == IoState::blocked)
        return await_output();
    out_.clear();
    sent_ = 0;
    unsent_publications_ = 0;
    if (out_.capacity() > kept_out_bytes_max)
        out_.shrink_to_fit();
}

void NatsConnection::await_output() {
    if (sent_ > out_.size() / 2)
        out_.erase(0, std::exchange(sent_, 0));
    blocked_since_ = loop_.now();
    waiter_.async_wait(boost::asio::posix::descriptor_base::wait_write,
                       [self = shared_from_this()](const boost::system::error_code&) {
                           if (self->owner_ == nullptr)
                               return;
                           self->blocked_since_.reset();
                           self->write();
                       });
}

void NatsConnection::tick() {
    ping_timer_ = loop_.after(ping_interval, [this] {
        if (is_blocked() && loop_.now() - *blocked_since_ >= write_deadline)
            return lose("the server takes nothing any more");
        if (pings_out_ >= pings_out_max)
            return lose("the server does not answer");
        // Behind what waits, a ping would say nothing of the server.
        if (!is_blocked())
            ping();
        tick();
    });
}

void NatsConnection::lose(const std::string& why) {
    base::log_warning("bus", why);
    NatsConnectionOwner* const owner = owner_;
    const std::shared_ptr<NatsConnection> self = shared_from_this();  // the owner's may be the last
    stop();
    owner->on_lost();
}

void NatsConnection::stop() {
    if (owner_ == nullptr)
        return;
    owner_ = nullptr;
    losses_->published_while_disconnected += unsent_publications_;
    loop_.cancel(ping_timer_);
    waiter_.release();
}

void NatsConnection::retire() {
    if (owner_ == nullptr)
        return;
    if (!is_blocked()) {
        const IoResult sent = session_.socket.write(std::string_view(out_).substr(sent_));
        if (sent_ + sent.count == out_.size())
            unsent_publications_ = 0;
    }
    stop();
    session_.socket.end_writing();
    loop_.after(close_wait, [self = shared_from_this()] {});
}

void NatsConnection::close() {
    if (owner_ == nullptr)
        return;
    unsent_publications_ = 0;
    stop();
    using Clock = NatsSocket::Clock;
    const auto deadline = Clock::now() + std::chrono::nanoseconds(close_wait.ns);
    NatsSocket& socket = session_.socket;
    if (!socket.write_all(std::string_view(out_).substr(sent_), deadline))
        return;
    // It closes when it has handled all; a socket closed with words unread would cut it short.
    socket.end_writing();
    std::array<char, read_bytes / 4> unread;
    for (IoState state = IoState::moved; state != IoState::ended && Clock::now() < deadline;) {
        state = socket.read(unread).state;
        if (state == IoState::blocked && !socket.wait(NatsSocket::Want::read, deadline))
            return;
    }
}

}  // namespace idlewatt::bus
