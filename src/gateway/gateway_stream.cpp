// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What cars say: heard in order, once, acknowledged when it is with the client; and how a car is
// given up that says nothing more.
#include "base/assert.hpp"
#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"
#include "wire/embedding.hpp"

namespace idlewatt::gateway {

using scheduler::Ending;

namespace {

std::size_t piece_bytes(const core::Piece& piece) {
    std::size_t bytes = piece.text.size() + piece.reasoning.size() + piece.logprobs_json.size();
    for (const core::ToolCall& call : piece.tool_calls)
        bytes += call.id.size() + call.name.size() + call.arguments_json.size();
    return bytes;
}

std::string prompt_field(core::Task task) {
    switch (task) {
        case core::Task::chat:
            return "messages";
        case core::Task::completion:
            return "prompt";
        case core::Task::embedding:
            return "input";
    }
    base::assertion_failed("closed enum Task", __FILE__, __LINE__);
}

}  // namespace

void GatewayCore::on(const CarSaid& event, Now now, Effects& effects) {
    Place place = find(event.from.attempt);
    if (place.attempt == nullptr || place.attempt->vehicle != event.from.vehicle ||
        place.attempt->incarnation != event.from.incarnation) {
        answer_stranger(event, effects);
        return;
    }
    place.attempt->heard = true;
    place.attempt->heard_at = now.instant;
    std::visit([&](const auto& message) { take(place, message, now, effects); }, event.message);
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

void GatewayCore::take(Place& place, const core::Numbered& message, Now now, Effects& effects) {
    Exchange& exchange = *place.exchange;
    Answer& answer = *place.answer;
    if (answer.rival) {
        // Whoever speaks first goes on; to leave is not to speak.
        const bool leaves = std::holds_alternative<core::Yielded>(message.content);
        if (place.is_rival() && leaves) {
            tell(*answer.rival, core::Ack{message.sequence}, effects);
            close_attempt(exchange, answer, answer.rival, Ending::yielded, true, now, effects);
            return;
        }
        if (place.is_rival()) {
            promote_rival(exchange, answer, now, effects);
        } else if (!leaves) {
            drop_rival(exchange, answer, Ending::client_gone, now, effects);
        }
    }
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
    std::visit([&](const auto& content) { take(exchange, answer, content, now, effects); },
               message.content);
}

void GatewayCore::take(Exchange& exchange, Answer& answer, const core::Piece& piece, Now now,
                       Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    if (attempt.tokens_before > 0 && base::fault_point("gateway.drop_resumed_piece"))
        return;
    if (exchange.asked.task == core::Task::embedding) {
        lose_attempt(exchange, answer, Ending::misbehaved, "misbehaved", now, effects);
        return;
    }
    note_progress(exchange, answer, now);
    if (piece.prompt_tokens != 0)
        answer.prompt_tokens = piece.prompt_tokens;
    // A call, and all behind it, waits for the answer's end: until then the next car may decide
    // otherwise, and nobody has seen it.
    const bool holds = !attempt.held.empty() || !piece.tool_calls.empty();
    const std::size_t bytes = piece_bytes(piece);
    if (holds && attempt.held.size() < held_pieces_max &&
        attempt.held_bytes + bytes <= held_bytes_max) {
        attempt.held_bytes += bytes;
        attempt.held.push_back({attempt.received, piece});
        return;
    }
    give_held(exchange, answer, now, effects);
    if (exchange.done)
        return;  // too much to hold; the attempt is gone
    give(exchange, answer, attempt.received, piece, now, effects);
}

void GatewayCore::take(Exchange& exchange, Answer& answer, const core::Embedding& embedding,
                       Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    if (embedding.index >= answer.vectors.size()) {
        // Nobody asked for it.
        lose_attempt(exchange, answer, Ending::misbehaved, "misbehaved", now, effects);
        return;
    }
    if (const auto error = wire::check_dimensions(exchange.asked, embedding.values)) {
        ++figures_.requests_rejected;
        --figures_.requests_started;
        fail(exchange, *error, now, effects);
        return;
    }
    note_progress(exchange, answer, now);
    std::string& vector = answer.vectors[embedding.index];
    if (vector.empty()) {
        vector = embedding.values;
        if (!hold_bytes(exchange, vector.size(), now, effects))
            return;
    }
    attempt.taken(attempt.received, 0);
    // They are large: a few fill the car's window.
    acknowledge(attempt, now, effects);
}

void GatewayCore::take(Exchange& exchange, Answer& answer, const core::Finished& finished, Now now,
                       Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    bool whole = true;
    for (const std::string& vector : answer.vectors)
        whole = whole && !vector.empty();
    if (!whole) {
        lose_attempt(exchange, answer, Ending::misbehaved, "misbehaved", now, effects);
        return;
    }
    give_held(exchange, answer, now, effects);
    if (exchange.done) {
        place_waiting(now, effects);
        return;  // too much to hold; the attempt is gone
    }
    if (finished.prompt_tokens != 0)
        answer.prompt_tokens = finished.prompt_tokens;
    attempt.record.prompt_tokens = answer.prompt_tokens;
    attempt.record.last = true;
    models_[exchange.head.model].service.ended(now.instant - attempt.opened_at);
    end_answer(exchange, answer, finished, now, effects);
    place_waiting(now, effects);
}

void GatewayCore::take(Exchange& exchange, Answer& answer, const core::Rejected& rejected, Now now,
                       Effects& effects) {
    const CarNumber car = answer.attempt->car;
    settle(exchange, answer, Ending::client_error, 0, now, effects);
    if (answer.resume.tokens > 0) {
        // The question was fine for another car: this one cannot hold the answer so far.
        move_on(exchange, answer, car, "rejected", now, effects);
        return;
    }
    ++figures_.requests_rejected;
    --figures_.requests_started;
    wire::ApiError error = wire::api_error(rejected);
    if (error.code == wire::ApiErrorCode::context_length_exceeded)
        error.param = prompt_field(exchange.asked.task);
    fail(exchange, error, now, effects);
    place_waiting(now, effects);
}

void GatewayCore::take(Exchange& exchange, Answer& answer, const core::Yielded& yielded, Now now,
                       Effects& effects) {
    const CarNumber car = answer.attempt->car;
    const bool failed = yielded.reason == core::Reason::engine_failed;
    settle(exchange, answer, failed ? Ending::engine_failed : Ending::yielded, 0, now, effects);
    move_on(exchange, answer, car, core::name(yielded.reason), now, effects);
}

void GatewayCore::take(Place& place, const core::Alive& alive, Now now, Effects& effects) {
    OpenAttempt& attempt = *place.attempt;
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

void GatewayCore::take(Place& place, const core::Refused& refused, Now now, Effects& effects) {
    // Whoever has begun cannot refuse any more.
    if (place.attempt->received > 0)
        return;
    Answer& answer = *place.answer;
    const CarNumber car = place.attempt->car;
    place.attempt->heard = false;  // it has done nothing
    if (refused.busy) {
        fleet_.saw_full(car, now.instant);
    } else {
        fleet_.distrust(car, now.instant);
    }
    if (place.is_rival()) {
        close_attempt(*place.exchange, answer, answer.rival, Ending::busy, true, now, effects);
        return;
    }
    // Two that raced were one try.
    if (refused.busy && answer.attempts_without_progress > 0)
        --answer.attempts_without_progress;
    close_attempt(*place.exchange, answer, answer.attempt, Ending::busy, true, now, effects);
    if (answer.rival) {
        promote_rival(*place.exchange, answer, now, effects);
    } else {
        this->place(*place.exchange, answer, now, effects);
    }
}

void GatewayCore::on(const Written& event, Now now, Effects& effects) {
    settle_written(event, now, effects);
    live_.written(event.request, event.bytes);
    if (const auto left = leaving_.find(event.request);
        left != leaving_.end() && event.bytes >= left->second)
        leaving_.erase(left);
    const auto found = exchanges_.find(event.request);
    if (found == exchanges_.end())
        return;
    Exchange& exchange = found->second;
    exchange.bytes_written = event.bytes;
    exchange.progress_at = now.instant;
    for (Answer& answer : exchange.answers) {
        if (!answer.attempt)
            continue;
        OpenAttempt& attempt = *answer.attempt;
        attempt.written(event.bytes);
        if (attempt.with_client - attempt.acknowledged >= acknowledge_every)
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

bool GatewayCore::given_up(const OpenAttempt& attempt, Now now) const {
    // Cut off from the bus: without acknowledgements the car has stopped by now.
    if (!connected_)
        return now.instant - cut_off_at_ > core::lease_duration;
    return now.instant - attempt.heard_at > silence_max ||
           now.instant - attempt.advanced_at > gap_max;
}

void GatewayCore::tend_attempt(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    if (answer.rival)
        tend_rival(exchange, answer, now, effects);
    if (given_up(*answer.attempt, now)) {
        if (connected_)
            fleet_.distrust(answer.attempt->car, now.instant);
        // That the bus is away is no fault of the car's.
        lose_attempt(exchange, answer, connected_ ? Ending::silent : Ending::yielded,
                     connected_ ? "silent" : "cut_off", now, effects);
        return;
    }
    keep_in_touch(*answer.attempt, now, effects);
    tend_hedge(exchange, answer, now, effects);
}

void GatewayCore::tend_rival(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    if (given_up(*answer.rival, now)) {
        if (connected_)
            fleet_.distrust(answer.rival->car, now.instant);
        drop_rival(exchange, answer, connected_ ? Ending::silent : Ending::yielded, now, effects);
        return;
    }
    keep_in_touch(*answer.rival, now, effects);
}

void GatewayCore::keep_in_touch(OpenAttempt& attempt, Now now, Effects& effects) {
    if (!connected_)
        return;
    if (!attempt.heard && now.instant - attempt.repeated_at >= repeat_period) {
        attempt.repeated_at = now.instant;
        send_parts(attempt, 0, effects);
    }
    if (now.instant - attempt.acknowledged_at >= core::ack_period)
        acknowledge(attempt, now, effects);
}

}  // namespace idlewatt::gateway
