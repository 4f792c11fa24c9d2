// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What cars say, and how it reaches the client: in order, once, acknowledged when it is there.
#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

void GatewayCore::on(const CarSaid& event, Now now, Effects& effects) {
    Answer* answer = find(event.from.attempt);
    if (answer == nullptr || answer->attempt->vehicle != event.from.vehicle ||
        answer->attempt->incarnation != event.from.incarnation) {
        answer_stranger(event, effects);
        return;
    }
    answer->attempt->heard = true;
    answer->attempt->heard_at = now.instant;
    std::visit([&](const auto& message) { take(*answer, message, now, effects); }, event.message);
}

// Words of an attempt that is over here: tell the car so, whatever it missed.
void GatewayCore::answer_stranger(const CarSaid& event, Effects& effects) {
    if (std::holds_alternative<core::Refused>(event.message))
        return;
    const auto closed = closed_.find(event.from.attempt);
    core::ToCar answer = core::Cancel{};
    if (const OpenAttempt* settling = find_settling(event.from.attempt)) {
        answer = core::Ack{settling->with_client};
    } else {
        base::reached("gateway.stranger");
    }
    if (closed != closed_.end())
        answer = core::Ack{closed->second};
    effects.emplace_back(Tell{event.from.vehicle, event.from.incarnation, event.from.attempt,
                              std::move(answer), false});
}

void GatewayCore::take(Answer& answer, const core::Numbered& message, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    if (message.sequence <= attempt.received)
        return;  // a repetition
    if (message.sequence != attempt.received + 1) {
        ask_again(attempt, now, effects);
        return;
    }
    attempt.received = message.sequence;
    attempt.advanced_at = now.instant;
    attempt.parts.clear();
    std::visit([&](const auto& content) { take(answer, content, now, effects); }, message.content);
}

void GatewayCore::take(Answer& answer, const core::Piece& piece, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    if (attempt.tokens_before > 0 && base::fault_point("gateway.drop_resumed_piece"))
        return;
    answer.resume.append(piece.ids, piece.text, piece.token_count);
    answer.attempts_without_progress = 0;
    figures_.tokens_delivered += piece.token_count;
    if (answer.gap_from) {
        gaps_ms_.push_back((now.instant - *answer.gap_from).milliseconds());
        if (gaps_ms_.size() > wire::migration_gaps_max)
            gaps_ms_.pop_front();
        answer.gap_from.reset();
    }
    answer.piece_at = answer.progress_at = now.instant;
    if (answer.chat.stream) {
        begin(answer, effects);
        if (!piece.text.empty())
            write(answer, wire::text_event(answer.head, piece.text), effects);
        if (base::fault_point("gateway.duplicate_piece"))
            write(answer, wire::text_event(answer.head, piece.text), effects);
        attempt.unwritten.emplace_back(attempt.received, answer.bytes_given);
        attempt.written(answer.bytes_written);
    } else {
        answer.text += piece.text;
        attempt.with_client = attempt.received;
    }
    if (attempt.with_client - attempt.acknowledged >= acknowledge_every) {
        acknowledge(attempt, now, effects);
    }
}

// Nobody asked for one.
void GatewayCore::take(Answer& answer, const core::Embedding&, Now now, Effects& effects) {
    lose_attempt(answer, now, effects);
}

void GatewayCore::take(Answer& answer, const core::Finished& finished, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    // Tokens that became no text (the end token, half a character) are known only to the engine
    // that ended the answer; what former attempts generated is in the resume point.
    const wire::Usage usage{finished.prompt_tokens,
                            attempt.tokens_before + finished.generated_tokens,
                            finished.cached_tokens};
    if (answer.chat.stream) {
        begin(answer, effects);
        write(answer, wire::finish_event(answer.head, finished.reason), effects);
        if (answer.chat.include_usage) {
            write(answer, wire::usage_event(answer.head, usage), effects);
        }
        write(answer, wire::done_event(), effects);
        effects.emplace_back(EndResponse{answer.request});
    } else {
        auto body = wire::chat_answer(answer.head, answer.text, finished.reason, usage);
        effects.emplace_back(Respond{
            answer.request, {200, {{"content-type", "application/json"}}, std::move(body)}});
    }
    settle(answer, now, effects);
    drop_attempt(answer);
    ++figures_.requests_completed;
    finish(answer);
    place_waiting(now, effects);
}

void GatewayCore::take(Answer& answer, const core::Rejected& rejected, Now now, Effects& effects) {
    settle(answer, now, effects);
    if (answer.resume.tokens > 0) {
        // The question was fine for another car: this one cannot hold the answer so far.
        move_on(answer, now, effects);
        return;
    }
    ++figures_.requests_rejected;
    --figures_.requests_started;
    fail(answer, static_cast<int>(rejected.http_status), "invalid_request", rejected.message,
         effects);
    place_waiting(now, effects);
}

