// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_link.hpp"

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <future>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/log.hpp"
#include "base/prng.hpp"

namespace idlewatt::bus {

namespace {

using Clock = std::chrono::steady_clock;

std::chrono::nanoseconds to_chrono(base::Duration span) {
    return std::chrono::nanoseconds(span.ns);
}

struct Command {
    enum class Kind { subscribe, unsubscribe, publish, reauthenticate };

    Kind kind = Kind::publish;
    std::uint64_t id = 0;  // of the subscription, or the generation of a publication
    std::string subject;   // or pattern
    std::string reply;
    std::string payload;

    [[nodiscard]] std::size_t bytes() const { return subject.size() + payload.size(); }
};

// At least a millisecond.
base::Duration left_until(Clock::time_point deadline) {
    const auto left = std::chrono::duration_cast<std::chrono::nanoseconds>(deadline - Clock::now());
    return std::max(base::Duration{left.count()}, base::milliseconds(1));
}

std::uint64_t seed_of(const std::string& text) {
    return std::hash<std::string>{}(text);  // any seed will do: it only spreads a herd
}

}  // namespace

struct NatsLink::Worker {
    Worker(base::Loop& loop, NatsListener& listener, NatsLinkOptions o)
        : options(std::move(o)),
          inbound(std::make_shared<NatsInbound>(loop, listener)),
          shared(std::make_shared<NatsClientShared>()),
          prng(seed_of(NatsClient::unique_token())) {
        shared->inbound = inbound;
        signal = std::make_shared<Signal>();
        shared->on_lost = [signal = signal] { signal->wake(); };
    }

    // Outlives the worker: libnats's threads may still ring.
    struct Signal {
        std::mutex mutex;
        std::condition_variable changed;

        void wake() {
            const std::lock_guard lock(mutex);
            changed.notify_all();
        }
    };

    const NatsLinkOptions options;
    const std::shared_ptr<NatsInbound> inbound;
    const std::shared_ptr<NatsClientShared> shared;
    std::shared_ptr<Signal> signal;
    std::thread thread;

    // Guarded by signal->mutex.
    std::deque<Command> commands;
    std::size_t bytes = 0;
    bool stopping = false;
    bool ended = false;
    Losses losses;

    // The worker thread's own.
    base::Prng prng;
    std::map<std::uint64_t, std::string> wanted;
    std::unique_ptr<NatsClient> client;
    std::uint64_t generation = 0;
    Clock::time_point since;  // of the last connection
    int attempts = 0;         // since a connection was stable
    int denials = 0;          // in a row

    void run(std::promise<base::Result<void>> first) {
        first.set_value(connect_first());
        while (client) {
            serve();
            if (!client || stopped())
                break;
            inbound->push({NatsEvent::Kind::down, 0, generation, {}});
            client.reset();
            reconnect();
        }
        client.reset();
        NatsClient::release_thread();
        const std::lock_guard lock(signal->mutex);
        ended = true;
        signal->changed.notify_all();
    }

    bool stopped() {
        const std::lock_guard lock(signal->mutex);
        return stopping;
    }

    // Waits for the whole span, unless it is time to stop: then true at once.
    bool stops_within(base::Duration span) {
        std::unique_lock lock(signal->mutex);
        return signal->changed.wait_for(lock, to_chrono(span), [this] { return stopping; });
    }

    // Uniform between a half and the whole.
    base::Duration jittered(base::Duration span) {
        const auto half = static_cast<std::uint64_t>(std::max<std::int64_t>(span.ns / 2, 1));
        return base::Duration{static_cast<std::int64_t>(half + prng.below(half))};
    }

    base::Result<void> connect_first() {
        const auto deadline = Clock::now() + to_chrono(options.connect_timeout);
        base::Result<void> why;
        for (int denied = 0;;) {
            const base::Duration left = left_until(deadline);
            const auto result = connect(left);
            if (result)
                return {};
            if (result.error().kind == base::ErrorKind::bad_input)
                return result;
            if (result.error().kind == base::ErrorKind::denied && ++denied == denied_attempts) {
                return result;
            }
            // The last attempt's time may be too short to hear the reason once more.
            if (why || left >= attempt_timeout)
                why = result;
            const base::Duration pause = jittered(options.reconnect_delay);
            if (Clock::now() + to_chrono(pause) >= deadline || stops_within(pause))
                return why;
        }
    }

