// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_stream.hpp"

#include <algorithm>
#include <utility>

#include "engine/completion.hpp"

namespace idlewatt::engine {

namespace {

// How long a piece may wait for its ids to be found again.
constexpr base::Duration repair_patience = base::milliseconds(20);
constexpr std::size_t error_bytes_max = 64 * 1024;

bool is_clients_error(std::uint32_t status) {
    return status >= 400 && status < 500;
}

std::uint64_t next_tap = 0;

}  // namespace

std::size_t whole_characters(std::string_view text, std::size_t bytes) {
    if (text.size() <= bytes)
        return text.size();
    std::size_t whole = bytes;
    while (whole > 0 && (static_cast<unsigned char>(text[whole]) & 0xC0U) == 0x80U)
        --whole;
    return whole > 0 ? whole : bytes;
}

bool LlamaStream::is_joinable(const Queued& first, const Queued& second) {
    const auto* a = std::get_if<core::Piece>(&first.delivery);
    const auto* b = std::get_if<core::Piece>(&second.delivery);
    if (a == nullptr || b == nullptr || first.last_id || second.last_id)
        return false;
    for (const auto* piece : {a, b}) {
        if (!piece->reasoning.empty() || !piece->tool_calls.empty() ||
            !piece->logprobs_json.empty()) {
            return false;
        }
    }
    const bool named = a->ids.size() == a->token_count && b->ids.size() == b->token_count;
    const bool nameless = a->ids.empty() && b->ids.empty();
    return (named || nameless) && a->text.size() + b->text.size() <= piece_text_bytes_max &&
           a->token_count + b->token_count <= piece_tokens_max;
}

LlamaStream::LlamaStream(EngineLink link, Generation generation, StreamHandler handler,
                         std::function<void()> heard)
    : link_(std::move(link)),
      generation_(std::move(generation)),
      handler_(std::move(handler)),
      heard_(std::move(heard)) {}

LlamaStream::~LlamaStream() {
    close();
}

void LlamaStream::post(std::function<void(LlamaStream&)> task) {
    link_.loop.post([weak = weak_from_this(), task = std::move(task)] {
        const auto self = weak.lock();
        if (self && !self->closed_)
            task(*self);
    });
}

void LlamaStream::begin() {
    if (!ended())
        start();
}

void LlamaStream::set_paused(bool paused) {
    if (std::exchange(paused_, paused) == paused)
        return;
    if (connection_)
        connection_->set_paused(paused);
    if (paused)
        return;
    post([](LlamaStream& self) {
        const auto alive = self.shared_from_this();
        self.flush();
        if (!self.ended() && !self.paused_)
            self.resumed();
    });
}

// ── asking ──────────────────────────────────────────────────────────────────────────────────────

std::shared_ptr<Connection> LlamaStream::fetched(const char* path, const std::string& body,
                                                 std::function<void(base::Result<Response>)> then) {
    return fetch(
        link_.loop, link_.socket_path, post_request(path, body),
        [weak = weak_from_this(), then = std::move(then)](base::Result<Response> response) {
            const auto self = weak.lock();
            if (!self || self->closed_)
                return;
            self->heard_();
            then(std::move(response));
        });
}

void LlamaStream::ask(const char* path, const std::string& body,
                      std::function<void(const std::string&)> then) {
    connection_ =
        fetched(path, body, [this, then = std::move(then)](const base::Result<Response>& response) {
            if (!response)
                return fail(response.error().message);
            if (response->status != 200)
                return refuse(response->status, error_message(response->body));
            then(response->body);
        });
}

void LlamaStream::ask_beside(const char* path, const std::string& body,
                             std::function<void(base::Result<Response>)> then) {
    beside_ = fetched(path, body, std::move(then));
}

void LlamaStream::start_over() {
    if (connection_)
        connection_->close();
    queue_.clear();
    end_.reset();
    error_body_.clear();
    prompt_tokens_ = 0;
    tapped_.clear();
    tap_id_ = 0;
    unsure_ = false;
}

// Stretches of text stand between ids where the engine did not name them: one question for each
// stretch of ids.
void LlamaStream::ask_said(std::size_t from, std::string said,
                           std::function<void(std::string)> then) {
    const auto& segments = generation_.resume.segments;
    for (std::size_t i = from; i < segments.size(); ++i) {
        if (const auto* text = std::get_if<std::string>(&segments[i])) {
            said += *text;
            continue;
        }
        return ask("/detokenize", detokenize_body(std::get<core::TokenIds>(segments[i])),
                   [this, i, said, then = std::move(then)](const std::string& body) {
                       auto text = detokenized(body);
                       if (!text)
                           return fail(text.error().message);
                       ask_said(i + 1, said + *text, then);
                   });
    }
    then(std::move(said));
}

void LlamaStream::stream(const char* path, const std::string& body) {
    ConnectionHandler on;
    on.on_body = [this](std::uint32_t status, std::string_view bytes) {
        heard_();
        if (status == 200)
            return take(bytes);
        if (error_body_.size() < error_bytes_max)
            error_body_.append(bytes);
    };
    on.on_end = [this](const base::Result<std::uint32_t>& status) { over(status); };
    if (link_.tap) {
        tap_id_ = static_cast<std::uint64_t>(link_.loop.wall_now().us) << 8 | (next_tap++ & 0xff);
        on.on_bytes = [this](std::string_view bytes, bool to_engine) {
            tap(to_engine ? TapDirection::to_engine : TapDirection::from_engine, bytes);
        };
    }
    // The connection never outlives us: close() ends it before we go.
    connection_ =
        Connection::open(link_.loop, link_.socket_path, post_request(path, body), std::move(on));
    if (paused_)
        connection_->set_paused(true);
}

void LlamaStream::take(std::string_view) {}

void LlamaStream::tap(TapDirection direction, std::string_view bytes) {
    if (!link_.tap || tap_id_ == 0)
        return;
    const base::WallTime now = link_.loop.wall_now();
    if (unsure_) {
        tapped_.push_back({direction, now, std::string(bytes)});
    } else {
        link_.tap->write(direction, tap_id_, now, generation_.label, bytes);
    }
}

void LlamaStream::set_unsure(bool unsure) {
    unsure_ = unsure;
    if (unsure)
        return;
    for (const Tapped& frame : std::exchange(tapped_, {}))
        link_.tap->write(frame.direction, tap_id_, frame.at, generation_.label, frame.bytes);
}

// Of a question that was never known to be the right one nothing is told.
void LlamaStream::drop_unsure() {
    if (!std::exchange(unsure_, false))
        return;
    tapped_.clear();
    tap_id_ = 0;
}

void LlamaStream::over(const base::Result<std::uint32_t>& status) {
    if (end_)
        return;  // flush() delivers it
    if (!status)
        return fail(status.error().message);
    if (*status != 200)
        return refuse(*status, error_message(error_body_));
    conclude();
}

void LlamaStream::conclude() {
    fail("the engine ended its stream without saying why");
}

// ── delivering ──────────────────────────────────────────────────────────────────────────────────

void LlamaStream::enqueue(Queued queued) {
    auto* piece = std::get_if<core::Piece>(&queued.delivery);
    if (piece != nullptr) {
        piece->prompt_tokens = prompt_tokens_;
        const base::Instant now = link_.loop.now();
        quick_ = now - came_at_ < gathered_gap_max;
        came_at_ = now;
    }
    while (piece != nullptr && piece->text.size() > piece_text_bytes_max) {
        core::Piece first = std::exchange(*piece, {});
        const std::size_t bytes = whole_characters(first.text, piece_text_bytes_max);
        piece->text = first.text.substr(bytes);
        piece->tool_calls = std::exchange(first.tool_calls, {});
        piece->prompt_tokens = first.prompt_tokens;
        first.text.resize(bytes);
        first.ids.clear();
        queued.last_id.reset();
        queue_.push_back({std::move(first), {}});
    }
    // What is more is counted with the answer's end.
    if (piece != nullptr && piece->ids.empty())
        piece->token_count = std::min(piece->token_count, piece_tokens_max);
    queue_.push_back(std::move(queued));
}

void LlamaStream::enqueue_with(HeldLogprobs& logprobs, Queued queued, Rest rest) {
    std::vector<std::string> arrays = logprobs.take();
    const auto enqueue_all = [&](auto from, auto to) {
        for (; from != to; ++from) {
            core::Piece piece;
            piece.logprobs_json = std::move(*from);
            enqueue({std::move(piece), {}});
        }
    };
    if (arrays.empty())
        return enqueue(std::move(queued));
    auto& own = std::get<core::Piece>(queued.delivery).logprobs_json;
    if (rest == Rest::before) {
        own = std::move(arrays.back());
        enqueue_all(arrays.begin(), arrays.end() - 1);
        enqueue(std::move(queued));
    } else {
        own = std::move(arrays.front());
        enqueue(std::move(queued));
        enqueue_all(arrays.begin() + 1, arrays.end());
    }
}

void LlamaStream::flush() {
    if (!must_gather())
        deliver();
}

bool LlamaStream::must_gather() {
    if (!link_.gathers || !quick_ || end_ || queue_.empty())
        return false;
    const base::Duration left = said_at_ + gathering_period - link_.loop.now();
    if (left <= base::Duration{})
        return false;
    if (!gather_timer_) {
        gather_timer_ = link_.loop.after(left, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self || self->closed_)
                return;
            self->gather_timer_.reset();
            self->flush();
        });
    }
    return true;
}

