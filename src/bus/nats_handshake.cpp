// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_handshake.hpp"

#include <algorithm>
#include <optional>

#include <nlohmann/json.hpp>

#include "base/assert.hpp"
#include "base/encoding.hpp"
#include "bus/bus.hpp"
#include "bus/nats_credentials.hpp"

namespace idlewatt::bus {

namespace {

using HandshakeClock = NatsSocket::Clock;
using nlohmann::json;

constexpr std::size_t greeting_read_bytes = 4 * 1024;
// Of this client; for those who look at a server's list of connections.
constexpr const char* client_version = "1.0";

// Between socket and words, for as long as it may wait.
class Greeting {
public:
    Greeting(NatsSession& session, HandshakeClock::time_point deadline)
        : session_(session), deadline_(deadline) {}

    // The next word; unavailable when none comes.
    base::Result<NatsWord> hear() {
        // A server that never stops talking must not hold us up either.
        while (HandshakeClock::now() < deadline_) {
            const auto word = session_.reader.next();
            if (!word)
                return tl::unexpected(word.error());
            if (*word)
                return **word;
            const std::span<char> room = session_.reader.room(greeting_read_bytes);
            const IoResult result = session_.socket.read(room);
            if (result.state == IoState::ended)
                return base::fail(base::ErrorKind::unavailable, "the server ended the connection");
            session_.reader.arrived(result.count);
            if (result.state == IoState::blocked &&
                !session_.socket.wait(NatsSocket::Want::read, deadline_)) {
                break;
            }
        }
        return base::fail(base::ErrorKind::unavailable, "the server does not answer");
    }

private:
    NatsSession& session_;
    HandshakeClock::time_point deadline_;
};

struct ServerInfo {
    std::string nonce;
    bool offers_tls = false;
    bool wants_tls = false;
};

base::Result<ServerInfo> server_info(std::string_view text) {
    const json info = json::parse(text, nullptr, false);
    const auto flag = [&](const char* name) {
        const auto found = info.find(name);
        return found != info.end() && found->is_boolean() && found->get<bool>();
    };
    if (!info.is_object()) {
        return base::fail(base::ErrorKind::unavailable,
                          "the server's INFO is no JSON object: no NATS server");
    }
    ServerInfo read;
    if (const auto nonce = info.find("nonce"); nonce != info.end() && nonce->is_string())
        read.nonce = nonce->get<std::string>();
    read.wants_tls = flag("tls_required");
    read.offers_tls = read.wants_tls || flag("tls_available");
    const auto payload = info.find("max_payload");
    if (payload != info.end() && payload->is_number_integer() &&
        payload->get<std::int64_t>() < static_cast<std::int64_t>(payload_bytes_max)) {
        return base::fail(base::ErrorKind::bad_input,
                          "the server's max_payload is " + payload->dump() +
                              " bytes; set it to at least " + std::to_string(payload_bytes_max));
    }
    return read;
}

std::string introduction(const NatsServerChoice& choice, const NatsCredentials* credentials,
                         const ServerInfo& info) {
    json connect{{"verbose", false},     {"pedantic", false}, {"tls_required", choice.tls},
                 {"name", choice.label}, {"lang", "cpp"},     {"version", client_version},
                 {"protocol", 1},        {"echo", true},      {"headers", true},
                 {"no_responders", true}};
    if (credentials != nullptr) {
        connect["jwt"] = credentials->jwt();
        connect["sig"] = base::to_base64url(credentials->sign(info.nonce));
    }
    return connect.dump(-1, ' ', false, json::error_handler_t::replace);
}

// "Authorization Violation", "User Authentication Expired", "... Revoked".
bool is_denial(std::string_view error) {
    if (error.find("Timeout") != error.npos)
        return false;  // of a machine that is slow
    return error.starts_with("Authorization") || error.find("Authentication") != error.npos;
}

base::Result<void> check_tls(const NatsServerChoice& choice, const ServerInfo& info) {
    if (choice.tls && !info.offers_tls)
        return base::fail(base::ErrorKind::bad_input, "the server does not speak TLS");
    if (!choice.tls && info.wants_tls)
        return base::fail(base::ErrorKind::bad_input, "the server wants TLS");
    return {};
}

// Until the server has taken us for who we are.
base::Result<void> await_acceptance(Greeting& greeting, bool has_credentials) {
    for (;;) {
        const auto word = greeting.hear();
        if (!word) {
            // A server that cannot read a JWT does not say so: it ends the connection.
            if (!has_credentials)
                return tl::unexpected(word.error());
            return base::fail(base::ErrorKind::unavailable,
                              word.error().message + " while it looked at the credentials");
        }
        if (word->kind == NatsWord::Kind::pong)
            return {};
        if (word->kind != NatsWord::Kind::error)
            continue;
        return base::fail(
            is_denial(word->text) ? base::ErrorKind::denied : base::ErrorKind::unavailable,
            "the server says '" + std::string(word->text) + "'");
    }
}

// From plain words to sealed ones.
base::Result<void> secure(NatsSession& session, const std::string& host,
                          const NatsServerChoice& choice, HandshakeClock::time_point deadline) {
    // What came in the clear may be anybody's; after this it would count as the server's.
    if (!session.reader.is_empty()) {
        return base::fail(base::ErrorKind::unavailable,
                          "SSL: something was said between the server's INFO and TLS");
    }
    return session.socket.secure(host, choice.ca_file, deadline);
}

base::Result<NatsSession> open_at(const NatsAddress& address, const NatsServerChoice& choice,
                                  const NatsCredentials* credentials,
                                  std::chrono::nanoseconds share) {
    const auto found = NatsHost::look_up(address);
    if (!found)
        return tl::unexpected(found.error());
    const auto deadline = HandshakeClock::now() + share;
    auto socket = NatsSocket::connect(*found, deadline);
    if (!socket)
        return tl::unexpected(socket.error());
    NatsSession session{std::move(*socket), {}};
    Greeting greeting(session, deadline);
    const auto word = greeting.hear();
    if (!word)
        return tl::unexpected(word.error());
    if (word->kind != NatsWord::Kind::info) {
        return base::fail(base::ErrorKind::unavailable,
                          "the server does not begin with INFO: no NATS server");
    }
    const auto info = server_info(word->text);
    if (!info)
        return tl::unexpected(info.error());
    base::Result<void> step = check_tls(choice, *info);
    if (step && choice.tls)
        step = secure(session, address.host, choice, deadline);
    std::string words;
    write_connect(words, introduction(choice, credentials, *info));
    write_ping(words);
    if (step && !session.socket.write_all(words, deadline))
        step = base::fail(base::ErrorKind::unavailable, "the server does not read");
    if (step)
        step = await_acceptance(greeting, credentials != nullptr);
    if (!step)
        return tl::unexpected(step.error());
    return session;
}

}  // namespace

base::Result<NatsSession> open_nats_session(const NatsServerChoice& choice, base::Duration timeout,
                                            std::uint64_t start) {
    std::optional<NatsCredentials> credentials;
    if (!choice.credentials_file.empty()) {
        auto read = NatsCredentials::read(choice.credentials_file);
        if (!read)
            return tl::unexpected(read.error());
        credentials.emplace(std::move(*read));
    }
    const std::size_t count = choice.addresses.size();
    IDLEWATT_ASSERT(count > 0);
    const auto share = std::chrono::nanoseconds(timeout.ns / static_cast<std::int64_t>(count));
    base::Error why;
    for (std::size_t i = 0; i < count; ++i) {
        auto session = open_at(choice.addresses[(start + i) % count], choice,
                               credentials ? &*credentials : nullptr, share);
        if (session)
            return session;
        if (why.kind != base::ErrorKind::denied)
            why = session.error();
    }
    return tl::unexpected(why);
}

}  // namespace idlewatt::bus
