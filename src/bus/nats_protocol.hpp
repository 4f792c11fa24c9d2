// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The words of NATS's client protocol: reads what a server says out of bytes as they arrive, and
// writes what a client says. Pure. Internal to the module.
// Source: https://docs.nats.io/reference/reference-protocols/nats-protocol
//
// Threads: one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::bus {

// INFO is the longest line: it names every server of a cluster.
inline constexpr std::size_t line_bytes_max = 256 * 1024;
// A server is set to 1 MiB by default and ours to no more; another's may be set higher.
inline constexpr std::size_t message_bytes_max = 8 * 1024 * 1024;

struct NatsWord {
    enum class Kind { message, info, ping, pong, ok, error };

    Kind kind = Kind::ok;
    std::uint64_t subscription = 0;  // of a message, as all that follows but the text
    std::string_view subject;
    std::string_view reply;
    std::string_view headers;  // from their version line on; empty: none
    std::string_view payload;
    std::string_view text;  // of an error, without its quotes; of INFO, its JSON
};

// The server's answer in place of a receiver's: nobody is subscribed.
[[nodiscard]] bool says_no_responders(const NatsWord& message);

class NatsReader {
public:
    // Where the next bytes that arrive may be put: at least `least` of them. Ends every view that
    // next() gave.
    [[nodiscard]] std::span<char> room(std::size_t least);
    // As many of them have arrived.
    void arrived(std::size_t count);
    // All that has arrived has been read.
    [[nodiscard]] bool is_empty() const { return begin_ == end_; }

    // The next whole word, whose views live until room() is called; nothing when more bytes are
    // needed. An error (bad_input) is final: what comes is not the protocol, or larger than
    // allowed.
    [[nodiscard]] base::Result<std::optional<NatsWord>> next();

private:
    using Read = base::Result<std::optional<NatsWord>>;

    [[nodiscard]] std::string_view unread() const {
        return {bytes_.data() + begin_, end_ - begin_};
    }
    [[nodiscard]] Read read_message(std::string_view line, std::string_view rest, bool has_headers);

    std::vector<char> bytes_;
    std::size_t begin_ = 0;     // of what has not been read
    std::size_t end_ = 0;       // of what has arrived
    std::size_t searched_ = 0;  // as many of the unread bytes hold no end of line
};

// Each appends one word. Subjects and patterns are valid (subject_tree.hpp).
void write_publication(std::string& out, std::string_view subject, std::string_view reply,
                       std::string_view payload);
void write_subscription(std::string& out, std::string_view pattern, std::uint64_t subscription);
void write_unsubscription(std::string& out, std::uint64_t subscription);
void write_connect(std::string& out, std::string_view json);
void write_ping(std::string& out);
void write_pong(std::string& out);

}  // namespace idlewatt::bus