void LlamaStream::deliver() {
    while (!paused_ && !closed_ && !repair_ && !unsure_) {
        if (queue_.empty()) {
            if (end_)
                deliver_end();
            return;
        }
        join_next();
        const auto* piece = std::get_if<core::Piece>(&queue_.front().delivery);
        if (piece != nullptr && queue_.front().last_id && piece->token_count > 1) {
            return start_repair();
        }
        say_next();
    }
}

// Pieces that wait become one where nothing is lost by it.
void LlamaStream::join_next() {
    while (link_.gathers && queue_.size() > 1 && is_joinable(queue_[0], queue_[1])) {
        auto& first = std::get<core::Piece>(queue_[0].delivery);
        const auto& second = std::get<core::Piece>(queue_[1].delivery);
        first.text += second.text;
        first.ids.insert(first.ids.end(), second.ids.begin(), second.ids.end());
        first.token_count += second.token_count;
        first.prompt_tokens = second.prompt_tokens;
        queue_.erase(queue_.begin() + 1);
    }
}

void LlamaStream::say_next() {
    said_at_ = link_.loop.now();
    Queued next = std::move(queue_.front());
    queue_.pop_front();
    const auto self = shared_from_this();
    if (auto* piece = std::get_if<core::Piece>(&next.delivery)) {
        if (handler_.on_piece)
            handler_.on_piece(std::move(*piece));
    } else if (handler_.on_embedding) {
        handler_.on_embedding(std::move(std::get<core::Embedding>(next.delivery)));
    }
}

