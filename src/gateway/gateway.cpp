// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/gateway.hpp"

#include <charconv>
#include <utility>

#include "base/log.hpp"
#include "wire/bundle.hpp"
#include "wire/wire.hpp"

namespace idlewatt::gateway {

Gateway::Gateway(const GatewayParts& parts, GatewayOptions options)
    : parts_(parts),
      options_(std::move(options)),
      subjects_{options_.cell},
      core_(options_.core),
      memberships_(options_.account_public_key),
      forwards_(parts_.server, parts_.coordinator) {}

Gateway::~Gateway() {
    *alive_ = false;
    parts_.loop.cancel(timer_);
    parts_.loop.cancel(demand_timer_);
    for (const bus::SubscriptionId id : subscriptions_)
        parts_.bus.unsubscribe(id);
    parts_.server.set_handler({});
}

void Gateway::start() {
    const auto guarded = [alive = alive_](auto function) {
        return [alive, function](auto&&... arguments) {
            if (*alive)
                function(std::forward<decltype(arguments)>(arguments)...);
        };
    };
    subscriptions_.push_back(parts_.bus.subscribe(
        subjects_.all_announcements(), guarded([this](const bus::Message& message) {
            auto announcement = wire::decode_announcement(message.payload);
            // The server vouches for the subject; the name inside must agree with it.
            if (announcement && wire::parse_vehicle(message.subject) == announcement->vehicle) {
                std::string fleet = memberships_.fleet_of(*announcement, parts_.loop.wall_now());
                announcement->membership.clear();  // of no more use
                feed(Announced{std::move(*announcement), std::move(fleet)});
            } else {
                base::log_warning("gateway", "dropped an announcement on " + message.subject);
            }
        })));
    subscriptions_.push_back(
        parts_.bus.subscribe(subjects_.all_out(options_.core.gateway),
                             guarded([this](const bus::Message& message) { hear_car(message); })));
    parts_.bus.on_departure(
        guarded([this](const bus::Departure& departure) { take_departure(departure); }));
    parts_.bus.on_state(guarded([this](bool connected) {
        feed(BusChanged{connected});
        if (connected && deliveries_)
            deliveries_->deliver_now();
        if (connected && key_book_)
            key_book_->ask();
    }));
    listen();
    start_books();
    start_batches();
    feed(BusChanged{parts_.bus.connected()});
    tick();
    tell_demand();
}

void Gateway::hear_car(const bus::Message& message) {
    const auto from = wire::parse_out(message.subject);
    const auto messages = wire::unbundle(message.payload);
    std::vector<core::FromCar> all;
    bool sound = from && messages;
    all.reserve(sound ? messages->size() : 0);
    for (std::size_t i = 0; sound && i < messages->size(); ++i) {
        auto said = wire::decode_from_car((*messages)[i]);
        sound = said.has_value();
        if (sound)
            all.push_back(std::move(*said));
    }
    // All of it or nothing, and one line for it, however much it holds.
    if (!sound)
        return base::log_warning("gateway", "dropped a message on " + message.subject);
    Event event = CarSaid{*from, {}};
    for (core::FromCar& said : all) {
        std::get<CarSaid>(event).message = std::move(said);
        feed(event);
    }
}

void Gateway::listen() {
    http::Handler handler;
    handler.on_request = [this](http::Request request) { feed(Asked{std::move(request)}); };
    handler.on_gone = [this](http::RequestId request) {
        forwards_.on_gone(request);
        feed(ClientGone{request});
    };
    handler.on_written = [this](http::RequestId request, std::uint64_t bytes) {
        forwards_.on_written(request, bytes);
        feed(Written{request, bytes});
    };
    handler.body_bytes_allowed = [](const http::Request& head) {
        return ForwardDesk::body_bytes_allowed(head);
    };
    handler.on_body = [this](http::RequestId request, std::string part) {
        forwards_.on_body(request, std::move(part));
    };
    handler.on_body_end = [this](http::RequestId request) { forwards_.on_body_end(request); };
    parts_.server.set_handler(std::move(handler));
}

void Gateway::start_batches() {
    if (!options_.runs_batches)
        return;
    BatchRunner::Mind mind;
    mind.room = [this] { return core_.room(); };
    mind.start = [this](BatchAsked line) { feed(std::move(line)); };
    mind.stop = [this](http::RequestId request) { feed(ClientGone{request}); };
    // With neither of them it serves everybody.
    mind.lacks_key_book = !options_.core.api_key.empty() && !options_.core.uses_key_book;
    mind.lacks_static_key = options_.core.api_key.empty() && options_.core.uses_key_book;
    batches_ = std::make_unique<BatchRunner>(parts_.loop, parts_.bus, subjects_,
                                             options_.core.gateway, std::move(mind));
}

void Gateway::start_books() {
    if (parts_.spool != nullptr && parts_.key != nullptr) {
        deliveries_ =
            std::make_unique<DeliveryBook>(parts_.loop, parts_.bus, *parts_.spool, *parts_.key,
                                           subjects_, options_.core.gateway, options_.user_jwt);
    }
    if (options_.core.uses_key_book) {
        key_book_ = std::make_unique<KeyBookKeeper>(
            parts_.loop, parts_.bus, parts_.spool, subjects_,
            KeyBookKeeper::Listener{
                [this](const core::KeyBook& book) { feed(KeyBookChanged{book}); },
                [this](base::WallTime issued_at) { feed(KeyBookConfirmed{issued_at}); }});
        key_book_->start();
    }
}

void Gateway::set_user_jwt(std::string user_jwt) {
    options_.user_jwt = user_jwt;
    if (deliveries_)
        deliveries_->set_user_jwt(std::move(user_jwt));
}

void Gateway::tell_demand() {
    demand_timer_ = parts_.loop.after(demand_period, [this] { tell_demand(); });
    parts_.bus.publish(subjects_.demand(options_.core.gateway),
                       wire::encode(core_.take_demand(parts_.loop.now())));
}

void Gateway::tick() {
    timer_ = parts_.loop.after(tick_period, [this] { tick(); });
    core_.note_losses(parts_.bus.losses());
    feed(Tick{});
    forwards_.look(parts_.loop.now());
    if (batches_)
        batches_->look();
    look_whether_told();
}

void Gateway::stop(std::function<void()> done) {
    if (stopped_)
        return;
    stopped_ = std::move(done);
    stop_asked_at_ = parts_.loop.now();
    feed(Stopping{});
}

// Of whole answers nobody says when the kernel has them: they get the turns of a tick or two.
void Gateway::look_whether_told() {
    if (!stopped_)
        return;
    const base::Duration since = parts_.loop.now() - stop_asked_at_;
    if (since >= gateway_stop_max || (since >= tick_period && core_.all_told()))
        parts_.loop.post(std::exchange(stopped_, [] {}));  // once
}

// A connection's label names the run of the agent: "<vehicle>/<incarnation>". The name is the
// server's word, the label the car's own, so a car can only speak of itself.
void Gateway::take_departure(const bus::Departure& departure) {
    const std::string prefix = departure.name + "/";
    if (!departure.label.starts_with(prefix))
        return;
    const char* first = departure.label.data() + prefix.size();
    const char* last = departure.label.data() + departure.label.size();
    std::uint64_t incarnation = 0;
    const auto [end, error] = std::from_chars(first, last, incarnation);
    if (error != std::errc{} || end != last)
        return;
    feed(CarLeft{core::VehicleId(departure.name), core::Incarnation(incarnation)});
}

void Gateway::feed(const Event& event) {
    Effects effects = core_.handle(event, parts_.loop.now(), parts_.loop.wall_now());
    for (Effect& effect : effects) {
        std::visit([this](auto& e) { perform(e); }, effect);
    }
    core_.take_back(std::move(effects));
}

void Gateway::perform(Respond& effect) {
    if (is_batch(effect.request)) {
        if (batches_)
            batches_->answered(effect.request, std::move(effect.response));
        return;
    }
    parts_.server.respond(effect.request, std::move(effect.response));
}

void Gateway::perform(BeginResponse& effect) {
    parts_.server.begin(effect.request, std::move(effect.response));
}

void Gateway::perform(WriteResponse& effect) {
    parts_.server.write(effect.request, std::move(effect.bytes));
}

void Gateway::perform(EndResponse& effect) {
    parts_.server.end(effect.request);
}

void Gateway::perform(AbortResponse& effect) {
    parts_.server.abort(effect.request);
}

void Gateway::perform(Tell& effect) {
    const std::string subject = subjects_.in(effect.vehicle, effect.incarnation, effect.attempt);
    const std::string bytes = wire::encode(effect.message);
    if (!effect.report_unheard) {
        parts_.bus.publish(subject, bytes);
        return;
    }
    parts_.bus.publish_or(subject, bytes, [this, attempt = effect.attempt, alive = alive_] {
        if (*alive)
            feed(Unheard{attempt});
    });
}

void Gateway::perform(Record& effect) {
    if (deliveries_)
        deliveries_->add(effect.delivery);
}

void Gateway::perform(Forward& effect) {
    forwards_.forward(effect.request, std::move(effect.headers));
}

void Gateway::perform(BatchDeferred& effect) {
    if (batches_)
        batches_->deferred(effect.request, effect.begun);
}

void Gateway::perform(OrderSignals& effect) {
    parts_.bus.request(
        subjects_.signal_order(effect.vehicle), wire::encode(effect.order), order_timeout,
        [this, request = effect.request, alive = alive_](bus::ReplyStatus status,
                                                         const bus::Message& message) {
            if (!*alive)
                return;
            OrderAnswered event{request, status, {}};
            if (status == bus::ReplyStatus::answered) {
                auto answer = wire::decode_order_answer(message.payload);
                event.answer = answer ? std::move(*answer)
                                      : wire::OrderAnswer{"the car's answer was unreadable"};
            }
            feed(event);
        });
}

}  // namespace idlewatt::gateway
