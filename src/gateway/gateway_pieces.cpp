// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients get: pieces as events of a stream, or all of it in one body; the end, or an error.
#include <algorithm>

#include "base/fault_point.hpp"
#include "gateway/gateway_core.hpp"
#include "wire/embedding.hpp"

namespace idlewatt::gateway {

namespace {

// From here on the answer is this car's. Of several choices the whole body names the last one's.
void note_maker(Exchange& exchange, const Car& car) {
    const std::string& fingerprint = car.said.fingerprint;
    if (!fingerprint.empty() && exchange.head.fingerprint != fingerprint)
        exchange.head.fingerprint = fingerprint;
}

}  // namespace

void GatewayCore::note_progress(Exchange& exchange, Answer& answer, Now now) {
    answer.attempts_without_progress = 0;
    if (answer.attempts == 1 && answer.attempt->received == 1) {
        models_[exchange.head.model].hedge.first_token(exchange.work_json(answer).size(),
                                                       now.instant - answer.attempt->opened_at);
    }
    if (answer.gap_from) {
        gaps_ms_.push_back((now.instant - *answer.gap_from).milliseconds());
        if (gaps_ms_.size() > wire::migration_gaps_max)
            gaps_ms_.pop_front();
        answer.gap_from.reset();
    }
    if (!exchange.first_token_at)
        exchange.first_token_at = now.instant;
    answer.piece_at = exchange.progress_at = now.instant;
}

// From here on it is the client's: whoever continues must continue behind it.
void GatewayCore::give(Exchange& exchange, Answer& answer, std::uint64_t sequence,
                       const core::Piece& said, Now now, Effects& effects) {
    OpenAttempt& attempt = *answer.attempt;
    note_maker(exchange, fleet_.car(attempt.car));
    answer.resume.append(said.ids, said.text, said.token_count);
    if (live_.watched()) {
        answer.tail.append(said.text);
        answer.spoken_by = attempt.car;
    }
    figures_.tokens_delivered += said.token_count;
    models_[exchange.head.model].tokens += said.token_count;
    std::optional<core::Piece> without_thoughts;
    if (!said.reasoning.empty()) {
        if (said.text.empty())
            answer.reasoning_tokens += said.token_count;
        // It goes on with the same thoughts elsewhere; if that car repeats them, the client does
        // not read them twice.
        if (!answer.thoughts_from)
            answer.thoughts_from = attempt.id;
        if (*answer.thoughts_from != attempt.id) {
            without_thoughts = said;
            without_thoughts->reasoning.clear();
        } else {
            answer.resume.reasoning += said.reasoning;
        }
    }
    const core::Piece& piece = without_thoughts ? *without_thoughts : said;
    if (!exchange.asked.stream) {
        const std::size_t before = answer.whole.bytes();
        answer.whole.append(piece);
        attempt.taken(sequence, piece.token_count);
        if (!hold_bytes(exchange, answer.whole.bytes() - before, now, effects))
            return;
    } else {
        begin(exchange, now, effects);
        std::string bytes;
        if (!answer.introduced) {
            answer.introduced = true;
            const auto& echoes = exchange.asked.echoes;
            wire::append_begin(bytes, exchange.head, answer.streamed,
                               answer.index() < echoes.size() ? echoes[answer.index()] : "");
        }
        wire::append_piece(bytes, exchange.head, answer.streamed, piece);
        if (base::fault_point("gateway.duplicate_piece"))
            wire::append_piece(bytes, exchange.head, answer.streamed, piece);
        if (!bytes.empty())
            write(exchange, std::move(bytes), now, effects);
        attempt.unwritten.push_back({sequence, exchange.bytes_given, piece.token_count});
        attempt.written(exchange.bytes_written);
    }
    if (attempt.with_client - attempt.acknowledged >= acknowledge_every)
        acknowledge(attempt, now, effects);
}

void GatewayCore::give_held(Exchange& exchange, Answer& answer, Now now, Effects& effects) {
    std::vector<OpenAttempt::Held> held;
    held.swap(answer.attempt->held);
    answer.attempt->held_bytes = 0;
    for (const OpenAttempt::Held& one : held) {
        if (exchange.done)
            return;
        give(exchange, answer, one.sequence, one.piece, now, effects);
    }
}

// False: more than may be kept for one exchange, or for all; the exchange has failed.
bool GatewayCore::hold_bytes(Exchange& exchange, std::size_t bytes, Now now, Effects& effects) {
    exchange.bytes_held += bytes;
    request_bytes_held_ += bytes;
    const bool one = exchange.bytes_held <= whole_answer_bytes_max + wire::works_bytes_max;
    if (one && request_bytes_held_ <= 2 * request_bytes_held_max)
        return true;
    ++figures_.requests_failed;
    fail(exchange,
         wire::api_error(
             one ? wire::ApiErrorCode::server_is_overloaded : wire::ApiErrorCode::request_too_large,
             one ? "The gateway holds too many answers at once."
                 : "The answer is too large for one response. Ask for less, or as a "
                   "stream."),
         now, effects);
    return false;
}

void GatewayCore::end_answer(Exchange& exchange, Answer& answer, const core::Finished& finished,
                             Now now, Effects& effects) {
    // Tokens that became no text (the end token, half a character) are known only to the engine
    // that ended the answer; what former attempts generated is in the resume point.
    const std::uint32_t before =
        answer.attempt ? answer.attempt->tokens_before : answer.resume.tokens;
    if (answer.attempt)
        note_maker(exchange, fleet_.car(answer.attempt->car));
    answer.completion_tokens = before + finished.generated_tokens;
    answer.finished = finished;
    answer.whole.reason = finished.reason;
    waiting_.erase({exchange.request, answer.index()});
    if (exchange.asked.stream) {
        begin(exchange, now, effects);
        std::string bytes;
        if (!answer.introduced) {
            const auto& echoes = exchange.asked.echoes;
            wire::append_begin(bytes, exchange.head, answer.streamed,
                               answer.index() < echoes.size() ? echoes[answer.index()] : "");
        }
        wire::append_finish(bytes, exchange.head, answer.streamed, finished.reason);
        write(exchange, std::move(bytes), now, effects);
    }
    const bool last = std::ranges::all_of(
        exchange.answers, [](const Answer& one) { return one.finished.has_value(); });
    if (last && exchange.asked.stream) {
        std::string bytes;
        wire::append_usage(bytes, exchange.head, usage(exchange));
        bytes += wire::done_event();
        write(exchange, std::move(bytes), now, effects);
    }
    if (answer.attempt) {
        const std::uint32_t silent =
            std::max(answer.completion_tokens, answer.resume.tokens) - answer.resume.tokens;
        settle(exchange, answer, scheduler::Ending::answered, silent, now, effects);
    }
    if (last)
        end_exchange(exchange, now, effects);
}

void GatewayCore::end_exchange(Exchange& exchange, Now now, Effects& effects) {
    if (exchange.asked.stream) {
        effects.emplace_back(EndResponse{exchange.request});
    } else {
        std::string body;
        if (exchange.asked.task == core::Task::embedding) {
            body = wire::embedding_answer(exchange.head.model, exchange.answers[0].vectors,
                                          exchange.asked.base64, usage(exchange).prompt_tokens);
        } else {
            std::vector<wire::WholeChoice> choices;
            for (Answer& answer : exchange.answers)
                choices.push_back(std::move(answer.whole));
            body = wire::whole_answer(exchange.head, choices, usage(exchange));
        }
        respond(exchange.request, {200, {{"content-type", "application/json"}}, std::move(body)},
                now, effects);
    }
    ++figures_.requests_completed;
    finish(exchange, 200, now, effects);
}

// Not before a car has accepted the work or the client has waited for long, so that an error can
// still be a status.
void GatewayCore::begin(Exchange& exchange, Now now, Effects& effects) {
    if (exchange.begun)
        return;
    exchange.begun = true;
    exchange.given_at = now.instant;
    http::Response response{
        200, {{"content-type", "text/event-stream"}, {"cache-control", "no-cache"}}, {}};
    const auto caller = callers_.find(exchange.request);
    if (caller != callers_.end()) {
        add_headers(caller->second, now.instant, response);
        callers_.erase(caller);
    }
    effects.emplace_back(BeginResponse{exchange.request, std::move(response)});
}

void GatewayCore::write(Exchange& exchange, std::string bytes, Now now, Effects& effects) {
    exchange.bytes_given += bytes.size();
    exchange.given_at = now.instant;
    effects.emplace_back(WriteResponse{exchange.request, std::move(bytes)});
}

// False: it has been given up.
bool GatewayCore::tend_exchange(Exchange& exchange, Now now, Effects& effects) {
    const bool stuck = exchange.bytes_given > exchange.bytes_written &&
                       now.instant - exchange.progress_at > client_stall_max;
    if (stuck) {
        cancel_attempts(exchange, now, effects);
        stop_settling(exchange.request, now, effects);
        effects.emplace_back(AbortResponse{exchange.request});
        ++figures_.requests_cancelled;
        finish(exchange, 499, now, effects);
        return false;
    }
    if (!exchange.asked.stream || now.instant - exchange.given_at < comment_period)
        return true;
    // A long prefill, or a queue that moves: the client learns that somebody works for it. Where
    // no car is in sight it had better get a status.
    const bool worked_for = std::ranges::any_of(exchange.answers, [](const Answer& answer) {
        return answer.finished || (answer.attempt && answer.attempt->heard);
    });
    const bool queued = fleet_.slots(exchange.head.model, exchange.needs).total > 0;
    if (exchange.begun || worked_for || queued) {
        begin(exchange, now, effects);
        write(exchange, wire::comment_event(worked_for ? "working" : "waiting for a car"), now,
              effects);
    }
    return true;
}

}  // namespace idlewatt::gateway
