// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One answer of a llama-server. What all its endpoints have in common is here: asking, delivering
// in order, pausing, ending. Each endpoint is a class of its own in a file of its own.
//
// Lifecycle: make_llama_stream(), begin(), then pieces, then handler.on_end once; or fail(), which
// ends it with engine_failed; or close(), which ends it silently. Threads: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/asio_loop.hpp"
#include "engine/connection.hpp"
#include "engine/engine.hpp"
#include "engine/logprobs.hpp"
#include "engine/request.hpp"
#include "engine/server_events.hpp"
#include "engine/tap.hpp"
#include "engine/template_guesses.hpp"

namespace idlewatt::engine {

// Of a text in one piece, and so of what is said in one piece or not at all: calls, and the text of
// a client's own grammar.
inline constexpr std::size_t piece_text_bytes_max = 192 * 1024;
static_assert(piece_text_bytes_max + logprobs_piece_bytes <= core::message_part_bytes_max);
inline constexpr std::uint32_t piece_tokens_max = 65'536;
// Thoughts come in several pieces.
inline constexpr std::size_t held_reasoning_bytes_max = 2 * 1024 * 1024;

// Tokens that follow one another as quickly as this are said together, so often and no more, from
// the second on: nobody reads faster, and a message costs every process on its way more than a
// token in it.
inline constexpr base::Duration gathered_gap_max = base::milliseconds(5);
inline constexpr base::Duration gathering_period = base::milliseconds(10);

// The longest beginning of at most so many bytes that ends between two characters.
[[nodiscard]] std::size_t whole_characters(std::string_view text, std::size_t bytes);

// The engine as a stream sees it.
struct EngineLink {
    base::AsioLoop& loop;
    std::string socket_path;
    std::shared_ptr<TapWriter> tap;
    // Called with the name of a capability (see contract_check.hpp) that a stream did not show.
    std::function<void(const char* capability)> lacks;
    // Its template has a syntax for reasoning, which only the chat endpoint can read.
    bool reasoning = false;
    // Quick tokens are said together.
    bool gathers = false;
    // Where set, an answer begins before its template is rendered.
    std::shared_ptr<TemplateGuesses> templates{};
};

class LlamaStream : public std::enable_shared_from_this<LlamaStream> {
public:
    // heard runs whenever the engine says anything. Nothing runs inside a call into the stream.
    LlamaStream(EngineLink link, Generation generation, StreamHandler handler,
                std::function<void()> heard);
    virtual ~LlamaStream();

    LlamaStream(const LlamaStream&) = delete;
    LlamaStream& operator=(const LlamaStream&) = delete;

    void begin();
    void fail(const std::string& what);
    void close();
    void set_paused(bool paused);

protected:
    using Delivery = std::variant<core::Piece, core::Embedding>;
    // What waits for delivery, and the id that the engine named last for a piece whose tokens it
    // did not all name.
    struct Queued {
        Delivery delivery;
        std::optional<std::int32_t> last_id;
    };

    // Asks the engine; called once, inside begin(). What it finds out by itself it posts.
    virtual void start() = 0;

    // One question with one answer; another status than 200 ends the stream.
    void ask(const char* path, const std::string& body,
             std::function<void(const std::string&)> then);
    // The same beside the stream, at most one at a time.
    void ask_beside(const char* path, const std::string& body,
                    std::function<void(base::Result<Response>)> then);
    // Nothing is delivered while it is not sure that the engine was asked the right question.
    void set_unsure(bool unsure);
    // Forgets what the engine said, of which nothing was delivered.
    void start_over();
    // The text of the resumed part, whose ids the engine turns into text again.
    void ask_said(std::function<void(std::string)> then) { ask_said(0, {}, std::move(then)); }
    // The streamed answer: take() sees its body.
    void stream(const char* path, const std::string& body);
    virtual void take(std::string_view body);
    // How an endpoint with events takes its body: each to take_event, an error to refuse().
    template <class Events, class TakeEvent>
    void take_events(Events& events, std::string_view body, TakeEvent take_event);
    // The body is complete, and no event of it was the last: an error if nothing else is done.
    virtual void conclude();
    // A pause is over and all that had waited is delivered.
    virtual void resumed() {}

