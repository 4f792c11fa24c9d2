// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_stream.hpp"

#include <algorithm>
#include <deque>
#include <optional>
#include <utility>

#include "engine/completion.hpp"
#include "engine/connection.hpp"
#include "engine/contract_check.hpp"

namespace idlewatt::engine {

namespace {

// How long a piece may wait for its ids to be found again.
constexpr base::Duration repair_patience = base::milliseconds(20);
constexpr std::size_t error_bytes_max = 64 * 1024;

bool is_clients_error(std::uint32_t status) {
    return status >= 400 && status < 500;
}

}  // namespace

struct LlamaStream::Implementation : std::enable_shared_from_this<Implementation> {
    Implementation(EngineLink to, Generation what, StreamHandler with, std::function<void()> hear)
        : link(std::move(to)),
          generation(std::move(what)),
          handler(std::move(with)),
          heard(std::move(hear)) {}

    // A piece and the id that the engine named last for it, if it did not name them all.
    struct Queued {
        core::Piece piece;
        std::optional<std::int32_t> last_id;
    };

    EngineLink link;
    Generation generation;
    StreamHandler handler;
    std::function<void()> heard;
    CompletionRequest request;
    std::shared_ptr<Connection> connection;
    std::shared_ptr<Connection> repair;
    std::optional<base::TimerId> repair_timer;
    std::uint64_t tap_id = 0;
    CompletionEvents events;
    std::string error_body;
    core::Piece held;  // tokens whose text the engine holds back
    std::deque<Queued> queue;
    std::optional<StreamEnd> end;
    std::uint32_t counted = 0;
    std::uint32_t prompt_tokens = 0;
    std::uint32_t evaluated = 0;
    bool named_ids = false;
    bool paused = false;
    bool closed = false;

    void post(std::function<void(Implementation&)> task) {
        link.loop.post([weak = weak_from_this(), task = std::move(task)] {
            const auto self = weak.lock();
            if (self && !self->closed)
                task(*self);
        });
    }

    // ── before the answer ───────────────────────────────────────────────────────────────────────

    void begin() {
        if (end)
            return;
        auto read = read_request(generation.request_json);
        if (!read)
            return reject(400, read.error().message);
        request = std::move(*read);
        if (request.tokens_max && *request.tokens_max <= generation.resume.tokens) {
            return finish_at_limit();
        }
        ask("/apply-template", request.template_json, [this](const std::string& body) {
            auto prompt = templated_prompt(body);
            if (!prompt)
                return fail(prompt.error().message);
            if (generation.resume.empty())
                return complete(std::move(*prompt));
            // The prompt's own tokens are counted apart from those of the resumed part.
            ask("/tokenize", tokenize_body(*prompt, true), [this](const std::string& tokens) {
                auto ids = tokenized(tokens);
                if (!ids)
                    return fail(ids.error().message);
                prompt_tokens = static_cast<std::uint32_t>(ids->size());
                complete(std::move(*ids));
            });
        });
    }

    void ask(const char* path, const std::string& body,
             std::function<void(const std::string&)> then) {
        connection = fetch(
            link.loop, link.socket_path, post_request(path, body),
            [weak = weak_from_this(), then = std::move(then)](base::Result<Response> response) {
                const auto self = weak.lock();
                if (!self || self->closed)
                    return;
                self->heard();
                if (!response)
                    return self->fail(response.error().message);
                if (response->status != 200)
                    return self->refuse(response->status, error_message(response->body));
                then(response->body);
            });
    }

    void refuse(std::uint32_t status, const std::string& message) {
        if (!is_clients_error(status)) {
            return fail("the engine answered " + std::to_string(status) + ": " + message);
        }
        // The answer so far fits no further: undisturbed, it would have ended here too.
        if (!generation.resume.empty() && message.find("context size") != std::string::npos) {
            return finish_at_limit();
        }
        reject(status, message);
    }

