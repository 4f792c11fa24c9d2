// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/batch_runner.hpp"

#include <utility>

#include "base/log.hpp"

namespace idlewatt::gateway {

BatchRunner::BatchRunner(base::Loop& loop, bus::Bus& bus, wire::Subjects subjects,
                         core::GatewayId gateway, Mind mind)
    : loop_(loop),
      bus_(bus),
      subjects_(std::move(subjects)),
      gateway_(std::move(gateway)),
      mind_(std::move(mind)) {}

BatchRunner::~BatchRunner() {
    *alive_ = false;
}

void BatchRunner::look() {
    feed(RoomSeen{mind_.room()});
}

// A slot has become free, or lines have come: not at the next tick, which may be long for a short
// line.
void BatchRunner::look_soon() {
    if (std::exchange(look_posted_, true))
        return;
    loop_.post([this, alive = alive_] {
        if (!*alive)
            return;
        look_posted_ = false;
        look();
    });
}

void BatchRunner::answered(http::RequestId request, http::Response response) {
    feed(LineAnswered{request, std::move(response)});
    look_soon();
}

void BatchRunner::deferred(http::RequestId request, bool begun) {
    feed(LineDeferred{request, begun});
    look_soon();
}

void BatchRunner::feed(const BatchEvent& event) {
    BatchEffects effects = core_.handle(event, loop_.now());
    for (BatchEffect& effect : effects)
        std::visit([this](auto& e) { perform(e); }, effect);
}

void BatchRunner::perform(AskForWork& effect) {
    effect.ask.lacks_key_book = mind_.lacks_key_book;
    effect.ask.lacks_static_key = mind_.lacks_static_key;
    bus_.request(subjects_.batch(gateway_), wire::encode(effect.ask), batch_ask_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     if (status != bus::ReplyStatus::answered) {
                         feed(WorkFailed{});
                         return;
                     }
                     auto work = wire::decode_batch_work(message.payload);
                     if (!work) {
                         base::log_warning("batches", work.error().message);
                         feed(WorkFailed{});
                         return;
                     }
                     const bool came = !work->items.empty();
                     feed(WorkCame{std::move(*work)});
                     if (came)
                         look_soon();
                 });
}

void BatchRunner::perform(StartLine& effect) {
    mind_.start(std::move(effect.line));
}

void BatchRunner::perform(StopLine& effect) {
    mind_.stop(effect.request);
}

void BatchRunner::perform(SendResult& effect) {
    bus_.request(subjects_.batch_result(gateway_), wire::encode(effect.result),
                 batch_result_timeout,
                 [this, alive = alive_, lease = effect.result.lease](bus::ReplyStatus status,
                                                                     const bus::Message& message) {
                     if (!*alive)
                         return;
                     const auto answer = status == bus::ReplyStatus::answered
                                             ? wire::decode_batch_result_answer(message.payload)
                                             : base::fail(base::ErrorKind::unavailable, "");
                     if (!answer) {
                         feed(ResultUnanswered{lease});
                         return;
                     }
                     if (answer->state == wire::BatchResultState::refused)
                         base::log_info("batches", "a result came too late or was not asked for");
                     feed(ResultAnswered{lease, answer->state});
                 });
}

}  // namespace idlewatt::gateway
