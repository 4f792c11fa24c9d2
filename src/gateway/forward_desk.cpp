// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/forward_desk.hpp"

#include <utility>
#include <vector>

#include "base/fault_point.hpp"
#include "base/log.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

namespace {

using wire::ApiErrorCode;

// Ours, and what the coordinator says; of what both say, ours, but for the request's id, by which
// the coordinator's log is searched.
http::Headers merged(http::Headers ours, const http::Headers& theirs) {
    if (theirs.contains("x-request-id"))
        ours.erase("x-request-id");
    ours.insert(theirs.begin(), theirs.end());
    return ours;
}

}  // namespace

std::uint64_t ForwardDesk::body_bytes_allowed(const http::Request& head) {
    return is_at_or_below(head.target, files_path) ? forwarded_file_bytes_max : 0;
}

void ForwardDesk::forward(const http::Request& request, http::Headers headers) {
    if (forwarder_ == nullptr) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::store_unavailable,
                               "Files and batches are kept by the coordinator, and this gateway "
                               "was not told where it is. Its operator starts it with "
                               "--coordinator URL (gateway.coordinator_url)."),
               std::move(headers), retry_after_empty_s);
        return;
    }
    if (passages_.size() >= forwards_max) {
        refuse(request.id,
               wire::api_error(ApiErrorCode::server_is_overloaded,
                               "Too many files and batches are asked for at once."),
               std::move(headers), retry_after_full_s);
        return;
    }
    const http::RequestId id = request.id;
    passages_[id].headers = std::move(headers);
    http::CallHandler handler;
    handler.on_head = [this, id](int status, const http::Headers& theirs) {
        on_head(id, status, theirs);
    };
    handler.on_body = [this, id](std::string_view bytes) { on_answer(id, bytes); };
    handler.on_end = [this, id](const base::Result<void>& end) { on_end(id, end); };
    handler.on_sent = [this, id](std::uint64_t bytes) { on_sent(id, bytes); };
    auto exchange = forwarder_->forward(request, std::move(handler));
    passages_[id].exchange = std::move(exchange);
}

// ── to the coordinator ──────────────────────────────────────────────────────────────────────────

void ForwardDesk::on_body(http::RequestId request, std::string part) {
    if (const auto found = passages_.find(request); found != passages_.end())
        found->second.exchange->send(std::move(part));
}

void ForwardDesk::on_body_end(http::RequestId request) {
    if (const auto found = passages_.find(request); found != passages_.end())
        found->second.exchange->end_body();
}

// What the coordinator has taken makes room for more of the client's.
void ForwardDesk::on_sent(http::RequestId request, std::uint64_t bytes) {
    const auto found = passages_.find(request);
    if (found == passages_.end() || bytes <= found->second.consumed_bytes)
        return;
    const std::uint64_t more = bytes - std::exchange(found->second.consumed_bytes, bytes);
    server_.consume_body(request, static_cast<std::size_t>(more));
}

// ── to the client ───────────────────────────────────────────────────────────────────────────────

void ForwardDesk::on_head(http::RequestId request, int status, const http::Headers& theirs) {
    const auto found = passages_.find(request);
    if (found == passages_.end())
        return;
    http::Response response{status, merged(std::move(found->second.headers), theirs), {}};
    if (status == 204 || status == 304) {
        passages_.erase(found);
        server_.respond(request, std::move(response));
        return;
    }
    found->second.begun = true;
    server_.begin(request, std::move(response));
}

void ForwardDesk::on_answer(http::RequestId request, std::string_view bytes) {
    const auto found = passages_.find(request);
    if (found == passages_.end())
        return;
    Passage& passage = found->second;
    passage.given_bytes += bytes.size();
    if (passage.given_bytes - passage.written_bytes > forward_window_bytes && !passage.paused) {
        passage.paused = true;
        passage.exchange->pause();
    }
    server_.write(request, std::string(bytes));
}

void ForwardDesk::on_written(http::RequestId request, std::uint64_t bytes) {
    const auto found = passages_.find(request);
    if (found == passages_.end())
        return;
    Passage& passage = found->second;
    passage.written_bytes = bytes;
    if (passage.paused && passage.given_bytes - bytes <= forward_window_bytes / 2) {
        passage.paused = false;
        passage.exchange->resume();
    }
}

void ForwardDesk::look(base::Instant now) {
    std::vector<http::RequestId> stalled;
    for (auto& [request, passage] : passages_) {
        const bool waits = passage.given_bytes > passage.written_bytes;
        if (!waits || !passage.stalls || passage.seen_bytes != passage.written_bytes) {
            passage.stalls = waits;
            passage.seen_bytes = passage.written_bytes;
            passage.moved_at = now;
        } else if (now - passage.moved_at > forward_stall_max) {
            stalled.push_back(request);
        }
    }
    for (const http::RequestId request : stalled) {
        base::reached("gateway.forward_stalled");
        passages_.erase(request);
        server_.abort(request);
    }
}

void ForwardDesk::on_end(http::RequestId request, const base::Result<void>& end) {
    const auto found = passages_.find(request);
    if (found == passages_.end())
        return;
    const Passage passage = std::move(found->second);
    passages_.erase(found);
    if (passage.begun) {
        if (end)
            server_.end(request);
        else
            server_.abort(request);
        return;
    }
    base::log_warning("gateway", "the coordinator does not answer: " +
                                     (end ? std::string("no head") : end.error().message));
    refuse(request,
           wire::api_error(ApiErrorCode::store_unavailable,
                           "The coordinator, which keeps files and batches, does not answer; all "
                           "else is served."),
           passage.headers, retry_after_away_s);
}

void ForwardDesk::refuse(http::RequestId request, const wire::ApiError& error,
                         http::Headers headers, std::uint32_t retry_after_s) {
    headers["content-type"] = "application/json";
    headers["retry-after"] = std::to_string(retry_after_s);
    wire::ApiError said = error;
    said.message += " Try again in " + std::to_string(retry_after_s) + " s.";
    server_.respond(request, {error.http_status(), std::move(headers), wire::error_body(said)});
}

}  // namespace idlewatt::gateway
