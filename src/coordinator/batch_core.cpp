// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_core.hpp"

#include <algorithm>
#include <utility>

namespace idlewatt::coordinator {

namespace {

using store::BatchStatus;

// Beside a line's own bytes, in an answer to a gateway.
constexpr std::size_t item_overhead_bytes = 512;

}  // namespace

std::vector<BatchEffect> BatchCore::handle(const BatchEvent& event, BatchNow now) {
    Effects effects;
    std::visit([&](const auto& one) { on(one, now, effects); }, event);
    return effects;
}

const store::Batch* BatchCore::find(const std::string& batch) const {
    const auto found = open_.find(batch);
    return found == open_.end() ? nullptr : &found->second.batch;
}

bool BatchCore::uses_file(const std::string& file) const {
    return std::ranges::any_of(
        open_, [&](const auto& one) { return one.second.batch.input_file == file; });
}

std::size_t BatchCore::open_count(const core::KeyId& key) const {
    return static_cast<std::size_t>(
        std::ranges::count_if(open_, [&](const auto& one) { return one.second.batch.key == key; }));
}

// ── lines ───────────────────────────────────────────────────────────────────────────────────────

void BatchCore::put_lines(Open& open, const std::vector<store::BatchLine>& lines,
                          std::size_t total) {
    open.lines.assign(total, {});
    open.queue.clear();
    open.resting.clear();
    for (const store::BatchLine& line : lines) {
        open.lines.at(line.line - 1) = {line.offset, 0, line.bytes, LineState::waiting, 0};
        open.queue.push_back(line.line);
    }
    open.unfinished = lines.size();
}

// In front: what was begun first is ended first.
void BatchCore::wait_again(Open& open, std::uint32_t line) {
    open.lines.at(line - 1).state = LineState::waiting;
    open.queue.push_front(line);
}

// Nobody ended it, and nobody gave it back: its gateway died or has no car for it.
void BatchCore::lapsed(Open& open, std::uint32_t line, BatchNow now) {
    Line& lapsed = open.lines.at(line - 1);
    if (lapsed.lapses < batch_lapses_free) {
        ++lapsed.lapses;
        return wait_again(open, line);
    }
    base::Duration rest = batch_rest_first;
    for (int i = batch_lapses_free; i < lapsed.lapses && rest < batch_rest_max; ++i)
        rest = rest * 2;
    if (rest < batch_rest_max)
        ++lapsed.lapses;
    lapsed.state = LineState::waiting;
    // Not beyond the end of its batch: cars may be there before.
    const base::Duration half_left = (open.batch.expires_at - now.wall) / 2;
    open.resting.emplace(now.instant + std::min({rest, batch_rest_max, half_left}), line);
}

std::optional<std::uint32_t> BatchCore::next_line(Open& open, base::Instant now) {
    while (!open.resting.empty() && open.resting.begin()->first <= now) {
        open.queue.push_back(open.resting.begin()->second);
        open.resting.erase(open.resting.begin());
    }
    while (!open.queue.empty()) {
        const std::uint32_t line = open.queue.front();
        if (open.lines.at(line - 1).state == LineState::waiting)
            return line;
        open.queue.pop_front();
    }
    return std::nullopt;
}

void BatchCore::end_leases_of(const std::string& batch, Open& open) {
    for (auto lease = leases_.begin(); lease != leases_.end();) {
        if (lease->second.batch != batch) {
            ++lease;
            continue;
        }
        --open.busy;
        wait_again(open, lease->second.line);
        lease = leases_.erase(lease);
    }
}

void BatchCore::end_old_leases(BatchNow now) {
    for (auto lease = leases_.begin(); lease != leases_.end();) {
        if (now.instant - lease->second.named_at < wire::batch_lease_life) {
            ++lease;
            continue;
        }
        Open& open = open_.at(lease->second.batch);
        --open.busy;
        lapsed(open, lease->second.line, now);
        lease = leases_.erase(lease);
    }
}

// ── a batch begins ──────────────────────────────────────────────────────────────────────────────

void BatchCore::on(const BatchAdded& added, BatchNow, Effects& effects) {
    Open& open = open_[added.batch.id];
    open = Open{added.batch};
    open.checking = true;
    effects.emplace_back(CheckBatch{added.batch.id});
}

void BatchCore::on(const BatchResumed& resumed, BatchNow now, Effects& effects) {
    const std::string& id = resumed.batch.id;
    Open& open = open_[id];
    open = Open{resumed.batch};
    open.saved = resumed.batch.status;
    open.cancelled_at = now.instant - batch_cancel_grace;  // nobody runs its lines any more
    // Whether all its lines are in the store is not known.
    if (!resumed.batch.in_progress_at) {
        open.checking = true;
        effects.emplace_back(CheckBatch{id});
        return;
    }
    put_lines(open, resumed.state.open, resumed.batch.total);
    open.batch.tally = resumed.state.tally;
    advance(id, open, now, effects);
}

void BatchCore::on(const BatchChecked& checked, BatchNow now, Effects& effects) {
    const auto found = open_.find(checked.batch);
    if (found == open_.end() || !found->second.checking)
        return;
    Open& open = found->second;
    open.checking = false;
    open.batch.errors_json = checked.faults_json;
    open.batch.model = checked.model;
    if (!checked.faults_json.empty()) {
        store::Batch last = open.batch;
        last.status =
            last.status == BatchStatus::cancelling ? BatchStatus::cancelled : BatchStatus::failed;
        last.ended_at = now.wall;
        open.finishing = open.writing = true;
        effects.emplace_back(EndBatch{std::move(last)});
        return;
    }
    put_lines(open, checked.lines, checked.lines.size());
    open.batch.total = checked.lines.size();
    open.batch.in_progress_at = now.wall;
    if (open.batch.status == BatchStatus::validating)
        open.batch.status = BatchStatus::in_progress;
    effects.emplace_back(SaveBatch{checked.batch});
    advance(checked.batch, open, now, effects);
}

void BatchCore::on(const BatchSaved& saved, BatchNow, Effects&) {
    const auto found = open_.find(saved.batch);
    if (found != open_.end())
        found->second.saved = saved.status;
}

// ── work ────────────────────────────────────────────────────────────────────────────────────────

void BatchCore::on(const WorkAsked& asked, BatchNow now, Effects& effects) {
    HandOut out;
    out.question = asked.question;
    for (const std::uint64_t named : asked.ask.running_leases) {
        const auto lease = leases_.find(named);
        if (lease != leases_.end() && lease->second.gateway == asked.gateway)
            lease->second.named_at = now.instant;
        else
            out.ended_leases.push_back(named);
    }
    end_old_leases(now);
    hand_out(asked, now, out);
    effects.emplace_back(std::move(out));
    advance_all(now, effects);
}

namespace {

// The gateway that asks does not know the key, and would give its lines back. The fixed key of
// programs is in no book; see AdminDesk.
bool cannot_run(const wire::BatchAsk& ask, const core::KeyId& key) {
    return key.value == "static" ? ask.lacks_static_key : ask.lacks_key_book;
}

}  // namespace

// One line of each batch in turn, so that a small batch does not wait for a large one.
void BatchCore::hand_out(const WorkAsked& asked, BatchNow now, HandOut& out) {
    const std::size_t held = asked.ask.running_leases.size();
    const std::size_t room = wire::batch_leases_max - std::min(held, wire::batch_leases_max);
    const std::size_t count = std::min<std::size_t>(asked.ask.items_max, room);
    std::size_t bytes = out.ended_leases.size() * 10 + item_overhead_bytes;
    std::size_t passed = 0;  // batches in a row that had nothing
    while (out.lines.size() < count && passed < open_.size()) {
        auto next = open_.upper_bound(last_served_);
        if (next == open_.end())
            next = open_.begin();
        last_served_ = next->first;
        Open& open = next->second;
        ++passed;
        if (cannot_run(asked.ask, open.batch.key))
            continue;
        if (open.batch.status != BatchStatus::in_progress || open.finishing ||
            open.saved != BatchStatus::in_progress || open.batch.expires_at <= now.wall)
            continue;
        const auto number = next_line(open, now.instant);
        if (!number)
            continue;
        Line& line = open.lines.at(*number - 1);
        if (bytes + line.bytes + item_overhead_bytes > wire::batch_work_bytes_max)
            return;
        bytes += line.bytes + item_overhead_bytes;
        open.queue.pop_front();
        line.state = LineState::leased;
        line.lease = next_lease_++;
        ++open.busy;
        leases_[line.lease] = {next->first, *number, asked.gateway, now.instant};
        out.lines.push_back({line.lease, next->first, {*number, line.offset, line.bytes, {}}});
        passed = 0;
    }
}

void BatchCore::on(const LinesReturned& returned, BatchNow now, Effects& effects) {
    for (const std::uint64_t number : returned.leases) {
        const auto lease = leases_.find(number);
        if (lease == leases_.end())
            continue;
        Open& open = open_.at(lease->second.batch);
        --open.busy;
        wait_again(open, lease->second.line);
        leases_.erase(lease);
    }
    advance_all(now, effects);
}

void BatchCore::on(const ResultOffered& offered, BatchNow, Effects& effects) {
    const auto answer = [&](wire::BatchResultState state) {
        effects.emplace_back(AnswerResult{offered.question, state});
    };
    const auto found = open_.find(offered.batch);
    if (found == open_.end() || offered.line == 0 || offered.line > found->second.lines.size())
        return answer(wire::BatchResultState::refused);
    Open& open = found->second;
    Line& line = open.lines.at(offered.line - 1);
    if (line.state == LineState::ended)
        return answer(wire::BatchResultState::committed);
    if (open.finishing)
        return answer(wire::BatchResultState::refused);
    if (line.state == LineState::committing)
        return;  // asked again, it will have ended
    if (line.state == LineState::leased)
        leases_.erase(line.lease);
    else
        ++open.busy;
    line.state = LineState::committing;
    ++open.committing;
    effects.emplace_back(CommitResult{offered.question});
}

void BatchCore::on(const ResultCommitted& committed, BatchNow now, Effects& effects) {
    const auto found = open_.find(committed.batch);
    if (found == open_.end())
        return;
    Open& open = found->second;
    Line& line = open.lines.at(committed.line - 1);
    --open.committing;
    --open.busy;
    if (!committed.committed) {
        wait_again(open, committed.line);
        return advance(committed.batch, open, now, effects);
    }
    line.state = LineState::ended;
    --open.unfinished;
    store::BatchTally& tally = open.batch.tally;
    tally.completed += committed.tally.completed;
    tally.failed += committed.tally.failed;
    tally.input_tokens += committed.tally.input_tokens;
    tally.cached_tokens += committed.tally.cached_tokens;
    tally.output_tokens += committed.tally.output_tokens;
    tally.reasoning_tokens += committed.tally.reasoning_tokens;
    effects.emplace_back(AnswerResult{committed.question, wire::BatchResultState::committed});
    advance(committed.batch, open, now, effects);
}

// ── a batch ends ────────────────────────────────────────────────────────────────────────────────

void BatchCore::on(const BatchCancelAsked& asked, BatchNow now, Effects& effects) {
    const auto found = open_.find(asked.batch);
    if (found == open_.end())
        return;
    Open& open = found->second;
    // Its end is on its way into the store, or it is cancelled already.
    if (open.batch.status == BatchStatus::cancelling || (open.finishing && open.writing))
        return;
    open.batch.status = BatchStatus::cancelling;
    open.batch.cancelling_at = now.wall;
    open.cancelled_at = now.instant;
    effects.emplace_back(SaveBatch{asked.batch});
    advance(asked.batch, open, now, effects);
}

void BatchCore::advance(const std::string& id, Open& open, BatchNow now, Effects& effects) {
    if (open.checking || open.writing)
        return;
    store::Batch& batch = open.batch;
    const bool late = batch.expires_at <= now.wall;
    if (batch.status == BatchStatus::in_progress && (open.unfinished == 0 || late)) {
        batch.status = BatchStatus::finalizing;
        batch.finalizing_at = now.wall;
        effects.emplace_back(SaveBatch{id});
    }
    const bool cancelling = batch.status == BatchStatus::cancelling;
    const bool waits_for_lines =
        cancelling && now.instant - open.cancelled_at < batch_cancel_grace && open.busy > 0;
    if ((!cancelling && batch.status != BatchStatus::finalizing) || waits_for_lines)
        return;
    end_leases_of(id, open);
    if (open.committing > 0 || now.instant < open.finish_after)
        return;
    open.finishing = open.writing = true;
    effects.emplace_back(WriteBatchFiles{id, cancelling ? "batch_cancelled" : "batch_expired"});
}

void BatchCore::on(const BatchFilesWritten& written, BatchNow now, Effects& effects) {
    const auto found = open_.find(written.batch);
    if (found == open_.end())
        return;
    Open& open = found->second;
    if (!written.written) {
        open.writing = false;
        open.finish_after = now.instant + batch_finish_retry;
        return;
    }
    store::Batch last = open.batch;
    if (last.status == BatchStatus::cancelling)
        last.status = BatchStatus::cancelled;
    else
        last.status = open.unfinished > 0 ? BatchStatus::expired : BatchStatus::completed;
    last.output_file = written.output_file;
    last.error_file = written.error_file;
    last.tally = written.tally;
    last.ended_at = now.wall;
    effects.emplace_back(EndBatch{std::move(last)});
}

void BatchCore::on(const BatchEnded& ended, BatchNow, Effects&) {
    open_.erase(ended.batch);
}

void BatchCore::on(const BatchClock&, BatchNow now, Effects& effects) {
    end_old_leases(now);
    advance_all(now, effects);
}

void BatchCore::advance_all(BatchNow now, Effects& effects) {
    for (auto& [id, open] : open_)
        advance(id, open, now, effects);
}

}  // namespace idlewatt::coordinator
