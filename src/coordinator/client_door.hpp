// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers to clients of /v1 as the gateway gives them: an x-request-id on each, and what the
// headers say about asking again. Threads: the loop's.
#pragma once

#include <cstdint>
#include <functional>
#include <string>

#include "base/loop.hpp"
#include "base/prng.hpp"
#include "http/http.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::coordinator {

class ClientDoor {
public:
    ClientDoor(base::Loop& loop, http::Server& server, std::uint64_t seed)
        : loop_(loop), server_(server), prng_(seed) {}

    [[nodiscard]] http::Server& server() { return server_; }
    // content-type is JSON unless named.
    [[nodiscard]] http::Headers headers(http::Headers headers = {});
    void respond(http::RequestId request, int status, std::string body);
    void refuse(http::RequestId request, const wire::ApiError& error);
    void refuse(http::RequestId request, wire::ApiErrorCode code, std::string message,
                std::string param = {});
    // The store or the disk said no: that is for the log, and the client asks again.
    void refuse_later(http::RequestId request, const base::Error& error);
    // As in file-0199…: time-ordered, and a token everywhere.
    [[nodiscard]] std::string fresh_id(const char* prefix);
    // Told of each request that was answered here.
    void on_answered(std::function<void(http::RequestId)> answered) {
        answered_ = std::move(answered);
    }

private:
    base::Loop& loop_;
    http::Server& server_;
    base::Prng prng_;
    std::function<void(http::RequestId)> answered_;
};

}  // namespace idlewatt::coordinator
