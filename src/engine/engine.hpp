// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The inference engine of one car: loads one model, generates, can be killed at any moment. Hides
// llama.cpp. LlamaServerEngine runs an unmodified llama-server in a sandbox; MemoryEngine is the
// deterministic twin.
//
// Lifecycle: idle → start() → starting → ready → (kill() | crash) → idle | failed. The owner is the
// agent. Threads: everything belongs to the loop given at construction.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/resume_point.hpp"
#include "core/stream.hpp"

namespace idlewatt::engine {

enum class StreamId : std::uint64_t {};

struct Generation {
    // As the client sent it: OpenAI's fields for the task and llama-server's own.
    std::string request_json;
    // The answer so far; generation goes on behind it, max_tokens counts it.
    core::ResumePoint resume;
    // Written into the tap beside the engine's bytes, so that a checker can tell answers apart.
    std::string label{};
    core::Task task = core::Task::chat;
};

struct StreamEnd {
    enum class Kind {
        finished,       // see finished
        rejected,       // the engine answered 4xx: see rejected
        engine_failed,  // crash, hang, 5xx, kill(); the text says what was seen
    };
    Kind kind = Kind::engine_failed;
    core::Finished finished;
    core::Rejected rejected;
    std::string failure;
};

struct StreamHandler {
    // Text flows. Thoughts come whole, before any text; calls come whole, all in the last piece.
    // Whoever has a piece with calls, or with the text of a client's own grammar, has the whole
    // answer, even if its end is lost: such an answer cannot be continued.
    std::function<void(core::Piece)> on_piece;
    // Exactly once per generate(), never inside it, and not after cancel().
    std::function<void(StreamEnd)> on_end;
    // Of the task embedding, instead of pieces: once for each input, in order.
    std::function<void(core::Embedding)> on_embedding{};
};

struct Ready {
    std::string model;  // the name that the engine reports
    std::uint32_t slots = 1;
    std::uint32_t context_tokens = 0;
    bool embeddings = false;    // it can do Task::embedding
    bool image_input = false;   // it takes image parts of messages
    std::string fingerprint{};  // see fingerprint.hpp
};

enum class Condition {
    idle,      // not running, on purpose
    starting,  // the process runs and loads the model
    ready,
    failed,  // ended by itself; the engine restarts it: at once, later with back-off
};

struct Status {
    Condition condition = Condition::idle;
    Ready ready;          // meaningful when ready
    std::string failure;  // meaningful when failed: what was seen and what to do
};

// What the engine is to load.
struct ModelFile {
    std::string name;  // as announced
    std::string path;
};

class Engine {
public:
    virtual ~Engine() = default;

    // Called at every change of the condition, never inside a call into the engine.
    virtual void on_status(std::function<void(const Status&)> on_status) = 0;

    // For the next start(), instead of the model before; called only while nothing runs.
    virtual void use_model(ModelFile model) = 0;
    // Starts the process and keeps it running (restart after a crash) until kill().
    virtual void start() = 0;
    // Ends it now, without asking it (SIGKILL); every stream ends with engine_failed. gone is
    // called once when the process no longer exists; at once if none runs.
    virtual void kill(std::function<void()> gone) = 0;

    // Only while ready. Streams beyond the slots wait in the engine.
    virtual StreamId generate(const Generation& generation, StreamHandler handler) = 0;
    // The slot is freed in milliseconds; no callback of this stream runs any more.
    virtual void cancel(StreamId stream) = 0;
    // A paused stream delivers nothing; what the engine still says waits, bounded by the answer.
    virtual void set_paused(StreamId stream, bool paused) = 0;

    // CPU time used by the engine's processes since start(); zero when not running.
    [[nodiscard]] virtual base::Duration cpu_time() const = 0;
};

}  // namespace idlewatt::engine
