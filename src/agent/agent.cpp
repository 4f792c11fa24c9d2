// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/agent.hpp"

#include "base/log.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {

namespace {

// Records of signals that an order holds, in the spool.
constexpr std::string_view hold_prefix = "hold/";

}  // namespace

Agent::Agent(const AgentParts& parts, AgentOptions options, AgentObserver observer)
    : parts_(parts),
      options_(std::move(options)),
      observer_(std::move(observer)),
      subjects_{options_.cell},
      core_({options_.vehicle, options_.incarnation, options_.model, options_.settings,
             options_.seed, options_.membership, options_.credentials},
            parts.loop.now()),
      receipts_(parts.loop, parts.bus, parts.spool, parts.key, subjects_, options_.vehicle,
                options_.seed),
      sayings_(parts.bus, subjects_, options_.vehicle, options_.incarnation),
      cell_(parts.loop, parts.bus, parts.spool, parts.cell, subjects_, options_.vehicle,
            options_.seed, [this](const Event& event) { feed(event); }) {}

Agent::~Agent() {
    *alive_ = false;
    parts_.loop.cancel(timer_);
    for (const bus::SubscriptionId id : subscriptions_)
        parts_.bus.unsubscribe(id);
}

void Agent::start() {
    const auto guarded = [alive = alive_](auto function) {
        return [alive, function](auto&&... arguments) {
            if (*alive)
                function(std::forward<decltype(arguments)>(arguments)...);
        };
    };
    parts_.engine.on_status(
        guarded([this](const engine::Status& status) { feed(EngineChanged{status}); }));
    subscriptions_.push_back(parts_.bus.subscribe(
        subjects_.all_in(options_.vehicle, options_.incarnation),
        guarded([this](const bus::Message& message) {
            const auto attempt = wire::parse_in(message.subject);
            auto decoded = wire::decode_to_car(message.payload);
            if (attempt && decoded) {
                feed(Heard{*attempt, std::move(*decoded)});
            } else {
                base::log_warning("agent",
                                  "dropped a message on " + message.subject + ": " +
                                      (decoded ? "no attempt id" : decoded.error().message));
            }
        })));
    subscriptions_.push_back(parts_.bus.subscribe(
        subjects_.signal_order(options_.vehicle),
        guarded([this](const bus::Message& message) { take_order(message); })));
    parts_.bus.on_state(guarded([this](bool connected) {
        feed(BusChanged{connected});
        if (connected)
            receipts_.deliver_now();
    }));
    feed(BusChanged{parts_.bus.connected()});
    restore_holds();
    if (options_.model.empty())
        cell_.start();
    parts_.signals.start(guarded([this](core::SignalId id, const core::SignalReading& reading) {
        feed(SignalRead{id, reading});
    }));
    tick();
}

void Agent::terminate(std::function<void()> done) {
    terminated_ = std::move(done);
    terminate_by_ = parts_.loop.now() + terminate_grace;
    feed(Terminating{});
    parts_.engine.kill([this, alive = alive_] {
        if (*alive)
            engine_ended_ = true;
    });
}

// Done when the engine is gone and the gateways have acknowledged what was handed over.
void Agent::finish_terminating() {
    const bool settled = core_.open_attempts() == 0 && receipts_.undelivered() == 0;
    if (!engine_ended_ || (!settled && parts_.loop.now() < terminate_by_))
        return;
    std::exchange(terminated_, nullptr)();
}

void Agent::tick() {
    timer_ = parts_.loop.after(tick_period, [this] { tick(); });
    feed(Tick{});
    sayings_.flush();
    if (terminated_)
        finish_terminating();
}

void Agent::feed(const Event& event) {
    if (const auto* ended = std::get_if<StreamEnded>(&event)) {
        energy_.end(ended->attempt, parts_.engine.cpu_time());
        streams_.erase(ended->attempt);
    }
    Effects effects = core_.handle(event, parts_.loop.now(), parts_.loop.wall_now());
    for (Effect& effect : effects)
        perform(effect);
}

void Agent::perform(Effect& effect) {
    std::visit([this](auto& e) { perform(e); }, effect);
}

void Agent::perform(const StartEngine&) {
    parts_.engine.start();
}

void Agent::perform(const UseModel& effect) {
    cell_.use(effect);
    parts_.engine.use_model(effect.file);
}

void Agent::perform(const ReportUnfitModel& effect) {
    base::log_error("model", "the engine cannot load " + effect.name + " (" + effect.failure +
                                 "); this car goes on with " + effect.goes_on_with +
                                 ". Register a file of " + effect.name + " that can be loaded");
}

