// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files and batches on their way through a gateway: the client's request to the coordinator as it
// comes, the coordinator's answer to the client as it comes, at the pace of the slower side, in
// bounded memory. Without an address, or while the coordinator is away, the client gets 503 and is
// told what to do; nothing else of the gateway waits for it.
//
// Lifecycle: owned by the gateway; destruction hangs up on the coordinator. Threads: the loop's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/time.hpp"
#include "gateway/forwarded_paths.hpp"
#include "http/forwarder.hpp"
#include "http/http.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::gateway {

// At a time; further ones are sent away. Each holds at most a window of either direction.
inline constexpr std::size_t forwards_max = 64;
// Of one file, and what frames it as a form.
inline constexpr std::uint64_t forwarded_file_bytes_max =
    std::uint64_t{512} * 1024 * 1024 + std::uint64_t{1024} * 1024;
// Of an answer: with the server and not yet with the client. Above it the coordinator waits.
inline constexpr std::size_t forward_window_bytes = 512 * 1024;
// A client that takes nothing of its answer for so long while some waits gives its place up.
inline constexpr base::Duration forward_stall_max = base::seconds(60);
inline constexpr std::uint32_t retry_after_away_s = 5;

class ForwardDesk {
public:
    // forwarder: null when it is not known where the coordinator is.
    ForwardDesk(http::Server& server, http::Forwarder* forwarder)
        : server_(server), forwarder_(forwarder) {}

    ForwardDesk(const ForwardDesk&) = delete;
    ForwardDesk& operator=(const ForwardDesk&) = delete;

    // How much of this request's body is taken as it comes; 0: it is gathered.
    [[nodiscard]] static std::uint64_t body_bytes_allowed(const http::Request& head);

    // headers: of the gateway, for the answer. The coordinator's x-request-id goes before ours.
    void forward(const http::Request& request, http::Headers headers);

    // Of the server's handler; of requests that are not forwarded they mean nothing here.
    void on_body(http::RequestId request, std::string part);
    void on_body_end(http::RequestId request);
    void on_gone(http::RequestId request) { passages_.erase(request); }
    void on_written(http::RequestId request, std::uint64_t bytes);

    // Once in a while: ends those whose client has stalled.
    void look(base::Instant now);

    [[nodiscard]] std::size_t under_way() const { return passages_.size(); }

private:
    struct Passage {
        std::unique_ptr<http::Exchange> exchange;
        http::Headers headers;
        std::uint64_t consumed_bytes = 0;  // of the request's body
        std::uint64_t given_bytes = 0;     // of the answer's
        std::uint64_t written_bytes = 0;
        std::uint64_t seen_bytes = 0;  // written at the last look that found some moved
        base::Instant moved_at;        // then; meaningful while some wait for the client
        bool stalls = false;           // they waited at the last look
        bool begun = false;
        bool paused = false;
    };

    void on_head(http::RequestId request, int status, const http::Headers& headers);
    void on_answer(http::RequestId request, std::string_view bytes);
    void on_end(http::RequestId request, const base::Result<void>& end);
    void on_sent(http::RequestId request, std::uint64_t bytes);
    void refuse(http::RequestId request, const wire::ApiError& error, http::Headers headers,
                std::uint32_t retry_after_s);

    http::Server& server_;
    http::Forwarder* forwarder_;
    std::map<http::RequestId, Passage> passages_;
};

}  // namespace idlewatt::gateway
