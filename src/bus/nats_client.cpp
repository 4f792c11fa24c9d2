// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_client.hpp"

#include <algorithm>
#include <fstream>
#include <map>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <utility>

#include <nats/nats.h>

#include "base/log.hpp"

namespace idlewatt::bus {

namespace {

constexpr std::size_t credentials_bytes_max = 64 * 1024;
constexpr std::size_t seed_bytes = 58;
// Of each thread that libnats delivers with.
constexpr std::size_t spent_messages_max = 128;
constexpr std::size_t spent_bytes_max = 256 * 1024;

struct Target {
    std::shared_ptr<NatsClientShared> shared;
    std::shared_ptr<std::atomic<bool>> lost;
    std::uint64_t subscription = 0;
};

// libnats names no moment after which a callback cannot come any more. So its closures are numbers,
// never pointers; a number that has been given back means nothing.
class Targets {
public:
    void* add(Target target) {
        const std::lock_guard lock(mutex_);
        const std::uintptr_t number = next_++;
        targets_.emplace(number, std::move(target));
        return reinterpret_cast<void*>(
            number);  // NOLINT(performance-no-int-to-ptr): not an address
    }
    void remove(void* number) {
        const std::lock_guard lock(mutex_);
        targets_.erase(reinterpret_cast<std::uintptr_t>(number));
    }
    std::optional<Target> find(void* number) {
        const std::lock_guard lock(mutex_);
        const auto found = targets_.find(reinterpret_cast<std::uintptr_t>(number));
        if (found == targets_.end())
            return std::nullopt;
        return found->second;
    }

private:
    std::mutex mutex_;
    std::uintptr_t next_ = 1;
    std::unordered_map<std::uintptr_t, Target> targets_;
};

// Never destroyed: libnats's threads may outlive main.
Targets& targets() {
    static Targets& instance = *std::make_unique<Targets>().release();
    return instance;
}

// libnats frees a message on a thread of its own, which it wakes for each one: in a stream of
// tokens that costs more than all else that is done with them. So they are given back by the batch.
class SpentMessages {
public:
    SpentMessages() = default;
    ~SpentMessages() { give_back(); }
    SpentMessages(const SpentMessages&) = delete;
    SpentMessages& operator=(const SpentMessages&) = delete;

    void add(natsMsg* message) {
        messages_.push_back(message);
        bytes_ += static_cast<std::size_t>(natsMsg_GetDataLength(message));
        if (messages_.size() >= spent_messages_max || bytes_ >= spent_bytes_max)
            give_back();
    }

private:
    void give_back() {
        for (natsMsg* message : messages_)
            natsMsg_Destroy(message);
        messages_.clear();
        bytes_ = 0;
    }