// Tokens of a character in parts come without ids. The tokeniser usually gives the same ones for
// the same text; their number and the last id tell.
void LlamaStream::start_repair() {
    const auto& piece = std::get<core::Piece>(queue_.front().delivery);
    const auto with_self = [weak = weak_from_this()](auto call) {
        const auto self = weak.lock();
        if (self && !self->closed_)
            call(*self);
    };
    repair_ = fetch(link_.loop, link_.socket_path,
                    post_request("/tokenize", tokenize_body(piece.text, false)),
                    [with_self](base::Result<Response> response) {
                        with_self([&](LlamaStream& self) { self.end_repair(std::move(response)); });
                    });
    repair_timer_ = link_.loop.after(repair_patience, [with_self] {
        with_self([](LlamaStream& self) {
            self.repair_timer_.reset();
            self.end_repair(base::fail(base::ErrorKind::unavailable, "too slow"));
        });
    });
}

void LlamaStream::end_repair(base::Result<Response> response) {
    if (!repair_)
        return;
    repair_->close();
    repair_.reset();
    if (repair_timer_)
        link_.loop.cancel(*std::exchange(repair_timer_, std::nullopt));
    Queued& front = queue_.front();
    auto& piece = std::get<core::Piece>(front.delivery);
    const std::int32_t last = *std::exchange(front.last_id, std::nullopt);
    if (response && response->status == 200) {
        auto ids = tokenized(response->body);
        if (ids && ids->size() == piece.token_count && ids->back() == last)
            piece.ids = std::move(*ids);
    }
    deliver();
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

void LlamaStream::finish(const core::Finished& finished) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::finished;
    end.finished = finished;
    end_ = std::move(end);
}

void LlamaStream::finish_early(core::FinishReason reason) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::finished;
    end.finished.reason = reason;
    end.finished.prompt_tokens = prompt_tokens_;
    end_with(std::move(end));
}

void LlamaStream::refuse(std::uint32_t status, const std::string& message) {
    if (!is_clients_error(status)) {
        return fail("the engine answered " + std::to_string(status) + ": " + message);
    }
    // The answer so far fits no further: undisturbed, it would have ended here too.
    if (!generation_.resume.empty() && message.find("context size") != std::string::npos) {
        return finish_early(core::FinishReason::length);
    }
    reject(status, message);
}

void LlamaStream::reject(std::uint32_t status, std::string message) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::rejected;
    end.rejected = {status, std::move(message)};
    end_with(std::move(end));
}

void LlamaStream::reject_held(const char* what) {
    reject(400, std::string("the answer's ") + what +
                    " are longer than can be kept until they are whole; ask for fewer tokens");
}

void LlamaStream::fail(const std::string& what) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::engine_failed;
    end.failure = what;
    // What waits undelivered is dropped: after a kill no token may follow.
    paused_ = false;
    drop_unsure();
    queue_.clear();
    end_.reset();
    if (repair_)
        repair_->close();
    repair_.reset();
    end_with(std::move(end));
}

void LlamaStream::end_with(StreamEnd end) {
    end_ = std::move(end);
    if (connection_)
        connection_->close();
    post([](LlamaStream& self) { self.flush(); });
}

void LlamaStream::deliver_end() {
    const auto self = shared_from_this();
    const auto call = std::move(handler_.on_end);
    StreamEnd end = std::move(*end_);
    close();
    if (call)
        call(std::move(end));
}

void LlamaStream::close() {
    if (closed_)
        return;
    closed_ = true;
    drop_unsure();
    if (connection_)
        connection_->close();
    if (repair_)
        repair_->close();
    if (beside_)
        beside_->close();
    for (auto* timer : {&repair_timer_, &gather_timer_}) {
        if (*timer)
            link_.loop.cancel(*std::exchange(*timer, std::nullopt));
    }
    tap(TapDirection::over, {});
}

}  // namespace idlewatt::engine
