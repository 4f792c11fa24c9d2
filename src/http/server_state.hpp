// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the connections of one real server share. Lives as long as the last of them.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include <boost/asio/ip/tcp.hpp>

#include "base/asio_loop.hpp"
#include "base/prng.hpp"
#include "http/beast_server.hpp"
#include "http/channel.hpp"

namespace idlewatt::http {

class Connection;

// Beyond the limit so many more connections are told 503; all others are closed unheard.
inline constexpr std::size_t turned_away_max = 64;
// How long a client that was answered may take to close its side, so that the answer is not lost.
inline constexpr base::Duration linger_timeout = base::seconds(2);

class ServerState final : public std::enable_shared_from_this<ServerState> {
public:
    ServerState(base::AsioLoop& loop, const ListenOptions& options);

    [[nodiscard]] base::Result<std::uint16_t> open();
    [[nodiscard]] base::Result<void> load_certificate();
    void stop();
    [[nodiscard]] bool stopped() const { return stopped_; }

    // For connections.
    [[nodiscard]] base::Instant now() const { return loop_.now(); }
    [[nodiscard]] const ListenOptions& options() const { return options_; }
    // Plain, or TLS when there is a certificate.
    [[nodiscard]] std::unique_ptr<Channel> make_channel(int socket) const;
    // What the server says by itself, with a request id of its own.
    [[nodiscard]] Response refusal(int status, bool upload = false);
    // A place to read into; its content is gone when another connection reads.
    [[nodiscard]] std::vector<char>& scratch() { return scratch_; }
    [[nodiscard]] RequestId add_request(const std::shared_ptr<Connection>& connection);
    void remove_request(RequestId request) { requests_.erase(request); }
    void remove(const std::shared_ptr<Connection>& connection) { connections_.erase(connection); }
    // Has its flush() called in a later task of the loop, after all that this task still writes.
    void flush_soon(const std::shared_ptr<Connection>& connection);
    // The date header's value, made once a second.
    [[nodiscard]] const std::string& date();

    [[nodiscard]] std::shared_ptr<Connection> find(RequestId request) const;
    [[nodiscard]] std::shared_ptr<const Handler> handler() const { return handler_; }
    void set_handler(Handler handler);

    std::size_t receiving_bytes = 0;  // bodies of all requests that are not whole yet

private:
    void accept();
    void add(boost::asio::ip::tcp::socket socket);
    void check_deadlines();

    base::AsioLoop& loop_;
    ListenOptions options_;
    std::shared_ptr<const TlsContext> tls_;  // null: plain
    base::Prng prng_;                        // of request ids
    boost::asio::ip::tcp::acceptor acceptor_;
    std::shared_ptr<const Handler> handler_;
    std::unordered_set<std::shared_ptr<Connection>> connections_;
    std::unordered_map<RequestId, std::weak_ptr<Connection>> requests_;
    std::vector<std::shared_ptr<Connection>> to_flush_;
    std::vector<char> scratch_;
    std::uint64_t next_request_ = 1;
    std::string date_;
    std::int64_t date_s_ = -1;
    base::TimerId tick_{};
    bool stopped_ = false;
};

}  // namespace idlewatt::http