void Agent::perform(const KillEngine&) {
    const base::Duration cpu_time = parts_.engine.cpu_time();
    parts_.engine.kill([this, alive = alive_] {
        if (*alive)
            feed(EngineGone{});
    });
    energy_.end_all(cpu_time);
    streams_.clear();
}

void Agent::perform(const DecodeWork& effect) {
    auto work = wire::decode_work(effect.bytes);
    if (!work)
        base::log_warning("agent", "refused a request: " + work.error().message);
    feed(WorkDecoded{effect.attempt,
                     work ? std::optional<core::Work>(std::move(*work)) : std::nullopt});
}

void Agent::perform(const Generate& effect) {
    energy_.begin(effect.attempt, parts_.engine.cpu_time());
    sayings_.begin(effect.attempt, effect.generation.request_json);
    const core::AttemptId attempt = effect.attempt;
    engine::StreamHandler handler;
    handler.on_piece = [this, attempt, alive = alive_](core::Piece piece) {
        if (*alive)
            feed(PieceMade{attempt, std::move(piece)});
    };
    handler.on_embedding = [this, attempt, alive = alive_](core::Embedding embedding) {
        if (*alive)
            feed(EmbeddingMade{attempt, std::move(embedding)});
    };
    handler.on_end = [this, attempt, alive = alive_](engine::StreamEnd end) {
        if (*alive)
            feed(StreamEnded{attempt, std::move(end)});
    };
    streams_[attempt] = parts_.engine.generate(effect.generation, std::move(handler));
}

void Agent::perform(const CancelStream& effect) {
    const auto found = streams_.find(effect.attempt);
    if (found == streams_.end())
        return;
    energy_.end(effect.attempt, parts_.engine.cpu_time());
    parts_.engine.cancel(found->second);
    streams_.erase(found);
}

void Agent::perform(const PauseStream& effect) {
    const auto found = streams_.find(effect.attempt);
    if (found != streams_.end())
        parts_.engine.set_paused(found->second, effect.paused);
}

void Agent::perform(const Announce& effect) {
    parts_.bus.publish(subjects_.announce(options_.vehicle), wire::encode(effect.announcement));
}

void Agent::perform(const KeepDraft& effect) {
    core::Receipt draft = effect.draft;
    const base::Duration used = energy_.used(draft.attempt, parts_.engine.cpu_time());
    const meter::Energy energy = parts_.meter.energy_of(used);
    draft.energy_j = energy.energy_j;
    draft.energy_estimated = energy.estimated;
    receipts_.keep_draft(draft);
}

void Agent::perform(const CloseReceipt& effect) {
    core::Receipt receipt = effect.receipt;
    const meter::Energy energy = parts_.meter.energy_of(energy_.take(receipt.attempt));
    receipt.energy_j = energy.energy_j;
    receipt.energy_estimated = energy.estimated;
    sayings_.forget(receipt.attempt);
    receipts_.close(std::move(receipt));
}

void Agent::perform(const ReportRecall& effect) {
    if (observer_.on_recall)
        observer_.on_recall(effect.reason, effect.took);
}

void Agent::perform(const ReportVerdict& effect) {
    if (observer_.on_verdict)
        observer_.on_verdict(effect.verdict, effect.announced);
}

// "Until it is changed" outlives the process: a restarted agent must not forget that somebody sits
// in the car.
base::Result<void> Agent::remember_holds(const wire::SignalOverride& order) {
    for (const auto& [signal, value] : order.values) {
        const std::string key =
            std::string(hold_prefix) + options_.story + "/" + std::string(core::info(signal).name);
        auto kept = parts_.spool.put(key, wire::encode(wire::SignalOverride{{{signal, value}}}));
        if (!kept)
            return kept;
    }
    return {};
}

void Agent::restore_holds() {
    for (const spool::Record& record : parts_.spool.records()) {
        if (!record.key.starts_with(hold_prefix))
            continue;
        if (!record.key.starts_with(std::string(hold_prefix) + options_.story + "/")) {
            static_cast<void>(parts_.spool.erase(record.key));
            continue;
        }
        auto order = wire::decode_signal_override(record.value);
        const base::Result<void> held =
            order ? parts_.signals.hold(order->values) : tl::unexpected<base::Error>(order.error());
        if (!held)
            base::log_warning("agent",
                              "cannot restore " + record.key + ": " + held.error().message);
    }
}

void Agent::take_order(const bus::Message& message) {
    if (message.reply.empty())
        return;
    auto order = wire::decode_signal_override(message.payload);
    base::Result<void> taken =
        order ? parts_.signals.hold(order->values) : tl::unexpected<base::Error>(order.error());
    if (taken)
        taken = remember_holds(*order);
    const wire::OrderAnswer answer{taken ? std::string{} : taken.error().message};
    parts_.bus.reply(message, wire::encode(answer));
}

}  // namespace idlewatt::agent