    // With all subscriptions standing at the server.
    base::Result<void> connect(base::Duration timeout) {
        const auto deadline = Clock::now() + to_chrono(timeout);
        auto opened = NatsClient::open(options.client, shared, timeout);
        if (!opened)
            return tl::unexpected(opened.error());
        return adopt(std::move(*opened), deadline);
    }

    base::Result<void> adopt(std::unique_ptr<NatsClient> opened, Clock::time_point deadline) {
        ++generation;
        since = Clock::now();
        client = std::move(opened);
        apply_while_down(take());
        bool alive = true;
        for (const auto& [id, pattern] : wanted)
            alive = alive && client->subscribe(id, pattern);
        if (!alive || !client->flush(left_until(deadline))) {
            client.reset();
            return base::fail(base::ErrorKind::unavailable, "the connection ended at once");
        }
        return {};
    }

    // The old connection stays until the server has taken the new credentials.
    void reauthenticate() {
        base::Result<std::unique_ptr<NatsClient>> opened;
        for (int attempt = 0; attempt < denied_attempts; ++attempt) {
            opened = NatsClient::open(options.client, shared, attempt_timeout);
            if (opened || opened.error().kind != base::ErrorKind::denied)
                break;
        }
        if (!opened) {
            base::log_warning("bus", "the new credentials are not taken (" +
                                         opened.error().message + "); staying with the old");
            return;
        }
        inbound->push({NatsEvent::Kind::down, 0, generation, {}});
        client.reset();
        if (adopt(std::move(*opened), Clock::now() + to_chrono(attempt_timeout))) {
            inbound->push({NatsEvent::Kind::up, 0, generation, {}});
            base::log_info("bus", "connected with new credentials");
        } else {
            reconnect();
        }
    }

    // Quick at first, then doubling.
    [[nodiscard]] base::Duration delay() const {
        if (denials >= denied_attempts) {
            const int doublings = std::min(denials - denied_attempts, delay_doublings_max);
            return std::min(slow_delay * (std::int64_t{1} << doublings), denied_delay_max);
        }
        const int doublings = std::clamp(attempts - quick_attempts, 0, delay_doublings_max);
        return std::min(options.reconnect_delay * (std::int64_t{1} << doublings), slow_delay);
    }

    void reconnect() {
        // A server that throws us out at once must not be run down for it.
        if (Clock::now() - since > to_chrono(stable_after)) {
            attempts = 0;
        }
        const auto whole = static_cast<std::uint64_t>(std::max<std::int64_t>(delay().ns, 1));
        base::Duration pause{static_cast<std::int64_t>(prng.below(whole))};
        for (; !stops_within(pause); pause = jittered(delay())) {
            ++attempts;
            apply_while_down(take());
            const auto result = connect(attempt_timeout);
            const bool denied = !result && result.error().kind == base::ErrorKind::denied;
            denials = denied ? denials + 1 : 0;
            if (result) {
                inbound->push({NatsEvent::Kind::up, 0, generation, {}});
                base::log_info("bus", "connected again");
                return;
            }
            // Ever more seldom: at each power of two.
            if (denials >= denied_attempts && (denials & (denials - 1)) == 0) {
                base::log_warning("bus",
                                  "the server refuses these credentials: they have ended or were "
                                  "revoked; going on to try, but seldom");
            }
        }
    }

    // Until the connection has ended or the link is to stop.
    void serve() {
        for (;;) {
            std::deque<Command> batch;
            bool stop = false;
            {
                std::unique_lock lock(signal->mutex);
                signal->changed.wait(
                    lock, [this] { return !commands.empty() || client->lost() || stopping; });
                if (client->lost())
                    return;
                stop = stopping;
                batch = std::exchange(commands, {});
                bytes = 0;
            }
            execute(std::move(batch));
            if (stop || !client)
                return;
        }
    }

    std::deque<Command> take() {
        const std::lock_guard lock(signal->mutex);
        bytes = 0;
        return std::exchange(commands, {});
    }

