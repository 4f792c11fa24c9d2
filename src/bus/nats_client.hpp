// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One connection of libnats, from its opening to its first failure; it never reconnects by itself,
// because libnats would do so without the means to survive its one in 256 authorisation failures.
// The only file pair of the module that meets libnats. Internal to the module.
//
// Known limit: libnats 3.4.1 does not return from its connect while a server that has said INFO
// says nothing more and keeps the connection open (natsConnection_Connect, _readProto); it goes on
// when the server does or dies. connect_nats() waits with it; a loop that runs and the destruction
// of a bus are not held up.
//
// Threads: all members on one thread, the worker's; they may block, each for at most the write
// deadline. libnats's own threads push messages into the inbound queue and set the lost flag.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "bus/nats_inbound.hpp"

namespace idlewatt::bus {

// A mute server is noticed after this long times two: a dead one closes its socket at once.
inline constexpr base::Duration client_ping_interval = base::seconds(2);
inline constexpr int client_pings_out_max = 2;
inline constexpr base::Duration write_deadline = base::seconds(2);
// Per subscription, inside libnats, on the way to the inbound queue.
inline constexpr int subscription_messages_max = 64 * 1024;
inline constexpr int subscription_bytes_max = 64 * 1024 * 1024;

struct NatsClientOptions {
    std::vector<std::string> urls;
    std::string label;
    std::string credentials_file;
    bool tls = false;
    std::string ca_file;  // empty: the system's authorities
};

// What outlives a connection: shared with libnats's threads.
struct NatsClientShared {
    std::shared_ptr<NatsInbound> inbound;
    std::function<void()> on_lost;  // any thread; must not call the client
    std::atomic<std::uint64_t> denied = 0;
    std::atomic<std::uint64_t> slow = 0;
};

class NatsClient {
public:
    // The timeout is for all addresses together.
    [[nodiscard]] static base::Result<std::unique_ptr<NatsClient>> open(
        const NatsClientOptions& options, std::shared_ptr<NatsClientShared> shared,
        base::Duration timeout);
    ~NatsClient();

    NatsClient(const NatsClient&) = delete;
    NatsClient& operator=(const NatsClient&) = delete;

    [[nodiscard]] bool lost() const;
    // False: the connection is of no more use.
    [[nodiscard]] bool subscribe(std::uint64_t id, const std::string& pattern);
    void unsubscribe(std::uint64_t id);
    void publish(const std::string& subject, const std::string& reply, const std::string& payload);
    // Waits until the server has handled everything so far.
    [[nodiscard]] bool flush(base::Duration timeout);

    // An inbox token that no other connection in the world has.
    [[nodiscard]] static std::string unique_token();
    // The last call of a thread that has used clients.
    static void release_thread();

private:
    struct Implementation;
    explicit NatsClient(std::unique_ptr<Implementation> impl);
    std::unique_ptr<Implementation> impl_;
};

}  // namespace idlewatt::bus
