// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/car.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace idlewatt::simulator {

namespace {

constexpr double reserve_percent = 50.0;
constexpr double floor_percent = 20.0;
// The real engine's watchdog ends it when the agent beside it hangs.
constexpr base::Duration watchdog_time = base::seconds(1);
constexpr base::Duration drain_limit = agent::drain_grace + base::seconds(1);

core::OwnerSettings settings_of(const Scenario& scenario) {
    core::OwnerSettings settings;
    settings.consent = true;
    settings.reserve_percent = reserve_percent;
    settings.floor_percent = floor_percent;
    settings.reentry_delay = scenario.reentry_delay;
    settings.drain_dwell = scenario.drain_dwell;
    return settings;
}

engine::MemoryEngineOptions engine_of(const Scenario& scenario) {
    engine::MemoryEngineOptions options;
    options.slots = scenario.slots;
    options.context_tokens = 1'000'000;
    options.load_time = scenario.load_time;
    options.first_token_time = scenario.first_token_time;
    options.token_time = scenario.token_time;
    return options;
}

std::unique_ptr<spool::Spool> open_disk(std::shared_ptr<spool::MemoryDisk> disk) {
    auto opened = spool::open_memory_spool(std::move(disk));
    IDLEWATT_ASSERT(opened.has_value());
    return std::move(*opened);
}

}  // namespace

// In order of dependence; the agent dies first.
struct Car::Process {
    Process(World& world, Car& car, std::string label)
        : gate(world.loop),
          bus(gate, world.hub.connect(car.vehicle_.value, std::move(label))),
          twin(gate, engine_of(world.scenario)),
          engine(
              twin, [&car] { car.check_engine(); },
              [&world, &car] {
                  world.trace.violation(car.vehicle_.value, "a token after the engine's end");
              }),
          signals(gate),
          spool(open_disk(car.disk_), [&world](std::string_view key, std::string_view value) {
              world.books.on_disk(key, value, world.trace);
          }) {}

    GatedLoop gate;
    GatedBus bus;
    engine::MemoryEngine twin;
    WatchedEngine engine;
    signals::MemorySignals signals;
    WatchedSpool spool;
    std::unique_ptr<agent::Agent> agent;
};

Car::Car(World& world, std::uint32_t number)
    : world_(world),
      vehicle_("car-" + std::to_string(number)),
      number_(number),
      key_(identity::KeyPair::for_test(identity::KeyKind::user, number + 1)),
      shown_(wishes()) {}

Car::~Car() = default;

void Car::start() {
    ++incarnation_;
    world_.trace.line(vehicle_.value, "agent starts, incarnation " + std::to_string(incarnation_));
    process_ = std::make_unique<Process>(world_, *this,
                                         vehicle_.value + "/" + std::to_string(incarnation_));
    agent::AgentOptions options;
    options.vehicle = vehicle_;
    options.incarnation = core::Incarnation(incarnation_);
    options.model = "memory";
    options.settings = settings_of(world_.scenario);
    options.seed = world_.seed_of(1000 + number_ * 100 + incarnation_);
    tell_sensors(shown_, nullptr);
    process_->agent = std::make_unique<agent::Agent>(
        agent::AgentParts{process_->gate, process_->bus, process_->engine, process_->signals,
                          meter_, process_->spool, key_},
        std::move(options), observer());
    process_->agent->start();
}

agent::AgentObserver Car::observer() {
    agent::AgentObserver watch;
    watch.on_recall = [this](core::Reason reason, base::Duration took) {
        world_.trace.line(vehicle_.value, "recalled for " + std::string(core::name(reason)) +
                                              " in " + std::to_string(took.ns / 1000) + " us");
        // A stopped process hears of the engine's end when it goes on.
        const base::Duration awake =
            thawed_at_ ? std::min(took, world_.loop.now() - *thawed_at_) : took;
        if (awake > base::milliseconds(50) && world_.checks(Check::owner))
            world_.trace.violation(vehicle_.value, "the recall took more than 50 ms");
    };
    watch.on_verdict = [this](const core::Verdict& verdict, core::Reason announced) {
        world_.trace.line(vehicle_.value, "verdict " + std::string(core::name(verdict.reason)) +
                                              ", announces " + std::string(core::name(announced)));
    };
    return watch;
}

Car::Wishes Car::wishes() const {
    Wishes wish;
    const auto set = [&wish](core::SignalId id, std::optional<double> value) {
        wish[static_cast<std::size_t>(id)].value = value;
    };
    double charge = 80.0;
    if (active(FaultKind::charge_low))
        charge = 40.0;
    if (active(FaultKind::charge_empty))
        charge = 10.0;
    set(core::SignalId::occupied, active(FaultKind::occupied) ? 1.0 : 0.0);
    set(core::SignalId::parked, 1.0);
    set(core::SignalId::moving, 0.0);
    set(core::SignalId::plugged_in, active(FaultKind::unplugged) ? 0.0 : 1.0);
    if (active(FaultKind::signal_missing))
        set(core::SignalId::plugged_in, std::nullopt);
    set(core::SignalId::locked, 1.0);
    set(core::SignalId::state_of_charge_percent, charge);
    return wish;
}

