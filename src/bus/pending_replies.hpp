// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a connection waits for in its inbox: answers to requests, and the server's word that nobody
// was subscribed. Shared by both implementations of the bus, so that they cannot differ.
//
// An inbox is <prefix>.<token>; the token's first letter tells a request (r) from a publish_or (n),
// whose receivers see no reply subject, because nobody would hear an answer.
//
// Lifecycle: no callback runs after destruction; a callback may destroy it. Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "bus/bus.hpp"

namespace idlewatt::bus {

// A publish_or that has waited this long has been delivered, or the server is gone.
inline constexpr base::Duration no_responders_wait = base::seconds(5);
inline constexpr std::size_t no_responders_waiting_max = 16 * 1024;
// A request above this is told timed_out at once.
inline constexpr std::size_t requests_waiting_max = 64 * 1024;

class PendingReplies {
public:
    // The prefix holds no wildcard and no dot at its end.
    PendingReplies(base::Loop& loop, std::string prefix);
    ~PendingReplies();

    PendingReplies(const PendingReplies&) = delete;
    PendingReplies& operator=(const PendingReplies&) = delete;

    // To subscribe to.
    [[nodiscard]] std::string pattern() const { return prefix_ + ".*"; }

    // Each returns the reply subject to publish with.
    [[nodiscard]] std::string expect_reply(base::Duration timeout, Bus::OnReply on_reply);
    [[nodiscard]] std::string expect_no_responders(std::function<void()> on_no_responders);
    // Tells the caller `disconnected` in a task of its own.
    void refuse(Bus::OnReply on_reply);

    // A message of the inbox, or the server's status for one.
    void handle(const Message& message, bool no_responders);
    // The connection has ended: nothing that was waited for can come any more. False when a
    // callback has destroyed this.
    [[nodiscard]] bool disconnected();

    // What the receiver of a message with this reply subject may see of it.
    [[nodiscard]] static std::string_view visible_reply(std::string_view reply);

private:
    struct Request {
        Bus::OnReply on_reply;
        base::TimerId timer{};
    };
    struct Publication {
        std::function<void()> on_no_responders;
        base::Instant since;
    };

    void start(std::uint64_t id, base::Duration timeout, ReplyStatus status, Bus::OnReply on_reply);
    void finish(std::uint64_t id, ReplyStatus status, const Message& message);

    base::Loop& loop_;
    std::string prefix_;
    std::uint64_t next_ = 1;
    std::map<std::uint64_t, Request> requests_;
    std::map<std::uint64_t, Publication> publications_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::bus