    // What was published into the void stays there.
    void apply_while_down(std::deque<Command> batch) {
        for (Command& command : batch) {
            switch (command.kind) {
                case Command::Kind::subscribe:
                    wanted[command.id] = std::move(command.subject);
                    break;
                case Command::Kind::unsubscribe:
                    wanted.erase(command.id);
                    break;
                case Command::Kind::reauthenticate:
                    break;  // the next connection takes what the file holds
                case Command::Kind::publish: {
                    const std::lock_guard lock(signal->mutex);
                    ++losses.published_while_disconnected;
                    break;
                }
            }
        }
    }

    void execute(std::deque<Command> batch) {
        for (const Command& command : batch) {
            switch (command.kind) {
                case Command::Kind::subscribe:
                    wanted[command.id] = command.subject;
                    // A failure means that the connection ends: the next one will have it.
                    static_cast<void>(client->subscribe(command.id, command.subject));
                    break;
                case Command::Kind::unsubscribe:
                    wanted.erase(command.id);
                    client->unsubscribe(command.id);
                    break;
                case Command::Kind::publish:
                    publish(command);
                    break;
                case Command::Kind::reauthenticate:
                    reauthenticate();
                    break;
            }
            if (!client)
                return;  // stopped on the way to a new connection
        }
    }

    void publish(const Command& command) {
        if (command.id == generation && !client->lost()) {
            client->publish(command.subject, command.reply, command.payload);
            return;
        }
        const std::lock_guard lock(signal->mutex);
        ++losses.published_while_disconnected;
    }

    void push(Command command) {
        std::unique_lock lock(signal->mutex);
        if (command.kind == Command::Kind::publish) {
            if (commands.size() >= outbound_messages_max ||
                bytes + command.bytes() > outbound_bytes_max) {
                if (losses.published_too_fast++ == 0) {
                    base::log_warning("bus", "published faster than the server takes; dropping");
                }
                return;
            }
        }
        bytes += command.bytes();
        commands.push_back(std::move(command));
        // Whoever is woken must not find the lock taken.
        lock.unlock();
        signal->changed.notify_one();
    }
};

NatsLink::NatsLink(std::shared_ptr<Worker> worker) : worker_(std::move(worker)) {}

base::Result<std::unique_ptr<NatsLink>> NatsLink::open(base::Loop& loop, NatsListener& listener,
                                                       const NatsLinkOptions& options) {
    auto worker = std::make_shared<Worker>(loop, listener, options);
    std::promise<base::Result<void>> first;
    std::future<base::Result<void>> connected = first.get_future();
    // The thread holds the worker: it may outlive the link.
    worker->thread = std::thread(
        [worker, promise = std::move(first)]() mutable { worker->run(std::move(promise)); });
    const base::Result<void> result = connected.get();
    auto link = std::unique_ptr<NatsLink>(new NatsLink(std::move(worker)));
    if (!result)
        return tl::unexpected(result.error());
    return link;
}

NatsLink::~NatsLink() {
    worker_->inbound->close();
    std::unique_lock lock(worker_->signal->mutex);
    worker_->stopping = true;
    worker_->signal->changed.notify_all();
    const bool ended = worker_->signal->changed.wait_for(lock, to_chrono(close_wait),
                                                         [this] { return worker_->ended; });
    lock.unlock();
    if (ended) {
        worker_->thread.join();
    } else {
        worker_->thread.detach();
    }
}

void NatsLink::subscribe(std::uint64_t id, std::string pattern) {
    worker_->push({Command::Kind::subscribe, id, std::move(pattern), {}, {}});
}

void NatsLink::unsubscribe(std::uint64_t id) {
    worker_->push({Command::Kind::unsubscribe, id, {}, {}, {}});
}

void NatsLink::reauthenticate() {
    worker_->push({Command::Kind::reauthenticate, 0, {}, {}, {}});
}

void NatsLink::publish(std::uint64_t generation, std::string subject, std::string reply,
                       std::string payload) {
    worker_->push({Command::Kind::publish, generation, std::move(subject), std::move(reply),
                   std::move(payload)});
}

Losses NatsLink::losses() const {
    const std::lock_guard lock(worker_->signal->mutex);
    Losses losses = worker_->losses;
    losses.denied = worker_->shared->denied;
    losses.received_too_fast = worker_->shared->slow + worker_->inbound->dropped();
    return losses;
}

}  // namespace idlewatt::bus