    void complete(std::variant<std::string, core::TokenIds> prompt) {
        ConnectionHandler on;
        on.on_body = [this](std::uint32_t status, std::string_view body) { take(status, body); };
        on.on_end = [this](const base::Result<std::uint32_t>& status) { over(status); };
        if (link.tap) {
            tap_id = static_cast<std::uint64_t>(link.loop.wall_now().us) << 8 | (next_tap++ & 0xff);
            on.on_bytes = [this](std::string_view bytes, bool to_engine) {
                tap(to_engine ? TapDirection::to_engine : TapDirection::from_engine, bytes);
            };
        }
        // The connection never outlives us: close() ends it before we go.
        connection = Connection::open(
            link.loop, link.socket_path,
            post_request("/completion", completion_body(request, prompt, generation.resume)),
            std::move(on));
        if (paused)
            connection->set_paused(true);
    }

    static inline std::uint64_t next_tap = 0;

    void tap(TapDirection direction, std::string_view bytes) const {
        if (link.tap && tap_id != 0) {
            link.tap->write(direction, tap_id, link.loop.wall_now(), generation.label, bytes);
        }
    }

    // ── the answer ──────────────────────────────────────────────────────────────────────────────

    void take(std::uint32_t status, std::string_view body) {
        heard();
        if (status != 200) {
            if (error_body.size() < error_bytes_max)
                error_body.append(body);
            return;
        }
        events.feed(body);
        for (;;) {
            auto next = events.next();
            if (!next)
                return fail(next.error().message);
            if (!*next)
                break;
            if (const auto* error = std::get_if<CompletionError>(&**next)) {
                return refuse(error->status, error->message);
            }
            take_event(std::get<CompletionEvent>(**next));
        }
        flush();
    }

    void take_event(const CompletionEvent& event) {
        if (end)
            return;
        if (event.tokens_evaluated != 0)
            evaluated = event.tokens_evaluated;
        look_for_capabilities(event);
        // An engine that does not count leaves us to count what it shows.
        const std::uint32_t shown = static_cast<std::uint32_t>(event.ids.size());
        const std::uint32_t predicted = event.counts         ? event.tokens_predicted
                                        : event.text.empty() ? counted + shown
                                                             : counted + std::max(shown, 1U);
        if (predicted > counted) {
            held.token_count += predicted - counted;
            counted = predicted;
            held.ids.insert(held.ids.end(), event.ids.begin(), event.ids.end());
        }
        if (!event.text.empty()) {
            held.text = event.text;
            Queued queued;
            if (held.ids.size() != held.token_count) {
                if (!held.ids.empty())
                    queued.last_id = held.ids.back();
                held.ids.clear();
            }
            queued.piece = std::exchange(held, {});
            queue.push_back(std::move(queued));
        }
        if (event.last) {
            StreamEnd result;
            result.kind = StreamEnd::Kind::finished;
            result.finished.reason = event.reason;
            result.finished.generated_tokens = counted;
            result.finished.prompt_tokens = generation.resume.empty() ? evaluated : prompt_tokens;
            result.finished.cached_tokens =
                std::min(event.cached_tokens, result.finished.prompt_tokens);
            end = std::move(result);
        }
    }

    // Every chunk but the last, which may hold only a rest of text, names its newest token.
    void look_for_capabilities(const CompletionEvent& event) {
        named_ids = named_ids || !event.ids.empty();
        if (event.last || event.text.empty() || !link.lacks)
            return;
        if (!named_ids)
            link.lacks(capability_names_ids);
        if (!event.counts)
            link.lacks(capability_counts_tokens);
    }

    void over(const base::Result<std::uint32_t>& status) {
        if (end)
            return;  // flush() delivers it
        if (!status)
            return fail(status.error().message);
        if (*status != 200)
            return refuse(*status, error_message(error_body));
        fail("the engine ended its stream without saying why");
    }

