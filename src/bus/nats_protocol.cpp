// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_protocol.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "base/assert.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::string_view line_end = "\r\n";
// A buffer that one large message has widened is given back.
constexpr std::size_t kept_bytes_max = 1024 * 1024;
constexpr std::size_t shown_bytes_max = 16;

// The first word is enough to know an HTTP server by, and too little of what people say.
tl::unexpected<base::Error> not_nats(std::string_view what) {
    std::string shown(what.substr(0, std::min(shown_bytes_max, what.find(' '))));
    std::ranges::replace_if(
        shown, [](char c) { return c < ' ' || c > '~'; }, '?');
    return base::fail(base::ErrorKind::bad_input,
                      "the server does not speak NATS's protocol: '" + shown + "'");
}

// Of at most this many words between blanks; more make it one longer.
constexpr std::size_t words_max = 5;
struct Words {
    std::array<std::string_view, words_max + 1> words;
    std::size_t count = 0;
};

bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

Words words_of(std::string_view line) {
    Words found;
    for (std::size_t at = 0; at < line.size() && found.count <= words_max;) {
        if (is_blank(line[at])) {
            ++at;
            continue;
        }
        std::size_t end = at;
        while (end < line.size() && !is_blank(line[end]))
            ++end;
        found.words[found.count++] = line.substr(at, end - at);
        at = end;
    }
    return found;
}

std::optional<std::uint64_t> number_in(std::string_view word) {
    std::uint64_t value = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
    if (error != std::errc{} || end != word.data() + word.size())
        return std::nullopt;
    return value;
}

std::string_view after_word(std::string_view line, std::size_t word_size) {
    line.remove_prefix(std::min(word_size, line.size()));
    const std::size_t first = line.find_first_not_of(" \t");
    return first == line.npos ? std::string_view{} : line.substr(first);
}

std::string_view without_quotes(std::string_view text) {
    if (text.size() >= 2 && text.front() == '\'' && text.back() == '\'')
        return text.substr(1, text.size() - 2);
    return text;
}

void append_number(std::string& out, std::uint64_t value) {
    std::array<char, 20> digits{};
    const auto [end, error] = std::to_chars(digits.data(), digits.data() + digits.size(), value);
    out.append(digits.data(), end);
}

}  // namespace

bool says_no_responders(const NatsWord& message) {
    return message.payload.empty() && message.headers.starts_with("NATS/1.0 503");
}

std::span<char> NatsReader::room(std::size_t least) {
    if (begin_ == end_) {
        begin_ = end_ = 0;
        if (bytes_.size() > kept_bytes_max && least < kept_bytes_max)
            bytes_ = std::vector<char>();
    }
    if (bytes_.size() - end_ < least) {
        if (begin_ > 0)
            std::memmove(bytes_.data(), bytes_.data() + begin_, end_ - begin_);
        end_ -= begin_;
        begin_ = 0;
        // Doubling, so that a large message is not copied for each of its pieces.
        if (bytes_.size() - end_ < least)
            bytes_.resize(std::max(end_ + least, 2 * bytes_.size()));
    }
    return {bytes_.data() + end_, bytes_.size() - end_};
}

void NatsReader::arrived(std::size_t count) {
    IDLEWATT_ASSERT(count <= bytes_.size() - end_);
    end_ += count;
}

base::Result<std::optional<NatsWord>> NatsReader::next() {
    const std::string_view bytes = unread();
    const std::size_t end = bytes.find('\n', searched_);
    if (end == bytes.npos) {
        searched_ = bytes.size();
        if (bytes.size() > line_bytes_max)
            return not_nats(bytes);
        return std::nullopt;
    }
    if (end == 0 || end > line_bytes_max || bytes[end - 1] != '\r')
        return not_nats(bytes);
    const std::string_view line = bytes.substr(0, end - 1);
    const std::string_view rest = bytes.substr(end + 1);
    // While a message's payload is still to come, its line is found at once.
    searched_ = end;
    if (line.starts_with("MSG "))
        return read_message(line, rest, false);
    if (line.starts_with("HMSG "))
        return read_message(line, rest, true);
    NatsWord word;
    if (line == "PING") {
        word.kind = NatsWord::Kind::ping;
    } else if (line == "PONG") {
        word.kind = NatsWord::Kind::pong;
    } else if (line == "+OK") {
        word.kind = NatsWord::Kind::ok;
    } else if (line.starts_with("-ERR")) {
        word.kind = NatsWord::Kind::error;
        word.text = without_quotes(after_word(line, 4));
    } else if (line.starts_with("INFO ")) {
        word.kind = NatsWord::Kind::info;
        word.text = after_word(line, 5);
    } else {
        return not_nats(line);
    }
    begin_ += end + 1;
    searched_ = 0;
    return word;
}

// MSG subject subscription [reply] bytes; HMSG subject subscription [reply] bytes-of-headers bytes.
NatsReader::Read NatsReader::read_message(std::string_view line, std::string_view rest,
                                          bool has_headers) {
    const Words words = words_of(after_word(line, has_headers ? 5 : 4));
    const std::size_t without_reply = has_headers ? 4 : 3;
    const bool has_reply = words.count == without_reply + 1;
    if (!has_reply && words.count != without_reply)
        return not_nats(line);
    const auto subscription = number_in(words.words[1]);
    const auto size = number_in(words.words[words.count - 1]);
    const auto headers = has_headers ? number_in(words.words[words.count - 2]) : 0;
    if (!subscription || !size || !headers || *headers > *size || *size > message_bytes_max)
        return not_nats(line);
    if (rest.size() < *size + line_end.size())
        return std::nullopt;
    if (rest.substr(*size, line_end.size()) != line_end)
        return not_nats(line);
    NatsWord word;
    word.kind = NatsWord::Kind::message;
    word.subscription = *subscription;
    word.subject = words.words[0];
    if (has_reply)
        word.reply = words.words[2];
    word.headers = rest.substr(0, *headers);
    word.payload = rest.substr(*headers, *size - *headers);
    begin_ += static_cast<std::size_t>(rest.data() - unread().data()) + *size + line_end.size();
    searched_ = 0;
    return word;
}

void write_publication(std::string& out, std::string_view subject, std::string_view reply,
                       std::string_view payload) {
    out.append("PUB ").append(subject).push_back(' ');
    if (!reply.empty())
        out.append(reply).push_back(' ');
    append_number(out, payload.size());
    out.append(line_end).append(payload).append(line_end);
}

void write_subscription(std::string& out, std::string_view pattern, std::uint64_t subscription) {
    out.append("SUB ").append(pattern).push_back(' ');
    append_number(out, subscription);
    out.append(line_end);
}

void write_unsubscription(std::string& out, std::uint64_t subscription) {
    out.append("UNSUB ");
    append_number(out, subscription);
    out.append(line_end);
}

void write_connect(std::string& out, std::string_view json) {
    out.append("CONNECT ").append(json).append(line_end);
}

void write_ping(std::string& out) {
    out.append("PING\r\n");
}

void write_pong(std::string& out) {
    out.append("PONG\r\n");
}

}  // namespace idlewatt::bus
