// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Nothing is delivered inside a call: each side's effects reach the other in a later task of the
// loop, in order. An exchange stays in the table until both sides have had their last word.
#include "http/memory_server.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "base/assert.hpp"
#include "base/prng.hpp"
#include "http/content_length.hpp"
#include "http/refusal.hpp"

namespace idlewatt::http {

namespace {

// Of a claimed body, handed over at a time.
constexpr std::size_t body_part_bytes = 64 * 1024;

enum class Answer { none, streaming, stream_ended, whole, broken };

struct MemoryExchange {
    std::shared_ptr<const ClientHandler> client;  // null: hung up
    bool head_request = false;
    bool with_handler = false;  // on_request was called
    bool reading = true;
    bool delivery_posted = false;
    Answer answer = Answer::none;
    std::optional<Response> head;  // not yet with the client; its body is in `waiting`
    std::string waiting;           // body bytes not yet with the client
    FilePart file;                 // goes to the client behind `waiting`; bytes: what is left
    std::uint64_t given_bytes = 0;
    std::uint64_t written_bytes = 0;
    std::optional<std::uint64_t> announced_bytes;  // of a streamed answer that said its length
    // Of a claimed body.
    std::string upload;
    std::size_t upload_given = 0;
    std::size_t unconsumed_bytes = 0;
    bool uploading = false;
    bool upload_posted = false;
};

}  // namespace

struct MemoryServer::Implementation : std::enable_shared_from_this<Implementation> {
    explicit Implementation(base::Loop& l) : loop(l) {}

    MemoryExchange* find(RequestId id) {
        const auto found = exchanges.find(id);
        return found == exchanges.end() ? nullptr : &found->second;
    }

