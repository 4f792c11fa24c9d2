// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The engine's in-memory twin. Its answers are a pure function of the request and the position, so
// a checker can know the right answer without asking it; a resumed answer goes on exactly. It can
// be made to stall, crash, refuse and lie.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "engine/engine.hpp"

namespace idlewatt::engine {

struct MemoryEngineOptions {
    std::string model = "memory";
    std::uint32_t slots = 2;
    std::uint32_t context_tokens = 4096;
    base::Duration load_time = base::milliseconds(200);
    base::Duration first_token_time = base::milliseconds(20);
    base::Duration token_time = base::milliseconds(10);
    base::Duration kill_time = base::milliseconds(2);
    // With a stream open and nothing said for so long, a stall counts as a hang: the process is
    // ended and started again. Zero: never.
    base::Duration hang_time = base::milliseconds(1500);
    // Every n-th piece holds several tokens and names no ids, as engines do; 0: never.
    std::uint32_t nameless_every = 7;
    bool embeddings = true;    // it makes vectors
    bool image_input = false;  // says so; it sees nothing in a picture
};

// The text of token number position of the answer to a request, and how many tokens it has: as many
// as the request's max_tokens (or max_completion_tokens, or n_predict) says, else a number of its
// own. The whole of what an honest twin will ever say, open to checkers. A resumed answer goes on
// exactly if the resume point holds the beginning of this answer; otherwise it goes astray, as a
// real engine would.
[[nodiscard]] std::string memory_token_text(std::string_view request_json, std::uint32_t position);
[[nodiscard]] std::int32_t memory_token_id(std::string_view request_json, std::uint32_t position);
[[nodiscard]] std::uint32_t memory_answer_tokens(std::string_view request_json);
[[nodiscard]] std::string memory_answer(std::string_view request_json,
                                        core::Task task = core::Task::chat);
// Its calls of functions, its thoughts before the text, its vectors: see memory_answer.hpp and
// memory_stream.hpp. It calls a function wherever a request allows it, unless the last message is
// the result of a call; it thinks where a request sets reasoning_effort or enable_thinking.

// Finished as engines report it: with max_tokens the reason is length; else it is stop, and the end
// of the answer counts as one more generated token, without text.
class MemoryEngine final : public Engine {
public:
    MemoryEngine(base::Loop& loop, MemoryEngineOptions options);
    ~MemoryEngine() override;

    // Faults, for tests and the simulator.
    void crash();                    // ends by itself, restarts after load_time
    void set_stalled(bool stalled);  // accepts, says nothing, as after SIGSTOP
    void set_lying(bool lying);      // says other tokens than the right ones
    void reject_next(core::Rejected rejection);

    void on_status(std::function<void(const Status&)> on_status) override;
    void use_model(ModelFile model) override;
    void start() override;
    void kill(std::function<void()> gone) override;
    StreamId generate(const Generation& generation, StreamHandler handler) override;
    void cancel(StreamId stream) override;
    void set_paused(StreamId stream, bool paused) override;
    [[nodiscard]] base::Duration cpu_time() const override;

private:
    struct Implementation;
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::engine
