// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Nothing is delivered inside a call: each side's effects reach the other in a later task of the
// loop, in order. An exchange stays in the table until both sides have had their last word.
#include "http/memory_server.hpp"

#include <map>
#include <optional>
#include <utility>

#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

enum class Answer { none, streaming, stream_ended, whole, broken };

struct Exchange {
    std::shared_ptr<const ClientHandler> client;  // null: hung up
    bool head_request = false;
    bool with_handler = false;  // on_request was called
    bool reading = true;
    bool delivery_posted = false;
    Answer answer = Answer::none;
    std::optional<Response> head;  // not yet with the client; its body is in `waiting`
    std::string waiting;           // body bytes not yet with the client
    std::uint64_t given_bytes = 0;
    std::uint64_t written_bytes = 0;
};

}  // namespace

struct MemoryServer::Implementation : std::enable_shared_from_this<Implementation> {
    explicit Implementation(base::Loop& l) : loop(l) {}

    Exchange* find(RequestId id) {
        const auto found = exchanges.find(id);
        return found == exchanges.end() ? nullptr : &found->second;
    }

    // The exchange as the handler may still act on it.
    Exchange* answerable(RequestId id, Answer expected) {
        Exchange* exchange = find(id);
        return exchange != nullptr && exchange->with_handler && exchange->answer == expected
                   ? exchange
                   : nullptr;
    }

    void post(RequestId id, void (Implementation::*step)(RequestId)) {
        loop.post([weak = weak_from_this(), id, step] {
            if (const auto self = weak.lock()) {
                (self.get()->*step)(id);
            }
        });
    }

    void post_delivery(RequestId id, Exchange& exchange) {
        if (exchange.client && exchange.reading && !exchange.delivery_posted) {
            exchange.delivery_posted = true;
            post(id, &Implementation::deliver);
        }
    }

    void answer_whole(RequestId id, Exchange& exchange, Response response) {
        exchange.answer = Answer::whole;
        start(id, exchange, std::move(response));
    }

    void start(RequestId id, Exchange& exchange, Response response) {
        if (!exchange.head_request) {
            exchange.waiting = std::move(response.body);
        }
        exchange.head = std::move(response);
        post_delivery(id, exchange);
    }

    void arrive(RequestId id, Request request);
    void deliver(RequestId id);
    void report_written(RequestId id);
    void report_gone(RequestId id);

    base::Loop& loop;
    std::shared_ptr<const Handler> handler;
    std::map<RequestId, Exchange> exchanges;
    std::uint64_t next_id = 1;
};

void MemoryServer::Implementation::arrive(RequestId id, Request request) {
    Exchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    int refused = refused_for_size(request);
    if (exchanges.size() > connections_max || !handler || !handler->on_request) {
        refused = 503;
    }
    if (refused != 0) {
        answer_whole(id, *exchange, refusal(refused));
        return;
    }
    exchange->with_handler = true;
    const auto kept = handler;
    kept->on_request(std::move(request));
}

// Every callback may hang up, stop reading or destroy the server: look again after each.
void MemoryServer::Implementation::deliver(RequestId id) {
    const auto self = shared_from_this();
    Exchange* exchange = find(id);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    exchange->delivery_posted = false;
    const auto client = exchange->client;
    const auto goes_on = [&] {
        exchange = find(id);
        return exchange != nullptr && exchange->client && exchange->reading;
    };
    if (goes_on() && exchange->head) {
        const Response head = std::move(*exchange->head);
        exchange->head.reset();
        if (client->on_head) {
            client->on_head(head.status, head.headers);
        }
    }
    if (goes_on() && !exchange->waiting.empty()) {
        const std::string bytes = std::exchange(exchange->waiting, {});
        if (client->on_body) {
            client->on_body(bytes);
        }
    }
    if (!goes_on()) {
        return;
    }
    report_written(id);
    if (!goes_on() || exchange->head || !exchange->waiting.empty() ||
        exchange->answer == Answer::none || exchange->answer == Answer::streaming) {
        return;
    }
    const bool complete = exchange->answer != Answer::broken;
    exchanges.erase(id);
    if (client->on_end) {
        client->on_end(complete);
    }
}

