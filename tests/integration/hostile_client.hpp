// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A client without manners that knows what HTTP demands of the other side: every request that is
// whole, or that can be none any more, is answered by a valid answer or an error object. What is
// only begun is left standing or broken off. One thread; blocks.
#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>

#include "base/prng.hpp"
#include "http/http.hpp"

namespace idlewatt::test {

struct HostileFigures {
    std::uint64_t requests = 0;
    std::uint64_t connections = 0;
    std::uint64_t begun_only = 0;          // no answer is due
    std::uint64_t hung_up = 0;             // in the middle of a stream
    std::map<int, std::uint64_t> answers;  // by status
};

class HostileClient {
public:
    HostileClient(int port, std::uint64_t seed) : port_(port), prng_(seed) {}
    ~HostileClient();
    HostileClient(const HostileClient&) = delete;
    HostileClient& operator=(const HostileClient&) = delete;

    struct Answer {
        int status = 0;       // 0: none was due
        http::Headers asked;  // as far as they could be read
    };
    // Empty: all was well. Else what was wrong.
    [[nodiscard]] std::string send(const std::string& bytes, Answer* answer = nullptr);
    [[nodiscard]] const HostileFigures& figures() const { return figures_; }

private:
    [[nodiscard]] bool connect();
    [[nodiscard]] bool send_all(std::string_view bytes, std::size_t cut);
    void leave_standing();
    void close_now(bool reset);

    struct Received;
    [[nodiscard]] std::string receive(Received& received);
    [[nodiscard]] std::string exchange(std::string_view bytes, std::size_t cut, Received& received);
    void begin_only(std::string_view bytes, std::size_t cut);

    int port_;
    base::Prng prng_;
    int fd_ = -1;
    std::deque<int> standing_;  // connections with a request that is only begun
    HostileFigures figures_;
};

// Empty: a valid answer, or an error object. Else what is wrong with it.
[[nodiscard]] std::string wrong_with_answer(int status, const http::Headers& headers,
                                            const std::string& body);

}  // namespace idlewatt::test
