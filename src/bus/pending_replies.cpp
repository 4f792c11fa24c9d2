// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/pending_replies.hpp"

#include <charconv>
#include <utility>

namespace idlewatt::bus {

namespace {

constexpr char request_letter = 'r';
constexpr char publication_letter = 'n';

std::string_view last_token(std::string_view subject) {
    const std::size_t dot = subject.rfind('.');
    return dot == std::string_view::npos ? std::string_view{} : subject.substr(dot + 1);
}

}  // namespace

PendingReplies::PendingReplies(base::Loop& loop, std::string prefix)
    : loop_(loop), prefix_(std::move(prefix)) {}

PendingReplies::~PendingReplies() {
    for (const auto& [id, request] : requests_)
        loop_.cancel(request.timer);
}

std::string PendingReplies::expect_reply(base::Duration timeout, Bus::OnReply on_reply) {
    const std::uint64_t id = next_++;
    if (requests_.size() >= requests_waiting_max)
        timeout = {};
    start(id, timeout, ReplyStatus::timed_out, std::move(on_reply));
    return prefix_ + '.' + request_letter + std::to_string(id);
}

void PendingReplies::refuse(Bus::OnReply on_reply) {
    start(next_++, {}, ReplyStatus::disconnected, std::move(on_reply));
}

void PendingReplies::start(std::uint64_t id, base::Duration timeout, ReplyStatus status,
                           Bus::OnReply on_reply) {
    const base::TimerId timer =
        loop_.after(timeout, [this, id, status] { finish(id, status, Message{}); });
    requests_.emplace(id, Request{std::move(on_reply), timer});
}

std::string PendingReplies::expect_no_responders(std::function<void()> on_no_responders) {
    const std::uint64_t id = next_++;
    const base::Instant now = loop_.now();
    while (!publications_.empty()) {
        const auto oldest = publications_.begin();
        if (oldest->second.since + no_responders_wait > now &&
            publications_.size() < no_responders_waiting_max) {
            break;
        }
        publications_.erase(oldest);
    }
    publications_.emplace(id, Publication{std::move(on_no_responders), now});
    return prefix_ + '.' + publication_letter + std::to_string(id);
}

void PendingReplies::handle(const Message& message, bool no_responders) {
    const std::string_view token = last_token(message.subject);
    if (token.size() < 2)
        return;
    std::uint64_t id = 0;
    const auto [end, error] = std::from_chars(token.data() + 1, token.data() + token.size(), id);
    if (error != std::errc{} || end != token.data() + token.size())
        return;
    if (token.front() == request_letter) {
        finish(id, no_responders ? ReplyStatus::no_responders : ReplyStatus::answered, message);
    } else if (token.front() == publication_letter && no_responders) {
        auto publication = publications_.extract(id);
        if (!publication.empty())
            publication.mapped().on_no_responders();
    }
}

void PendingReplies::finish(std::uint64_t id, ReplyStatus status, const Message& message) {
    auto request = requests_.extract(id);
    if (request.empty())
        return;
    loop_.cancel(request.mapped().timer);
    request.mapped().on_reply(status, message);  // may destroy this
}

bool PendingReplies::disconnected() {
    auto requests = std::exchange(requests_, {});
    publications_.clear();
    for (const auto& [id, request] : requests)
        loop_.cancel(request.timer);
    const std::weak_ptr<bool> alive = alive_;
    for (const auto& [id, request] : requests) {
        if (alive.expired())
            return false;
        request.on_reply(ReplyStatus::disconnected, Message{});
    }
    return !alive.expired();
}

std::string_view PendingReplies::visible_reply(std::string_view reply) {
    const std::string_view token = last_token(reply);
    const bool ours = reply.starts_with("_INBOX_") && token.size() > 1 &&
                      token.front() == publication_letter &&
                      token.find_first_not_of("0123456789", 1) == std::string_view::npos;
    return ours ? std::string_view{} : reply;
}

}  // namespace idlewatt::bus