    std::vector<natsMsg*> messages_;
    std::size_t bytes_ = 0;
};

void handle_message(natsConnection*, natsSubscription*, natsMsg* raw, void* closure) {
    thread_local SpentMessages spent;
    const std::unique_ptr<natsMsg, void (*)(natsMsg*)> message(
        raw, [](natsMsg* done) { spent.add(done); });
    const std::optional<Target> target = targets().find(closure);
    if (!target)
        return;
    NatsEvent event;
    if (natsMsg_IsNoResponders(raw))
        event.kind = NatsEvent::Kind::no_responders;
    event.subscription = target->subscription;
    event.message.subject = natsMsg_GetSubject(raw);
    const char* reply = natsMsg_GetReply(raw);
    if (reply != nullptr)
        event.message.reply = reply;
    event.message.payload.assign(natsMsg_GetData(raw),
                                 static_cast<std::size_t>(natsMsg_GetDataLength(raw)));
    target->shared->inbound->push(std::move(event));
}

void handle_closed(natsConnection*, void* closure) {
    const std::optional<Target> target = targets().find(closure);
    if (!target)
        return;
    *target->lost = true;
    target->shared->on_lost();
}

void handle_error(natsConnection* connection, natsSubscription*, natsStatus status, void* closure) {
    const std::optional<Target> target = targets().find(closure);
    if (!target)
        return;
    if (status == NATS_SLOW_CONSUMER) {
        if (target->shared->slow++ == 0) {
            base::log_warning("bus", "libnats drops messages: they come faster than it delivers");
        }
        return;
    }
    const char* text = nullptr;
    natsConnection_GetLastError(connection, &text);
    const std::string why = text != nullptr && *text != '\0' ? text : natsStatus_GetText(status);
    if (status != NATS_NOT_PERMITTED) {
        base::log_warning("bus", "connection: " + why);
        return;
    }
    // The first of each power of two: a loop that is denied must not fill the disk.
    const std::uint64_t count = ++target->shared->denied;
    if ((count & (count - 1)) == 0) {
        base::log_warning("bus", "denied by the server (" + std::to_string(count) + "): " + why);
    }
}

natsStatus set_tls(natsOptions* options, const NatsClientOptions& wanted) {
    if (!wanted.tls)
        return NATS_OK;
    const natsStatus s = natsOptions_SetSecure(options, true);
    if (s != NATS_OK || wanted.ca_file.empty())
        return s;
    return natsOptions_LoadCATrustedCertificates(options, wanted.ca_file.c_str());
}

// The first line between dashes that begin with these words, or nothing.
std::string_view block_of(std::string_view text, std::string_view words) {
    const std::size_t title = text.find(words);
    const std::size_t begin = title == text.npos ? text.npos : text.find('\n', title);
    if (begin == text.npos)
        return {};
    const std::string_view line = text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
    return line.substr(0, line.find_last_not_of(" \r\t") + 1);
}

bool is_of(std::string_view text, std::string_view alphabet) {
    return !text.empty() && text.find_first_not_of(alphabet) == text.npos;
}

// libnats would send whatever stands there, in the middle of its own words; and what it cannot find
// it calls a server that is away.
bool has_credentials(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::string text(credentials_bytes_max, '\0');
    file.read(text.data(), static_cast<std::streamsize>(text.size()));
    text.resize(static_cast<std::size_t>(file.gcount()));
    constexpr std::string_view letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    constexpr std::string_view others = "abcdefghijklmnopqrstuvwxyz0123456789-_.";
    const std::string_view jwt = block_of(text, "-BEGIN NATS USER JWT-");
    const std::string_view seed = block_of(text, "-BEGIN USER NKEY SEED-");
    return is_of(jwt, std::string(letters).append(others)) && std::ranges::count(jwt, '.') == 2 &&
           seed.starts_with("SU") && seed.size() == seed_bytes &&
           is_of(seed, std::string(letters).append("234567"));
}

using OptionsPointer = std::unique_ptr<natsOptions, decltype(&natsOptions_Destroy)>;

natsStatus set_options(natsOptions* options, const NatsClientOptions& wanted,
                       base::Duration timeout, void* closure) {
    std::vector<const char*> urls;
    for (const std::string& url : wanted.urls)
        urls.push_back(url.c_str());
    natsStatus s = natsOptions_SetServers(options, urls.data(), static_cast<int>(urls.size()));
    if (s == NATS_OK)
        s = natsOptions_SetName(options, wanted.label.c_str());
    if (s == NATS_OK && !wanted.credentials_file.empty()) {
        s = natsOptions_SetUserCredentialsFromFiles(options, wanted.credentials_file.c_str(),
                                                    nullptr);
    }
    if (s == NATS_OK)
        s = set_tls(options, wanted);
    // The library's is for each address.
    const auto addresses = static_cast<std::int64_t>(std::max<std::size_t>(urls.size(), 1));
    if (s == NATS_OK) {
        s = natsOptions_SetTimeout(
            options, std::max<std::int64_t>(timeout.whole_milliseconds() / addresses, 1));
    }
    if (s == NATS_OK)
        s = natsOptions_SetAllowReconnect(options, false);
    if (s == NATS_OK)
        s = natsOptions_SetSendAsap(options, true);
    if (s == NATS_OK)
        s = natsOptions_UseGlobalMessageDelivery(options, true);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPendingMsgs(options, subscription_messages_max);
    if (s == NATS_OK) {
        s = natsOptions_SetWriteDeadline(options, write_deadline.whole_milliseconds());
    }
    if (s == NATS_OK) {
        s = natsOptions_SetPingInterval(options, client_ping_interval.whole_milliseconds());
    }
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(options, client_pings_out_max);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(options, handle_closed, closure);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(options, handle_error, closure);
    return s;
}

base::ErrorKind kind_of(natsStatus status) {
    switch (status) {
        case NATS_CONNECTION_AUTH_FAILED:
            return base::ErrorKind::denied;
        case NATS_INVALID_ARG:
        case NATS_ADDRESS_MISSING:
        case NATS_SECURE_CONNECTION_REQUIRED:
        case NATS_SECURE_CONNECTION_WANTED:
            return base::ErrorKind::bad_input;
        default:
            return base::ErrorKind::unavailable;
    }
}

// With what the library knows beyond the status: why a certificate is not trusted, say.
tl::unexpected<base::Error> failure(natsStatus status, const NatsClientOptions& options) {
    // A server that cannot read a JWT does not say that it is not allowed: it ends the connection.
    if (status == NATS_PROTOCOL_ERROR && !options.credentials_file.empty()) {
        return base::fail(base::ErrorKind::denied,
                          "the server cannot read the credentials, or is no NATS server");
    }
    std::string text = natsStatus_GetText(status);
    natsStatus last = NATS_OK;
    const char* detail = nats_GetLastError(&last);
    if (status == NATS_SSL_ERROR && last == status && detail != nullptr)
        text += std::string(" (") + detail + ')';
    return base::fail(kind_of(status), text);
}

}  // namespace

struct NatsClient::Implementation {
    struct Subscription {
        natsSubscription* subscription = nullptr;
        void* closure = nullptr;
    };

