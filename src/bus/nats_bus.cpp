// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_bus.hpp"

#include <algorithm>
#include <map>
#include <utility>

#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "base/loopback.hpp"
#include "bus/chance.hpp"
#include "bus/nats_departure.hpp"
#include "bus/nats_link.hpp"
#include "bus/pending_replies.hpp"
#include "bus/subject_tree.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::uint64_t inbox_subscription = 1;  // of both links: the inbox, or the departures
constexpr std::uint64_t system_inbox_subscription = 2;
constexpr std::uint64_t first_subscription = 3;

class NatsBus final : public Bus {
public:
    NatsBus(base::AsioLoop& loop, const std::string& name)
        : main_listener_(*this),
          system_listener_(*this),
          pending_(loop, "_INBOX_" + name + '.' + unique_token()),
          system_pending_(loop, "_INBOX_" + name + '.' + unique_token()) {}

    base::Result<void> open(base::AsioLoop& loop, const NatsOptions& options,
                            const NatsServerChoice& server) {
        const base::Instant deadline = loop.now() + options.connect_timeout;
        NatsLinkOptions link{server, options.reconnect_delay, options.connect_timeout};
        auto main = NatsLink::open(loop, main_listener_, link);
        if (!main)
            return tl::unexpected(main.error());
        main_ = std::move(*main);
        main_->subscribe(inbox_subscription, pending_.pattern());
        if (options.system_credentials_file.empty())
            return {};
        link.server.credentials_file = options.system_credentials_file;
        link.connect_timeout = std::max(deadline - loop.now(), base::milliseconds(1));
        auto system = NatsLink::open(loop, system_listener_, link);
        if (!system) {
            return base::fail(system.error().kind,
                              "with the system credentials: " + system.error().message);
        }
        system_ = std::move(*system);
        system_->subscribe(inbox_subscription, std::string(departure_subject));
        system_->subscribe(system_inbox_subscription, system_pending_.pattern());
        system_connected_ = true;
        return {};
    }

    SubscriptionId subscribe(std::string_view subject, OnMessage on_message) override {
        IDLEWATT_ASSERT(valid_pattern(subject));
        const std::uint64_t id = next_subscription_++;
        subscriptions_.emplace(id, std::make_shared<OnMessage>(std::move(on_message)));
        main_->subscribe(id, subject);
        return SubscriptionId{id};
    }

    void unsubscribe(SubscriptionId subscription) override {
        const auto id = static_cast<std::uint64_t>(subscription);
        if (subscriptions_.erase(id) != 0)
            main_->unsubscribe(id);
    }

    void publish(std::string_view subject, std::string_view payload) override {
        send(subject, {}, payload);
    }

    void publish_or(std::string_view subject, std::string_view payload,
                    std::function<void()> on_no_responders) override {
        send(subject, pending_.expect_no_responders(std::move(on_no_responders)), payload);
    }

    void request(std::string_view subject, std::string_view payload, base::Duration timeout,
                 OnReply on_reply) override {
        if (!connected_) {
            pending_.refuse(std::move(on_reply));
            return;
        }
        send(subject, pending_.expect_reply(timeout, std::move(on_reply)), payload);
    }

    void reply(const Message& to, std::string_view payload) override {
        // The reply subject comes from a stranger: a bad one is his loss.
        if (valid_subject(to.reply))
            send(to.reply, {}, payload);
    }

    void system_request(std::string_view subject, std::string_view payload, base::Duration timeout,
                        OnReply on_reply) override {
        IDLEWATT_ASSERT(valid_subject(subject));
        IDLEWATT_ASSERT(payload.size() <= payload_bytes_max);
        if (!system_connected_) {
            system_pending_.refuse(std::move(on_reply));
            return;
        }
        system_->publish(subject, system_pending_.expect_reply(timeout, std::move(on_reply)),
                         payload);
    }

    void reauthenticate() override {
        main_->reauthenticate();
        if (system_)
            system_->reauthenticate();
    }

    [[nodiscard]] bool connected() const override { return connected_; }

    void on_state(OnState on_state) override {
        on_state_ = std::make_shared<OnState>(std::move(on_state));
    }

    void on_departure(OnDeparture on_departure) override {
        on_departure_ = std::make_shared<OnDeparture>(std::move(on_departure));
    }

    [[nodiscard]] Losses losses() const override {
        Losses losses = main_->losses();
        losses.published_while_disconnected += published_while_disconnected_;
        return losses;
    }

private:
    struct MainListener final : NatsListener {
        explicit MainListener(NatsBus& b) : bus(b) {}
        void on_message(std::uint64_t id, Message& message, bool no_responders) override {
            bus.on_message(id, message, no_responders);
        }
        void on_connected(bool connected) override { bus.change_state(connected); }
        NatsBus& bus;
    };
    struct SystemListener final : NatsListener {
        explicit SystemListener(NatsBus& b) : bus(b) {}
        void on_message(std::uint64_t id, Message& message, bool no_responders) override {
            bus.on_system_message(id, message, no_responders);
        }
        void on_connected(bool connected) override { bus.change_system_state(connected); }
        NatsBus& bus;
    };