// Tells the car's sensors; a stopped process hears of it when it goes on.
void Car::show(const Wishes& now) {
    const Wishes before = std::exchange(shown_, now);
    const auto charge = static_cast<std::size_t>(core::SignalId::state_of_charge_percent);
    if (now[charge].value < reserve_percent &&
        !(before[charge].value && *before[charge].value < reserve_percent)) {
        charged_below_reserve_at_ = world_.loop.now();
    }
    if (!process_)
        return;
    tell_sensors(now, &before);
    check_engine();
}

// What is not as before; everything if there is no before.
void Car::tell_sensors(const Wishes& now, const Wishes* before) {
    for (std::size_t i = 0; i < core::signal_count; ++i) {
        if (before != nullptr && now[i] == (*before)[i])
            continue;
        process_->gate.enter([process = process_.get(), i, wish = now[i]] {
            const auto id = static_cast<core::SignalId>(i);
            if (wish.value) {
                process->signals.set(id, *wish.value);
            } else {
                process->signals.drop(id);
            }
        });
    }
}

// The owner's own rule, stated a second time: against these signals no engine may run.
void Car::check_engine() const {
    if (!process_ || process_->gate.behind() || !process_->engine.wanted() ||
        !world_.checks(Check::owner)) {
        return;
    }
    const auto value = [this](core::SignalId id) {
        return shown_[static_cast<std::size_t>(id)].value;
    };
    const auto charge = value(core::SignalId::state_of_charge_percent);
    const bool allowed = value(core::SignalId::occupied) == 0.0 &&
                         value(core::SignalId::plugged_in) == 1.0 && charge &&
                         *charge >= floor_percent;
    if (!allowed)
        world_.trace.violation(vehicle_.value, "the engine runs against the owner");
    if (allowed && *charge < reserve_percent &&
        world_.loop.now() - charged_below_reserve_at_ > drain_limit) {
        world_.trace.violation(vehicle_.value, "the engine runs long after a drain began");
    }
}

void Car::begin(FaultKind kind) {
    const bool first = active_[static_cast<std::size_t>(kind)]++ == 0;
    if (kind == FaultKind::engine_crashed && process_)
        process_->twin.crash();
    if (!first)
        return;
    switch (kind) {
        case FaultKind::agent_killed:
            process_.reset();
            break;
        case FaultKind::agent_frozen:
            freeze();
            break;
        case FaultKind::engine_stalled:
            if (process_)
                process_->twin.set_stalled(true);
            break;
        case FaultKind::partitioned:
            world_.hub.partition(vehicle_.value);
            break;
        default:
            show(wishes());
            break;
    }
}

void Car::end(FaultKind kind) {
    if (--active_[static_cast<std::size_t>(kind)] > 0)
        return;
    switch (kind) {
        case FaultKind::agent_killed:
            start();
            if (active(FaultKind::agent_frozen))
                freeze();
            break;
        case FaultKind::agent_frozen:
            thaw();
            break;
        case FaultKind::engine_stalled:
            if (process_)
                process_->twin.set_stalled(false);
            break;
        case FaultKind::partitioned:
            world_.hub.heal(vehicle_.value);
            break;
        default:
            show(wishes());
            check_engine();
            break;
    }
}

void Car::freeze() {
    if (!process_)
        return;
    process_->gate.stop();
    world_.loop.after(watchdog_time, [this, freeze = ++freezes_] {
        if (process_ && process_->gate.stopped() && freeze == freezes_) {
            world_.trace.line(vehicle_.value, "the watchdog ends the engine");
            process_->twin.crash();
        }
    });
}

void Car::thaw() {
    if (!process_)
        return;
    thawed_at_ = world_.loop.now();
    process_->gate.go_on();
    check_engine();
}

bool Car::quiet() const {
    return process_ && process_->agent->core().open_attempts() == 0 &&
           process_->agent->receipts().undelivered() == 0 &&
           process_->agent->core().announced_reason() == core::Reason::ok;
}

void Car::check_quiet() const {
    if (!process_) {
        world_.trace.violation(vehicle_.value, "has no agent at the end");
        return;
    }
    if (process_->agent->core().open_attempts() > 0)
        world_.trace.violation(vehicle_.value, "an attempt is open after the quiet time");
    if (process_->agent->receipts().undelivered() > 0)
        world_.trace.violation(vehicle_.value, "receipts are undelivered after the quiet time");
    if (!disk_->records().empty())
        world_.trace.violation(vehicle_.value, "the disk still holds records");
    if (process_->agent->core().announced_reason() != core::Reason::ok) {
        world_.trace.violation(
            vehicle_.value,
            "does not work after the quiet time: " +
                std::string(core::name(process_->agent->core().announced_reason())));
    }
}

}  // namespace idlewatt::simulator