    std::shared_ptr<NatsClientShared> shared;
    std::shared_ptr<std::atomic<bool>> lost = std::make_shared<std::atomic<bool>>(false);
    void* closure = nullptr;
    natsConnection* connection = nullptr;
    std::map<std::uint64_t, Subscription> subscriptions;

    void drop(const Subscription& subscription) const {
        targets().remove(subscription.closure);
        natsSubscription_Destroy(subscription.subscription);
    }

    ~Implementation() {
        targets().remove(closure);
        for (const auto& [id, subscription] : subscriptions)
            drop(subscription);
        natsConnection_Destroy(connection);
    }
};

base::Result<std::unique_ptr<NatsClient>> NatsClient::open(const NatsClientOptions& options,
                                                           std::shared_ptr<NatsClientShared> shared,
                                                           base::Duration timeout) {
    if (!options.credentials_file.empty() && !has_credentials(options.credentials_file)) {
        return base::fail(base::ErrorKind::denied,
                          options.credentials_file + " does not hold a user JWT and its seed, as " +
                              "enrolment writes them");
    }
    auto impl = std::make_unique<Implementation>();
    impl->shared = std::move(shared);
    impl->closure = targets().add({impl->shared, impl->lost, 0});
    natsOptions* raw = nullptr;
    natsStatus status = natsOptions_Create(&raw);
    const OptionsPointer created(raw, natsOptions_Destroy);
    if (status == NATS_OK)
        status = set_options(raw, options, timeout, impl->closure);
    if (status == NATS_OK)
        status = natsConnection_Connect(&impl->connection, raw);
    if (status != NATS_OK) {
        return failure(status, options);
    }
    return std::unique_ptr<NatsClient>(new NatsClient(std::move(impl)));
}

NatsClient::NatsClient(std::unique_ptr<Implementation> impl) : impl_(std::move(impl)) {}

NatsClient::~NatsClient() = default;

bool NatsClient::lost() const {
    return *impl_->lost;
}

bool NatsClient::subscribe(std::uint64_t id, const std::string& pattern) {
    Implementation::Subscription entry;
    entry.closure = targets().add({impl_->shared, impl_->lost, id});
    const natsStatus status = natsConnection_Subscribe(
        &entry.subscription, impl_->connection, pattern.c_str(), handle_message, entry.closure);
    if (status != NATS_OK) {
        targets().remove(entry.closure);
        return false;
    }
    natsSubscription_SetPendingLimits(entry.subscription, subscription_messages_max,
                                      subscription_bytes_max);
    impl_->subscriptions.emplace(id, entry);
    return true;
}

void NatsClient::unsubscribe(std::uint64_t id) {
    const auto found = impl_->subscriptions.extract(id);
    if (!found.empty())
        impl_->drop(found.mapped());
}

void NatsClient::publish(const std::string& subject, const std::string& reply,
                         const std::string& payload) {
    const int size = static_cast<int>(payload.size());
    const natsStatus status =
        reply.empty()
            ? natsConnection_Publish(impl_->connection, subject.c_str(), payload.data(), size)
            : natsConnection_PublishRequest(impl_->connection, subject.c_str(), reply.c_str(),
                                            payload.data(), size);
    // Any other failure is the end of the connection, which libnats tells by itself.
    if (status == NATS_MAX_PAYLOAD) {
        base::log_error("bus", "the server's max_payload refuses " + std::to_string(size) +
                                   " bytes; set it to at least 1 MiB");
    }
}

bool NatsClient::flush(base::Duration timeout) {
    return natsConnection_FlushTimeout(impl_->connection, timeout.whole_milliseconds()) == NATS_OK;
}

void NatsClient::release_thread() {
    nats_ReleaseThreadMemory();
}

std::string NatsClient::unique_token() {
    natsInbox* inbox = nullptr;
    if (natsInbox_Create(&inbox) != NATS_OK)
        return "0";
    const std::string_view text(inbox);
    std::string token(text.substr(text.rfind('.') + 1));
    natsInbox_Destroy(inbox);
    return token;
}

}  // namespace idlewatt::bus
