// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/attempt.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace idlewatt::agent {

Attempt::Attempt(core::AttemptId id, const core::Open& open, base::Instant now,
                 base::WallTime wall_now)
    : id_(std::move(id)),
      gateway_(open.gateway),
      opened_at_(now),
      opened_wall_(wall_now),
      heard_at_(now),
      parts_expected_(open.parts),
      work_bytes_expected_(open.work_bytes),
      work_bytes_(open.part.size()) {
    parts_.push_back(open.part);
}

bool Attempt::take_part(const core::Body& body) {
    if (state_ != State::receiving || body.index < parts_.size())
        return true;  // a repetition
    if (body.index > parts_.size())
        return true;  // after a hole: alive() asks for it again
    if (body.index >= parts_expected_)
        return false;
    work_bytes_ += body.part.size();
    if (work_bytes_ > work_bytes_expected_)
        return false;
    parts_.push_back(body.part);
    return parts_.size() < parts_expected_ || work_bytes_ == work_bytes_expected_;
}

std::string Attempt::take_work_bytes() {
    IDLEWATT_ASSERT(whole());
    std::string bytes;
    bytes.reserve(work_bytes_);
    for (std::string& part : parts_) {
        bytes += part;
        part = {};
    }
    return bytes;
}

void Attempt::run(const core::Work& work) {
    IDLEWATT_ASSERT(state_ == State::receiving);
    state_ = State::running;
    work_ = work.id;
    model_ = work.model;
}

core::Numbered Attempt::append(core::Numbered message, std::uint32_t tokens, std::size_t bytes) {
    message.sequence = ++last_sequence_;
    window_.push_back({message, tokens, bytes});
    window_bytes_ += bytes;
    return message;
}

core::Numbered Attempt::number(core::Piece piece) {
    IDLEWATT_ASSERT(state_ == State::running);
    const std::uint32_t tokens = piece.token_count;
    std::size_t bytes = piece.text.size() + piece.ids.size() * sizeof(std::int32_t) +
                        piece.reasoning.size() + piece.logprobs_json.size() + 32;
    for (const core::ToolCall& call : piece.tool_calls)
        bytes += call.id.size() + call.name.size() + call.arguments_json.size() + 16;
    generated_tokens_ += tokens;
    return append({0, std::move(piece)}, tokens, bytes);
}

core::Numbered Attempt::number(core::Embedding embedding) {
    IDLEWATT_ASSERT(state_ == State::running);
    const std::size_t bytes = embedding.values.size() + 16;
    return append({0, std::move(embedding)}, 0, bytes);
}

core::Numbered Attempt::end(const core::Finished& finished) {
    IDLEWATT_ASSERT(state_ == State::running);
    state_ = State::ended;
    prompt_tokens_ = finished.prompt_tokens;
    // The engine counts tokens that never became text: the end token, half a character.
    const std::uint32_t silent =
        std::max(finished.generated_tokens, generated_tokens_) - generated_tokens_;
    generated_tokens_ += silent;
    return append({0, finished}, silent, 32);
}

core::Numbered Attempt::end(core::Rejected rejected) {
    state_ = State::ended;
    const std::size_t bytes = rejected.message.size();
    return append({0, std::move(rejected)}, 0, bytes);
}

core::Numbered Attempt::end(core::Yielded yielded) {
    state_ = State::ended;
    return append({0, yielded}, 0, 16);
}

bool Attempt::window_full() const {
    return window_.size() >= core::window_messages || window_bytes_ >= core::window_bytes;
}

void Attempt::acknowledge(std::uint64_t sequence) {
    while (!window_.empty() && window_.front().message.sequence <= sequence) {
        acknowledged_tokens_ += window_.front().tokens;
        window_bytes_ -= window_.front().bytes;
        window_.pop_front();
    }
}

std::vector<core::Numbered> Attempt::unacknowledged_from(std::uint64_t sequence) const {
    std::vector<core::Numbered> messages;
    for (const Sent& sent : window_) {
        if (sent.message.sequence >= sequence)
            messages.push_back(sent.message);
    }
    return messages;
}

core::Alive Attempt::alive() const {
    const bool collecting = state_ == State::receiving;
    return {collecting ? static_cast<std::uint32_t>(parts_.size()) : parts_expected_,
            last_sequence_};
}

core::Receipt Attempt::receipt(core::AttemptEnd end, base::Instant now) const {
    core::Receipt receipt;
    receipt.gateway = gateway_;
    receipt.work = work_;
    receipt.attempt = id_;
    receipt.model = model_;
    receipt.end = end;
    receipt.prompt_tokens = prompt_tokens_;
    receipt.generated_tokens = generated_tokens_;
    receipt.acknowledged_tokens = acknowledged_tokens_;
    receipt.started_at = opened_wall_;
    receipt.duration = now - opened_at_;
    return receipt;
}

}  // namespace idlewatt::agent
