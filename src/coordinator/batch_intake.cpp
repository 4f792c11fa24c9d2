// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_intake.hpp"

#include <utility>

#include "base/log.hpp"
#include "wire/api_error.hpp"
#include "wire/batch_lines.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

namespace {

constexpr std::uint32_t bad_gateway = 502;

// What a gateway says came out. What is no JSON object must not get into a file of lines.
store::BatchResult result_of(const wire::BatchResult& last, std::string body) {
    store::BatchResult result;
    result.batch = last.batch_id;
    result.line = last.line;
    result.status_code = last.status_code;
    result.request_id = last.request_id;
    if (last.status_code == 0) {
        result.error_code = "request_timeout";
        return result;
    }
    const auto usage = wire::read_batch_usage(body);
    if (!usage) {
        result.status_code = bad_gateway;
        result.body = wire::error_body(
            wire::api_error(wire::ApiErrorCode::engine_failed, "The answer could not be read."));
        return result;
    }
    result.succeeded = last.status_code < 300;
    result.body = wire::on_one_line(std::move(body));
    result.input_tokens = usage->input_tokens;
    result.cached_tokens = usage->cached_tokens;
    result.output_tokens = usage->output_tokens;
    result.reasoning_tokens = usage->reasoning_tokens;
    return result;
}

store::BatchTally tally_of(const store::BatchResult& result) {
    return {result.succeeded ? 1U : 0U, result.succeeded ? 0U : 1U, result.input_tokens,
            result.cached_tokens,       result.output_tokens,       result.reasoning_tokens};
}

}  // namespace

BatchIntake::BatchIntake(base::Loop& loop, bus::Bus& bus, store::Store& store,
                         const std::string& cell, Feed feed)
    : loop_(loop),
      bus_(bus),
      store_(store),
      feed_(std::move(feed)),
      subscription_(bus_.subscribe(wire::Subjects{cell}.all_batch_results(),
                                   [this](const bus::Message& message) { on_message(message); })) {}

BatchIntake::~BatchIntake() {
    bus_.unsubscribe(subscription_);
}

void BatchIntake::on_message(const bus::Message& message) {
    const auto gateway = wire::parse_gateway(message.subject);
    if (!gateway || message.reply.empty())
        return;
    auto part = wire::decode_batch_result(message.payload);
    if (!part) {
        base::log_warning("coordinator", "gateway " + gateway->value + ": " + part.error().message);
        return;
    }
    auto body = stage(message, {*gateway, part->batch_id, part->line}, *part);
    if (body)
        offer(message, *part, std::move(*body));
}

std::optional<std::string> BatchIntake::stage(const bus::Message& message, const Source& source,
                                              wire::BatchResult& part) {
    auto found = staged_.find(source);
    if (found != staged_.end() && (part.part == 0 || found->second.lease != part.lease)) {
        drop(found);
        found = staged_.end();
    }
    if (bytes_ + part.body.size() > intake_bytes_max)
        drop_old();
    found = staged_.find(source);  // it may have been an old one
    if (bytes_ + part.body.size() > intake_bytes_max)
        return std::nullopt;
    if (part.parts == 1)
        return std::move(part.body);
    if (found == staged_.end() && part.part == 0)
        found = staged_.emplace(source, Staged{part.lease, part.parts}).first;
    if (found == staged_.end() || found->second.next != part.part ||
        found->second.parts != part.parts) {
        reply(message, wire::BatchResultState::send_again);
        return std::nullopt;
    }
    Staged& staged = found->second;
    staged.body.append(part.body);
    staged.heard_at = loop_.now();
    bytes_ += part.body.size();
    if (++staged.next < staged.parts) {
        reply(message, wire::BatchResultState::part_taken);
        return std::nullopt;
    }
    std::string body = std::move(staged.body);
    bytes_ -= body.size();
    staged_.erase(found);
    return body;
}

void BatchIntake::offer(const bus::Message& message, const wire::BatchResult& part,
                        std::string body) {
    const BatchQuestion question = next_question_++;
    Waiting& waiting = waiting_[question];
    waiting = {{message.subject, message.reply, {}}, result_of(part, std::move(body))};
    bytes_ += waiting.result.body.size();
    feed_(ResultOffered{question, part.batch_id, part.line});
    // Nobody answers it: it is being committed already, and will be asked again.
    const auto left = waiting_.find(question);
    if (left != waiting_.end() && !left->second.committing) {
        bytes_ -= left->second.result.body.size();
        waiting_.erase(left);
    }
}

void BatchIntake::commit(BatchQuestion question) {
    Waiting& waiting = waiting_.at(question);
    waiting.committing = true;
    store_.add_batch_results(
        {waiting.result},
        [this, alive = std::weak_ptr(alive_), question, batch = waiting.result.batch,
         line = waiting.result.line,
         tally = tally_of(waiting.result)](const base::Result<std::size_t>& added) {
            if (alive.expired())
                return;
            if (!added)
                base::log_warning("coordinator", added.error().message);
            feed_(ResultCommitted{question, batch, line, added.has_value(), tally});
            const auto left = waiting_.find(question);
            if (left == waiting_.end())
                return;
            bytes_ -= left->second.result.body.size();
            waiting_.erase(left);
        });
}

void BatchIntake::answer(BatchQuestion question, wire::BatchResultState state) {
    const auto found = waiting_.find(question);
    if (found == waiting_.end())
        return;
    reply(found->second.request, state);
    bytes_ -= found->second.result.body.size();
    waiting_.erase(found);
}

void BatchIntake::reply(const bus::Message& message, wire::BatchResultState state) {
    bus_.reply(message, wire::encode(wire::BatchResultAnswer{state}));
}

void BatchIntake::drop(std::map<Source, Staged>::iterator staged) {
    bytes_ -= staged->second.body.size();
    staged_.erase(staged);
}

void BatchIntake::drop_old() {
    for (auto staged = staged_.begin(); staged != staged_.end();) {
        const auto here = staged++;
        if (loop_.now() - here->second.heard_at > intake_part_timeout)
            drop(here);
    }
}

}  // namespace idlewatt::coordinator
