// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/batch_core.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/fault_point.hpp"
#include "wire/api_error.hpp"

namespace idlewatt::gateway {

namespace {

core::Task task_of(std::string_view endpoint) {
    if (endpoint == "/v1/embeddings")
        return core::Task::embedding;
    return endpoint == "/v1/completions" ? core::Task::completion : core::Task::chat;
}

// Says: not now. Whatever else it says is the result.
bool is_passing(const http::Response& response) {
    if (response.status == 429 || response.status == 503)
        return true;
    if (response.status != 500)
        return false;
    const auto error = wire::parse_error_body(response.body);
    return error && error->code == wire::info(wire::ApiErrorCode::worker_preempted).name;
}

base::Duration wait_asked_for(const http::Response& response) {
    const auto header = response.headers.find("retry-after");
    std::uint32_t seconds = 0;
    if (header != response.headers.end()) {
        const std::string& text = header->second;
        std::from_chars(text.data(), text.data() + text.size(), seconds);
    }
    return std::min(base::seconds(seconds), batch_retry_max);
}

std::uint32_t parts_of(const wire::BatchResult& result) {
    const std::size_t bytes = std::max<std::size_t>(result.body.size(), 1);
    return static_cast<std::uint32_t>((bytes + wire::batch_part_bytes_max - 1) /
                                      wire::batch_part_bytes_max);
}

}  // namespace

BatchEffects BatchCore::handle(const BatchEvent& event, base::Instant now) {
    BatchEffects effects;
    std::visit([&](const auto& e) { on(e, now, effects); }, event);
    return effects;
}

// ── what may be begun ───────────────────────────────────────────────────────────────────────────

void BatchCore::on(const RoomSeen& event, base::Instant now, BatchEffects& effects) {
    const std::size_t slots = slots_to_use(event.room, now);
    const std::size_t usable = slots + running_.size();
    start_lines(slots, now, effects);
    send_results(now, effects);
    ask(usable, slots > 0, now, effects);
}

// Besides what runs. Clients' next question finds the slots that their last ones had.
std::size_t BatchCore::slots_to_use(const Room& room, base::Instant now) {
    if (now >= peak_until_) {
        last_peak_ = std::exchange(peak_, 0);
        peak_until_ = now + batch_peak_period;
    }
    peak_ = std::max(peak_, room.clients_served);
    if (!room.connected || room.clients_wait || bytes_held_ >= batch_bytes_held_max)
        return 0;
    const std::size_t expected = std::max(peak_, last_peak_) - room.clients_served;
    const std::size_t free = static_cast<std::size_t>(room.slots_free);
    const std::size_t left = batch_running_max - std::min(batch_running_max, running_.size());
    return std::min(free - std::min(free, expected), left);
}

void BatchCore::start_lines(std::size_t slots, base::Instant now, BatchEffects& effects) {
    for (auto& [lease, line] : lines_) {
        if (slots == 0)
            return;
        if (!line.ready(now))
            continue;
        --slots;
        line.request =
            http::RequestId{static_cast<std::uint64_t>(batch_requests_begin) + requests_made_++};
        running_.emplace(*line.request, lease);
        effects.emplace_back(
            StartLine{{*line.request, line.item.key, task_of(line.item.endpoint), line.item.body}});
    }
}

// What runs, and as many again. Lines that rest are in nobody's way.
void BatchCore::ask(std::size_t usable, bool some_free, base::Instant now, BatchEffects& effects) {
    if (asking_)
        return;
    const auto ready = static_cast<std::size_t>(std::ranges::count_if(
        lines_, [now](const auto& entry) { return entry.second.ready(now); }));
    std::size_t wanted = 0;
    if (some_free && now >= ask_not_before_ && 2 * ready <= usable) {
        const std::size_t there = ready + running_.size();
        wanted = std::min({2 * usable - std::min(2 * usable, there),
                           batch_lines_held_max - std::min(batch_lines_held_max, lines_.size()),
                           std::size_t{wire::batch_items_max}});
    }
    const bool lease_due = !lines_.empty() && now - asked_at_ >= batch_lease_period;
    if (wanted == 0 && !lease_due)
        return;
    wire::BatchAsk ask;
    ask.items_max = static_cast<std::uint32_t>(wanted);
    for (const auto& [lease, line] : lines_)
        ask.running_leases.push_back(lease);
    asking_ = true;
    asked_at_ = now;
    effects.emplace_back(AskForWork{std::move(ask)});
}

void BatchCore::on(const WorkCame& event, base::Instant now, BatchEffects& effects) {
    asking_ = false;
    ask_retry_ = batch_retry_first;
    // What is done is told all the same: a coordinator that has begun anew knows no lease of it.
    for (const std::uint64_t lease : event.work.ended_leases) {
        if (const auto found = lines_.find(lease); found != lines_.end() && !found->second.done)
            forget(found, effects);
    }
    bool fresh = false;
    for (const wire::BatchItem& item : event.work.items) {
        if (lines_.size() >= batch_lines_held_max)
            break;
        const auto [place, added] = lines_.try_emplace(item.lease);
        if (!added)
            continue;
        place->second.item = item;
        place->second.not_before = now;
        bytes_held_ += item.body.size();
        fresh = true;
    }
    if (!fresh)
        ask_not_before_ = now + batch_idle_period;
}

void BatchCore::on(const WorkFailed&, base::Instant now, BatchEffects&) {
    asking_ = false;
    ask_not_before_ = now + ask_retry_;
    // What is held is named again before that.
    asked_at_ = now + ask_retry_ - batch_lease_period;
    ask_retry_ = std::min(ask_retry_ * 2, batch_lease_period);
}

// ── what came out ───────────────────────────────────────────────────────────────────────────────

BatchCore::Lines::iterator BatchCore::end_run(http::RequestId request) {
    const auto found = running_.find(request);
    if (found == running_.end())
        return lines_.end();
    const auto line = lines_.find(found->second);
    running_.erase(found);
    if (line != lines_.end())
        line->second.request.reset();
    return line;
}

void BatchCore::on(const LineAnswered& event, base::Instant now, BatchEffects& effects) {
    const auto found = end_run(event.request);
    if (found == lines_.end())
        return;
    Line& line = found->second;
    line.deferred_since.reset();
    ++line.tries;
    if (is_passing(event.response) && line.tries < batch_tries_max) {
        base::reached("gateway.batch_line_again");
        line.not_before = now + std::max(line.retry, wait_asked_for(event.response));
        line.retry = std::min(line.retry * 2, batch_retry_max);
        return;
    }
    settle(found->first, line, event.response);
    send_results(now, effects);
}

void BatchCore::settle(std::uint64_t lease, Line& line, const http::Response& response) {
    wire::BatchResult& result = line.result;
    result.lease = lease;
    result.batch_id = line.item.batch_id;
    result.line = line.item.line;
    result.status_code = static_cast<std::uint32_t>(response.status);
    result.body = response.body;
    if (const auto id = response.headers.find("x-request-id"); id != response.headers.end())
        result.request_id = id->second.substr(0, wire::batch_request_id_bytes_max);
    if (result.body.size() > wire::batch_result_bytes_max) {
        const wire::ApiError error = wire::api_error(
            wire::ApiErrorCode::request_too_large,
            "The answer is larger than 8 MiB, the most that a line of a batch may bring. Ask for "
            "less in one line.",
            "body");
        result.status_code = static_cast<std::uint32_t>(error.http_status());
        result.body = wire::error_body(error);
    }
    result.parts = parts_of(result);
    line.done = true;
    line.retry = batch_retry_first;
    bytes_held_ += result.body.size();
    bytes_held_ -= line.item.body.size();
    line.item.body = {};
}

void BatchCore::on(const LineDeferred& event, base::Instant now, BatchEffects& effects) {
    const auto found = end_run(event.request);
    if (found == lines_.end())
        return;
    Line& line = found->second;
    line.not_before = now + batch_deferred_period;
    if (!line.deferred_since || event.begun)
        line.deferred_since = now;
    if (now - *line.deferred_since >= batch_deferred_max) {
        base::reached("gateway.batch_line_given_back");
        forget(found, effects);
    }
}

void BatchCore::send_results(base::Instant now, BatchEffects& effects) {
    for (auto& [lease, line] : lines_) {
        if (sending_ >= batch_results_at_once)
            return;
        if (line.done && !line.sending && line.not_before <= now)
            send_part(lease, line, effects);
    }
}

void BatchCore::send_part(std::uint64_t lease, Line& line, BatchEffects& effects) {
    const std::size_t offset = line.part * wire::batch_part_bytes_max;
    wire::BatchResult part;
    part.lease = lease;
    part.batch_id = line.result.batch_id;
    part.line = line.result.line;
    part.status_code = line.result.status_code;
    part.request_id = line.result.request_id;
    part.part = line.part;
    part.parts = line.result.parts;
    part.body = line.result.body.substr(offset, wire::batch_part_bytes_max);
    line.sending = true;
    ++sending_;
    effects.emplace_back(SendResult{std::move(part)});
}

void BatchCore::on(const ResultAnswered& event, base::Instant now, BatchEffects& effects) {
    const auto found = lines_.find(event.lease);
    if (found == lines_.end() || !found->second.sending)
        return;
    Line& line = found->second;
    line.sending = false;
    --sending_;
    switch (event.state) {
        case wire::BatchResultState::part_taken:
            line.retry = batch_retry_first;
            line.part = (line.part + 1) % line.result.parts;
            break;
        case wire::BatchResultState::send_again:
            line.part = 0;
            line.not_before = now + line.retry;
            line.retry = std::min(line.retry * 2, batch_retry_max);
            break;
        case wire::BatchResultState::committed:
        case wire::BatchResultState::refused:
            forget(found, effects);
            break;
    }
    send_results(now, effects);
}

void BatchCore::on(const ResultUnanswered& event, base::Instant now, BatchEffects&) {
    const auto found = lines_.find(event.lease);
    if (found == lines_.end() || !found->second.sending)
        return;
    base::reached("gateway.batch_result_again");
    Line& line = found->second;
    line.sending = false;
    --sending_;
    line.not_before = now + line.retry;
    line.retry = std::min(line.retry * 2, batch_retry_max);
}

void BatchCore::forget(Lines::iterator found, BatchEffects& effects) {
    Line& line = found->second;
    if (line.request) {
        running_.erase(*line.request);
        effects.emplace_back(StopLine{*line.request});
    }
    if (line.sending)
        --sending_;
    bytes_held_ -= line.item.body.size() + line.result.body.size();
    lines_.erase(found);
}

}  // namespace idlewatt::gateway
