// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Many clients of a gateway's chat API that ask at once and read until their answers are whole: a
// process of their own, by sockets alone, so that their memory is nobody else's.
//
// Lifecycle: construct before the program has threads; ask() once; destruction ends the process.
// Figures may be read at any time.
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include <sys/types.h>

namespace idlewatt {

struct StreamFigures {
    std::atomic<long> connected = 0;
    std::atomic<long> running = 0;  // have had a token and not yet the end
    std::atomic<long> whole = 0;    // with [DONE]
    std::atomic<long> failed = 0;   // anything else
    std::atomic<long> pieces = 0;   // of text
};

class StreamClients {
public:
    explicit StreamClients(long streams);
    ~StreamClients();
    StreamClients(const StreamClients&) = delete;
    StreamClients& operator=(const StreamClients&) = delete;

    void ask(std::uint16_t port, const std::string& api_key, long max_tokens);
    [[nodiscard]] const StreamFigures& figures() const { return *figures_; }

private:
    StreamFigures* figures_;  // shared with the process
    int order_ = -1;          // a pipe to it
    pid_t pid_ = -1;
};

}  // namespace idlewatt