    // Longer text is cut into several pieces.
    void enqueue(Queued queued);
    // With the answer's probabilities up to here: what one piece cannot hold of them comes in
    // pieces without text, before it or behind it.
    enum class Rest { before, behind };
    void enqueue_with(HeldLogprobs& logprobs, Queued queued, Rest rest);
    // The client asks for more than one answer can hold back.
    void reject_held(const char* what);
    void flush();
    void finish(const core::Finished& finished);
    // Nothing is left to say: the client has as many tokens as it asked for.
    [[nodiscard]] bool at_limit(const Request& request) const {
        return request.tokens_max && *request.tokens_max <= generation_.resume.tokens;
    }
    // Without asking the engine. With prompt_tokens_, so not before they are counted.
    void finish_early(core::FinishReason reason);
    void reject(std::uint32_t status, std::string message);
    // An answer of the engine that is no success.
    virtual void refuse(std::uint32_t status, const std::string& message);

    [[nodiscard]] const Generation& generation() const { return generation_; }
    [[nodiscard]] const EngineLink& link() const { return link_; }
    [[nodiscard]] bool ended() const { return closed_ || end_.has_value(); }
    [[nodiscard]] bool paused() const { return paused_; }

    // Of the request alone; 0 until it is known. Pieces say it.
    std::uint32_t prompt_tokens_ = 0;

private:
    void post(std::function<void(LlamaStream&)> task);
    void ask_said(std::size_t from, std::string said, std::function<void(std::string)> then);
    void over(const base::Result<std::uint32_t>& status);
    [[nodiscard]] std::shared_ptr<Connection> fetched(
        const char* path, const std::string& body,
        std::function<void(base::Result<Response>)> then);
    void drop_unsure();
    void tap(TapDirection direction, std::string_view bytes);
    [[nodiscard]] static bool is_joinable(const Queued& first, const Queued& second);
    [[nodiscard]] bool must_gather();
    void deliver();
    void join_next();
    void say_next();
    void start_repair();
    void end_repair(base::Result<Response> response);
    void end_with(StreamEnd end);
    void deliver_end();

    EngineLink link_;
    Generation generation_;
    StreamHandler handler_;
    std::function<void()> heard_;
    std::shared_ptr<Connection> connection_;
    std::shared_ptr<Connection> repair_;
    std::shared_ptr<Connection> beside_;
    bool unsure_ = false;
    // What the tap is told once it is sure that it belongs to the answer.
    struct Tapped {
        TapDirection direction;
        base::WallTime at;
        std::string bytes;
    };
    std::vector<Tapped> tapped_;
    std::optional<base::TimerId> repair_timer_;
    std::uint64_t tap_id_ = 0;
    std::string error_body_;
    std::deque<Queued> queue_;
    base::Instant came_at_;  // the last piece
    base::Instant said_at_;
    bool quick_ = false;  // the last piece came soon after the one before
    std::optional<base::TimerId> gather_timer_;
    std::optional<StreamEnd> end_;
    bool paused_ = false;
    bool closed_ = false;
};

template <class Events, class TakeEvent>
void LlamaStream::take_events(Events& events, std::string_view body, TakeEvent take_event) {
    events.feed(body);
    for (;;) {
        auto next = events.next();
        if (!next)
            return fail(next.error().message);
        if (!*next)
            break;
        if (const auto* error = std::get_if<EngineError>(&**next))
            return refuse(error->status, error->message);
        take_event(std::get<0>(**next));
    }
    flush();
}

// By the endpoint that can do it: plain answers by /completion, which names token ids; what has a
// syntax of the model's own (calls, reasoning, pictures) by /v1/chat/completions; vectors by
// /v1/embeddings.
[[nodiscard]] std::shared_ptr<LlamaStream> make_llama_stream(EngineLink link, Generation generation,
                                                             StreamHandler handler,
                                                             std::function<void()> heard);

}  // namespace idlewatt::engine