void MemoryServer::Implementation::report_written(RequestId id) {
    Exchange* exchange = find(id);
    if (!exchange->waiting.empty() || exchange->written_bytes == exchange->given_bytes ||
        exchange->answer == Answer::broken) {
        return;
    }
    exchange->written_bytes = exchange->given_bytes;
    const auto kept = handler;
    if (kept && kept->on_written) {
        kept->on_written(id, exchange->written_bytes);
    }
}

void MemoryServer::Implementation::report_gone(RequestId id) {
    if (exchanges.erase(id) == 0) {
        return;
    }
    const auto kept = handler;
    if (kept && kept->on_gone) {
        kept->on_gone(id);
    }
}

MemoryServer::MemoryServer(base::Loop& loop) : impl_(std::make_shared<Implementation>(loop)) {}

MemoryServer::~MemoryServer() {
    for (const auto& [id, exchange] : impl_->exchanges) {
        if (exchange.client && exchange.client->on_end) {
            impl_->loop.post([client = exchange.client] { client->on_end(false); });
        }
    }
    impl_->exchanges.clear();
    impl_->handler.reset();
}

RequestId MemoryServer::send(std::string method, std::string target, Headers headers,
                             std::string body, ClientHandler handler) {
    Request request;
    request.id = RequestId{impl_->next_id++};
    request.method = std::move(method);
    request.target = std::move(target);
    request.headers = std::move(headers);
    request.body = std::move(body);
    const RequestId id = request.id;
    Exchange& exchange = impl_->exchanges[id];
    exchange.client = std::make_shared<const ClientHandler>(std::move(handler));
    exchange.head_request = request.method == "HEAD";
    auto shared = std::make_shared<Request>(std::move(request));
    impl_->loop.post([weak = impl_->weak_from_this(), id, shared] {
        if (const auto impl = weak.lock()) {
            impl->arrive(id, std::move(*shared));
        }
    });
    return id;
}

void MemoryServer::hang_up(RequestId request) {
    Exchange* exchange = impl_->find(request);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    exchange->client.reset();
    exchange->waiting.clear();
    if (!exchange->with_handler || exchange->answer == Answer::whole ||
        exchange->answer == Answer::broken) {
        impl_->exchanges.erase(request);
        return;
    }
    impl_->post(request, &Implementation::report_gone);
}

void MemoryServer::set_reading(RequestId request, bool reading) {
    if (Exchange* exchange = impl_->find(request)) {
        exchange->reading = reading;
        impl_->post_delivery(request, *exchange);
    }
}

void MemoryServer::set_handler(Handler handler) {
    impl_->handler = std::make_shared<const Handler>(std::move(handler));
}

void MemoryServer::respond(RequestId request, Response response) {
    Exchange* exchange = impl_->answerable(request, Answer::none);
    if (exchange == nullptr) {
        return;
    }
    if (!exchange->client) {
        impl_->exchanges.erase(request);
        return;
    }
    impl_->answer_whole(request, *exchange, std::move(response));
}

void MemoryServer::begin(RequestId request, Response response) {
    if (Exchange* exchange = impl_->answerable(request, Answer::none)) {
        exchange->answer = Answer::streaming;
        exchange->given_bytes = response.body.size();
        impl_->start(request, *exchange, std::move(response));
    }
}

void MemoryServer::write(RequestId request, std::string bytes) {
    Exchange* exchange = impl_->answerable(request, Answer::streaming);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    exchange->given_bytes += bytes.size();
    if (!exchange->head_request) {
        exchange->waiting += bytes;
    }
    impl_->post_delivery(request, *exchange);
}

void MemoryServer::end(RequestId request) {
    if (Exchange* exchange = impl_->answerable(request, Answer::streaming)) {
        exchange->answer = Answer::stream_ended;
        impl_->post_delivery(request, *exchange);
    }
}

void MemoryServer::abort(RequestId request) {  // tidy: allow(exit) a member of that name
    Exchange* exchange = impl_->find(request);
    if (exchange == nullptr || !exchange->with_handler || exchange->answer == Answer::whole ||
        exchange->answer == Answer::stream_ended) {
        return;
    }
    if (!exchange->client) {
        impl_->exchanges.erase(request);
        return;
    }
    exchange->answer = Answer::broken;
    impl_->post_delivery(request, *exchange);
}

}  // namespace idlewatt::http