void GatewayCore::take(Answer& answer, const core::Yielded&, Now now, Effects& effects) {
    settle(answer, now, effects);
    move_on(answer, now, effects);
}

void GatewayCore::take(Answer& answer, const core::Alive& alive, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    const bool words_missing = alive.last_sequence > attempt.received;
    const bool parts_missing = alive.parts_received < attempt.parts.size();
    // Parts that are still arriving are not missing.
    const bool parts_moved = alive.parts_received > attempt.parts_seen;
    attempt.parts_seen = alive.parts_received;
    if (parts_moved || (!words_missing && !parts_missing))
        attempt.advanced_at = now.instant;
    if (words_missing) {
        ask_again(attempt, now, effects);
    } else if (parts_missing && !parts_moved &&
               now.instant - attempt.repeated_at >= repeat_period) {
        attempt.repeated_at = now.instant;
        send_parts(attempt, alive.parts_received, effects);
    } else if (!parts_missing) {
        attempt.parts.clear();
    }
}

void GatewayCore::take(Answer& answer, const core::Refused& refused, Now now, Effects& effects) {
    // Whoever has begun cannot refuse any more.
    if (answer.attempt->received > 0)
        return;
    const CarNumber car = answer.attempt->car;
    if (refused.busy) {
        fleet_.saw_full(car);
        --answer.attempts_without_progress;
    } else {
        fleet_.distrust(car);
    }
    drop_attempt(answer);
    place(answer, now, effects);
}

void GatewayCore::on(const Written& event, Now now, Effects& effects) {
    settle_written(event, now, effects);
    const auto found = by_request_.find(event.request);
    if (found == by_request_.end())
        return;
    Answer& answer = answers_.at(found->second);
    answer.bytes_written = event.bytes;
    answer.progress_at = now.instant;
    if (!answer.attempt)
        return;
    OpenAttempt& attempt = *answer.attempt;
    attempt.written(event.bytes);
    if (attempt.with_client - attempt.acknowledged >= acknowledge_every) {
        acknowledge(attempt, now, effects);
    }
}

void GatewayCore::acknowledge(OpenAttempt& attempt, Now now, Effects& effects) {
    attempt.acknowledged = attempt.with_client;
    attempt.acknowledged_at = now.instant;
    tell(attempt, core::Ack{attempt.acknowledged}, effects);
}

void GatewayCore::ask_again(OpenAttempt& attempt, Now now, Effects& effects) {
    if (now.instant - attempt.repeated_at < repeat_period)
        return;
    attempt.repeated_at = now.instant;
    ++figures_.messages_resent;
    base::reached("gateway.asked_again");
    tell(attempt, core::Resend{attempt.received + 1}, effects);
}

void GatewayCore::tend_attempt(Answer& answer, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    // Cut off from the bus: without acknowledgements the car has stopped by now.
    const bool cut_off = !connected_ && now.instant - cut_off_at_ > core::lease_duration;
    const bool silent = connected_ && (now.instant - attempt.heard_at > silence_max ||
                                       now.instant - attempt.advanced_at > gap_max);
    if (cut_off || silent) {
        if (silent)
            fleet_.distrust(attempt.car);
        lose_attempt(answer, now, effects);
        return;
    }
    const bool stuck = answer.bytes_given > answer.bytes_written &&
                       now.instant - answer.progress_at > client_stall_max;
    if (stuck) {
        acknowledge(attempt, now, effects);
        tell(attempt, core::Cancel{}, effects);
        stop_settling(answer.request, effects);
        drop_attempt(answer);
        effects.emplace_back(AbortResponse{answer.request});
        ++figures_.requests_cancelled;
        finish(answer);
        return;
    }
    if (connected_ && !attempt.heard && now.instant - attempt.repeated_at >= repeat_period) {
        attempt.repeated_at = now.instant;
        send_parts(attempt, 0, effects);
    }
    if (connected_ && now.instant - attempt.acknowledged_at >= core::ack_period)
        acknowledge(attempt, now, effects);
    const bool quiet = now.instant - answer.progress_at >= comment_period &&
                       now.instant - answer.comment_at >= comment_period;
    if (answer.chat.stream && quiet) {
        // A long prefill: the client learns that somebody works for it.
        answer.comment_at = now.instant;
        begin(answer, effects);
        write(answer, wire::comment_event("working"), effects);
    }
}

void GatewayCore::begin(Answer& answer, Effects& effects) {
    if (answer.begun)
        return;
    answer.begun = true;
    std::string first = wire::role_event(answer.head);
    answer.bytes_given += first.size();
    effects.emplace_back(
        BeginResponse{answer.request,
                      {200,
                       {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}},
                       std::move(first)}});
}

void GatewayCore::write(Answer& answer, std::string bytes, Effects& effects) {
    answer.bytes_given += bytes.size();
    effects.emplace_back(WriteResponse{answer.request, std::move(bytes)});
}

}  // namespace idlewatt::gateway