    void flush() {
        while (!paused && !closed && !repair) {
            if (queue.empty()) {
                if (end)
                    deliver_end();
                return;
            }
            if (queue.front().last_id && queue.front().piece.token_count > 1) {
                return start_repair();
            }
            Queued next = std::move(queue.front());
            queue.pop_front();
            const auto self = shared_from_this();
            if (handler.on_piece)
                handler.on_piece(std::move(next.piece));
        }
    }

    // Tokens of a character in parts come without ids. The tokeniser usually gives the same ones
    // for the same text; their number and the last id tell.
    void start_repair() {
        const core::Piece& piece = queue.front().piece;
        repair = fetch(link.loop, link.socket_path,
                       post_request("/tokenize", tokenize_body(piece.text, false)),
                       [weak = weak_from_this()](base::Result<Response> response) {
                           const auto self = weak.lock();
                           if (self && !self->closed)
                               self->end_repair(std::move(response));
                       });
        repair_timer = link.loop.after(repair_patience, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self || self->closed)
                return;
            self->repair_timer.reset();
            self->end_repair(base::fail(base::ErrorKind::unavailable, "too slow"));
        });
    }

    void end_repair(base::Result<Response> response) {
        if (!repair)
            return;
        repair->close();
        repair.reset();
        if (repair_timer)
            link.loop.cancel(*std::exchange(repair_timer, std::nullopt));
        Queued& front = queue.front();
        const std::int32_t last = *std::exchange(front.last_id, std::nullopt);
        if (response && response->status == 200) {
            auto ids = tokenized(response->body);
            if (ids && ids->size() == front.piece.token_count && ids->back() == last) {
                front.piece.ids = std::move(*ids);
            }
        }
        flush();
    }

    // ── the end ─────────────────────────────────────────────────────────────────────────────────

    void finish_at_limit() {
        StreamEnd result;
        result.kind = StreamEnd::Kind::finished;
        result.finished.reason = core::FinishReason::length;
        result.finished.prompt_tokens = prompt_tokens;
        end_with(std::move(result));
    }

    void reject(std::uint32_t status, std::string message) {
        StreamEnd result;
        result.kind = StreamEnd::Kind::rejected;
        result.rejected = {status, std::move(message)};
        end_with(std::move(result));
    }

    void fail(const std::string& what) {
        StreamEnd result;
        result.kind = StreamEnd::Kind::engine_failed;
        result.failure = what;
        // What waits undelivered is dropped: after a kill no token may follow.
        paused = false;
        queue.clear();
        end.reset();
        if (repair)
            repair->close();
        repair.reset();
        end_with(std::move(result));
    }

    void end_with(StreamEnd result) {
        end = std::move(result);
        if (connection)
            connection->close();
        post([](Implementation& self) { self.flush(); });
    }

    void deliver_end() {
        const auto self = shared_from_this();
        const auto call = std::move(handler.on_end);
        StreamEnd result = std::move(*end);
        close();
        if (call)
            call(std::move(result));
    }

    void close() {
        if (closed)
            return;
        closed = true;
        if (connection)
            connection->close();
        if (repair)
            repair->close();
        if (repair_timer)
            link.loop.cancel(*std::exchange(repair_timer, std::nullopt));
        tap(TapDirection::over, {});
    }
};

LlamaStream::LlamaStream(EngineLink link, Generation generation, StreamHandler handler,
                         std::function<void()> heard)
    : impl_(std::make_shared<Implementation>(std::move(link), std::move(generation),
                                             std::move(handler), std::move(heard))) {}

LlamaStream::~LlamaStream() {
    impl_->close();
}

void LlamaStream::begin() {
    impl_->post([](Implementation& self) { self.begin(); });
}

void LlamaStream::fail(const std::string& what) {
    impl_->fail(what);
}

void LlamaStream::close() {
    impl_->close();
}

void LlamaStream::set_paused(bool paused) {
    if (std::exchange(impl_->paused, paused) == paused)
        return;
    if (impl_->connection)
        impl_->connection->set_paused(paused);
    if (!paused)
        impl_->post([](Implementation& self) { self.flush(); });
}

}  // namespace idlewatt::engine
