// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// One answer of a llama-server: template, tokens of the prompt where an answer is resumed, then the
// streamed completion; counts tokens as the engine counts them and names their ids where it can.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/asio_loop.hpp"
#include "engine/engine.hpp"
#include "engine/tap.hpp"

namespace idlewatt::engine {

// The engine as a stream sees it.
struct EngineLink {
    base::AsioLoop& loop;
    std::string socket_path;
    std::shared_ptr<TapWriter> tap;
    // Called with the name of a capability (see contract_check.hpp) that a stream did not show.
    std::function<void(const char* capability)> lacks;
};

class LlamaStream {
public:
    // handler.on_end runs once unless closed; over runs just before it. heard runs whenever the
    // engine says anything. Nothing runs inside a call into the stream.
    LlamaStream(EngineLink link, Generation generation, StreamHandler handler,
                std::function<void()> heard);
    ~LlamaStream();

    LlamaStream(const LlamaStream&) = delete;
    LlamaStream& operator=(const LlamaStream&) = delete;

    void begin();
    // Ends it with engine_failed.
    void fail(const std::string& what);
    // Silently.
    void close();
    void set_paused(bool paused);

    struct Implementation;

private:
    std::shared_ptr<Implementation> impl_;
};

}  // namespace idlewatt::engine