    void send(std::string_view subject, std::string_view reply, std::string_view payload) {
        IDLEWATT_ASSERT(valid_subject(subject));
        IDLEWATT_ASSERT(payload.size() <= payload_bytes_max);
        if (!connected_) {
            ++published_while_disconnected_;
            return;
        }
        main_->publish(subject, reply, payload);
    }

    void on_message(std::uint64_t subscription, Message& message, bool no_responders) {
        if (subscription == inbox_subscription)
            return pending_.handle(message, no_responders);
        const auto found = subscriptions_.find(subscription);
        if (found == subscriptions_.end())
            return;
        const auto on_message = found->second;  // survives its own unsubscribe
        message.reply.resize(PendingReplies::visible_reply(message.reply).size());
        (*on_message)(message);
    }

    void change_state(bool up) {
        connected_ = up;
        if (!up && !pending_.disconnected())
            return;
        const auto on_state = on_state_;
        if (on_state && *on_state)
            (*on_state)(up);
    }

    void change_system_state(bool up) {
        system_connected_ = up;
        if (!up)
            static_cast<void>(system_pending_.disconnected());
    }

    void on_system_message(std::uint64_t subscription, const Message& message, bool no_responders) {
        if (subscription == system_inbox_subscription)
            return system_pending_.handle(message, no_responders);
        const auto departure = parse_departure(message.payload);
        const auto on_departure = on_departure_;
        if (departure && on_departure && *on_departure)
            (*on_departure)(*departure);
    }

    MainListener main_listener_;
    SystemListener system_listener_;
    PendingReplies pending_;
    PendingReplies system_pending_;
    bool system_connected_ = false;
    bool connected_ = true;  // once open() has succeeded
    std::uint64_t next_subscription_ = first_subscription;
    std::uint64_t published_while_disconnected_ = 0;
    std::map<std::uint64_t, std::shared_ptr<OnMessage>> subscriptions_;
    std::shared_ptr<OnState> on_state_;
    std::shared_ptr<OnDeparture> on_departure_;
    // Last: destroyed first, and after that no event comes.
    std::unique_ptr<NatsLink> main_;
    std::unique_ptr<NatsLink> system_;
};

base::Result<void> check_credentials_file(const std::string& path) {
    if (path.empty())
        return {};
    struct stat status {};
    if (stat(path.c_str(), &status) != 0 || access(path.c_str(), R_OK) != 0) {
        return base::fail_errno("cannot read the credentials file " + path);
    }
    // Never refused for that: it may lie on a file system without modes.
    if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0) {
        base::log_warning("bus", "others may read the credentials file " + path + "; chmod 600");
    }
    return {};
}

std::string explain(const base::Error& error, const NatsOptions& options,
                    const NatsServerChoice& server) {
    std::string addresses;
    for (const NatsAddress& address : server.addresses)
        addresses += (addresses.empty() ? "" : ", ") + address.shown();
    std::string text = "NATS at " + addresses + ": " + error.message;
    if (error.kind == base::ErrorKind::denied) {
        return text + "; the credentials of '" + options.name + "' are wrong, expired or revoked";
    }
    if (error.kind == base::ErrorKind::bad_input) {
        return text +
               "; expected addresses like nats://127.0.0.1:4222 (tls:// where the server "
               "wants TLS), a credentials file and, with TLS, a CA file";
    }
    return text + "; is the server running and the address right?";
}

// Where to connect, and that it is safe to.
base::Result<NatsServerChoice> server_choice(const NatsOptions& options) {
    NatsServerChoice server{
        {}, options.label, options.credentials_file, !options.ca_file.empty(), options.ca_file};
    if (options.urls.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "no address of a NATS server; expected one like nats://127.0.0.1:4222");
    }
    for (const std::string& url : options.urls) {
        const auto address = parse_nats_address(url);
        if (!address)
            return tl::unexpected(address.error());
        server.tls = server.tls || address->tls;
        server.addresses.push_back(*address);
    }
    for (const NatsAddress& address : server.addresses) {
        if (!server.tls && !options.allow_plaintext && !base::is_loopback(address.host)) {
            return base::fail(base::ErrorKind::bad_input,
                              "will not speak to " + address.shown() +
                                  " without TLS: others could read prompts. Name it with tls:// or "
                                  "give a CA file, or allow plain text explicitly");
        }
    }
    return server;
}

}  // namespace

base::Result<std::unique_ptr<Bus>> connect_nats(base::AsioLoop& loop, const NatsOptions& options) {
    IDLEWATT_ASSERT(valid_subject(options.name) && options.name.find('.') == std::string::npos);
    const auto server = server_choice(options);
    if (!server)
        return tl::unexpected(server.error());
    for (const std::string& path : {options.credentials_file, options.system_credentials_file}) {
        const auto readable = check_credentials_file(path);
        if (!readable)
            return tl::unexpected(readable.error());
    }
    if (!options.ca_file.empty() && access(options.ca_file.c_str(), R_OK) != 0)
        return base::fail_errno("cannot read the CA file " + options.ca_file);
    auto bus = std::make_unique<NatsBus>(loop, options.name);
    const auto opened = bus->open(loop, options, *server);
    if (!opened)
        return base::fail(opened.error().kind, explain(opened.error(), options, *server));
    return std::unique_ptr<Bus>(std::move(bus));
}

}  // namespace idlewatt::bus