    // The exchange as the handler may still act on it.
    MemoryExchange* answerable(RequestId id, Answer expected) {
        MemoryExchange* exchange = find(id);
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

    void post_delivery(RequestId id, MemoryExchange& exchange) {
        if (exchange.client && exchange.reading && !exchange.delivery_posted) {
            exchange.delivery_posted = true;
            post(id, &Implementation::deliver);
        }
    }

    void post_upload(RequestId id, MemoryExchange& exchange) {
        if (exchange.uploading && !exchange.upload_posted &&
            exchange.unconsumed_bytes < body_window_bytes) {
            exchange.upload_posted = true;
            post(id, &Implementation::upload);
        }
    }

    void answer_whole(RequestId id, MemoryExchange& exchange, Response response) {
        exchange.answer = Answer::whole;
        start(id, exchange, std::move(response));
    }

    void start(RequestId id, MemoryExchange& exchange, Response response) {
        exchange.uploading = false;
        exchange.upload = {};
        if (!exchange.head_request) {
            exchange.waiting = std::move(response.body);
        }
        exchange.head = std::move(response);
        post_delivery(id, exchange);
    }

    void arrive(RequestId id, Request request);
    void upload(RequestId id);
    void deliver(RequestId id);
    // The next part of the file, if there is one. False: the file has become shorter.
    static bool read_file(MemoryExchange& exchange);
    void report_written(RequestId id);
    void report_gone(RequestId id);

    base::Loop& loop;
    std::shared_ptr<const Handler> handler;
    std::map<RequestId, MemoryExchange> exchanges;
    std::uint64_t next_id = 1;
    base::Prng prng{1};  // of request ids
};

void MemoryServer::Implementation::arrive(RequestId id, Request request) {
    MemoryExchange* exchange = find(id);
    if (exchange == nullptr) {
        return;
    }
    const auto kept = handler;
    std::uint64_t claimed = 0;
    if (kept && kept->body_bytes_allowed && !request.body.empty()) {
        std::string body = std::exchange(request.body, {});
        request.headers.try_emplace("content-length", std::to_string(body.size()));
        claimed = kept->body_bytes_allowed(request);
        request.body = std::move(body);
    }
    int refused = refused_for_size(request, claimed > 0 ? claimed : body_bytes_max);
    if (exchanges.size() > connections_max || !kept || !kept->on_request) {
        refused = 503;
    }
    if (refused != 0) {
        answer_whole(id, *exchange, refusal(refused, request_id(prng), claimed > 0));
        return;
    }
    exchange->with_handler = true;
    if (claimed > 0) {
        exchange->upload = std::exchange(request.body, {});
        exchange->uploading = true;
        request.body_follows = true;
        post_upload(id, *exchange);
    }
    kept->on_request(std::move(request));
}

// One part a task, so that others have their turn.
void MemoryServer::Implementation::upload(RequestId id) {
    MemoryExchange* exchange = find(id);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    exchange->upload_posted = false;
    if (!exchange->uploading) {
        return;
    }
    const std::size_t count =
        std::min({body_part_bytes, exchange->upload.size() - exchange->upload_given,
                  body_window_bytes - std::min(body_window_bytes, exchange->unconsumed_bytes)});
    std::string part = exchange->upload.substr(exchange->upload_given, count);
    exchange->upload_given += count;
    exchange->unconsumed_bytes += count;
    const bool whole = exchange->upload_given == exchange->upload.size();
    if (whole) {
        exchange->upload = {};
        exchange->uploading = false;
    } else {
        post_upload(id, *exchange);
    }
    const auto self = shared_from_this();
    const auto kept = handler;
    if (!part.empty() && kept->on_body) {
        kept->on_body(id, std::move(part));
    }
    exchange = find(id);
    if (whole && handler && exchange != nullptr && exchange->client &&
        exchange->answer == Answer::none && kept->on_body_end) {
        kept->on_body_end(id);
    }
}

// Every callback may hang up, stop reading or destroy the server: look again after each.
void MemoryServer::Implementation::deliver(RequestId id) {
    const auto self = shared_from_this();
    MemoryExchange* exchange = find(id);
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
    if (goes_on() && exchange->waiting.empty() && !read_file(*exchange)) {
        exchange->answer = Answer::broken;
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
    if (goes_on() && exchange->file.bytes > 0) {
        post_delivery(id, *exchange);
        return;
    }
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

bool MemoryServer::Implementation::read_file(MemoryExchange& exchange) {
    FilePart& part = exchange.file;
    const auto count =
        static_cast<std::size_t>(std::min<std::uint64_t>(part.bytes, file_part_bytes));
    exchange.waiting.resize(count);
    if (count > 0 && part.file->read(part.offset, exchange.waiting.data(), count) != count) {
        part = {};
        exchange.waiting.clear();
        return false;
    }
    part.offset += count;
    part.bytes -= count;
    return true;
}

void MemoryServer::Implementation::report_written(RequestId id) {
    MemoryExchange* exchange = find(id);
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
    MemoryExchange& exchange = impl_->exchanges[id];
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
    MemoryExchange* exchange = impl_->find(request);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    exchange->client.reset();
    exchange->waiting.clear();
    exchange->file = {};
    exchange->upload = {};
    exchange->uploading = false;
    if (!exchange->with_handler || exchange->answer == Answer::whole ||
        exchange->answer == Answer::broken) {
        impl_->exchanges.erase(request);
        return;
    }
    impl_->post(request, &Implementation::report_gone);
}

void MemoryServer::set_reading(RequestId request, bool reading) {
    if (MemoryExchange* exchange = impl_->find(request)) {
        exchange->reading = reading;
        impl_->post_delivery(request, *exchange);
    }
}

void MemoryServer::set_handler(Handler handler) {
    impl_->handler = std::make_shared<const Handler>(std::move(handler));
}

void MemoryServer::respond(RequestId request, Response response) {
    MemoryExchange* exchange = impl_->answerable(request, Answer::none);
    if (exchange == nullptr) {
        return;
    }
    if (!exchange->client) {
        impl_->exchanges.erase(request);
        return;
    }
    impl_->answer_whole(request, *exchange, std::move(response));
}

void MemoryServer::respond_file(RequestId request, Response head, FilePart part) {
    IDLEWATT_ASSERT(part.file != nullptr && part.offset <= part.file->bytes() &&
                    part.bytes <= part.file->bytes() - part.offset);
    MemoryExchange* exchange = impl_->answerable(request, Answer::none);
    if (exchange == nullptr) {
        return;
    }
    if (!exchange->client) {
        impl_->exchanges.erase(request);
        return;
    }
    head.body.clear();
    head.headers["content-length"] = std::to_string(part.bytes);
    if (!exchange->head_request) {
        exchange->file = std::move(part);
    }
    impl_->answer_whole(request, *exchange, std::move(head));
}

void MemoryServer::consume_body(RequestId request, std::size_t bytes) {
    MemoryExchange* exchange = impl_->find(request);
    if (exchange == nullptr || !exchange->with_handler) {
        return;
    }
    exchange->unconsumed_bytes -= std::min(bytes, exchange->unconsumed_bytes);
    impl_->post_upload(request, *exchange);
}

void MemoryServer::begin(RequestId request, Response response) {
    if (MemoryExchange* exchange = impl_->answerable(request, Answer::none)) {
        exchange->answer = Answer::streaming;
        exchange->announced_bytes = announced_length(response.headers);
        response.body.resize(
            std::min(response.body.size(), exchange->announced_bytes.value_or(SIZE_MAX)));
        exchange->given_bytes = response.body.size();
        impl_->start(request, *exchange, std::move(response));
    }
}

void MemoryServer::write(RequestId request, std::string bytes) {
    MemoryExchange* exchange = impl_->answerable(request, Answer::streaming);
    if (exchange == nullptr || !exchange->client) {
        return;
    }
    const std::uint64_t most = exchange->announced_bytes.value_or(UINT64_MAX);
    bytes.resize(std::min<std::uint64_t>(bytes.size(), most - exchange->given_bytes));
    exchange->given_bytes += bytes.size();
    if (!exchange->head_request) {
        exchange->waiting += bytes;
    }
    impl_->post_delivery(request, *exchange);
}

void MemoryServer::end(RequestId request) {
    if (MemoryExchange* exchange = impl_->answerable(request, Answer::streaming)) {
        const bool whole = exchange->head_request ||
                           exchange->given_bytes >= exchange->announced_bytes.value_or(0);
        exchange->answer = whole ? Answer::stream_ended : Answer::broken;
        impl_->post_delivery(request, *exchange);
    }
}

void MemoryServer::abort(RequestId request) {  // tidy: allow(exit) a member of that name
    MemoryExchange* exchange = impl_->find(request);
    if (exchange == nullptr || !exchange->with_handler || exchange->answer == Answer::whole ||
        exchange->answer == Answer::stream_ended) {
        return;
    }
    if (!exchange->client) {
        impl_->exchanges.erase(request);
        return;
    }
    exchange->answer = Answer::broken;
    exchange->uploading = false;
    exchange->upload = {};
    impl_->post_delivery(request, *exchange);
}

}  // namespace idlewatt::http
