// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/gateway_process.hpp"

#include "base/assert.hpp"
#include "simulator/watched_spool.hpp"

namespace idlewatt::simulator {

namespace {

constexpr std::uint64_t first_key = 1'000'000;

}  // namespace

GatewayProcess::GatewayProcess(World& world, std::uint32_t number)
    : world_(world),
      number_(number),
      name_("gateway-" + std::to_string(number)),
      key_(identity::KeyPair::for_test(identity::KeyKind::user, first_key + number)) {}

GatewayProcess::~GatewayProcess() = default;

void GatewayProcess::start() {
    ++life_;
    world_.trace.line(name_, "starts, life " + std::to_string(life_));
    server_ = std::make_unique<http::MemoryServer>(world_.loop);
    bus_ = world_.hub.connect(name_, name_);
    auto disk = spool::open_memory_spool(disk_);
    IDLEWATT_ASSERT(disk.has_value());
    spool_ = std::make_unique<WatchedSpool>(
        std::move(*disk), [this](std::string_view key, std::string_view value) {
            world_.books.on_gateways_disk(key, value, world_.trace);
        });
    gateway::GatewayOptions options;
    options.core.gateway = core::GatewayId(name_);
    options.core.seed = world_.seed_of(500 + number_ * 50 + life_);
    gateway_ = std::make_unique<gateway::Gateway>(
        gateway::GatewayParts{world_.loop, *bus_, *server_, spool_.get(), &key_},
        std::move(options));
    gateway_->start();
}

void GatewayProcess::kill() {
    gateway_.reset();
    spool_.reset();
    bus_.reset();
    server_.reset();
}

bool GatewayProcess::quiet(base::Instant now) const {
    if (!gateway_)
        return false;
    const wire::GatewayFigures figures = gateway_->core().figures();
    if (figures.requests_running + figures.requests_waiting > 0)
        return false;
    for (const wire::VehicleRow& row : gateway_->core().fleet().rows(now)) {
        if (row.active_requests > 0 || row.reason != core::Reason::ok)
            return false;
    }
    return true;
}

void GatewayProcess::check_figures() const {
    if (!gateway_)
        return;
    const wire::GatewayFigures figures = gateway_->core().figures();
    const std::uint64_t ended = figures.requests_completed + figures.requests_failed +
                                figures.requests_failed_no_capacity + figures.requests_cancelled;
    const std::uint64_t open = figures.requests_running + figures.requests_waiting;
    if (figures.requests_started != ended + open) {
        world_.trace.violation(name_, "started " + std::to_string(figures.requests_started) +
                                          " requests, ended " + std::to_string(ended) + ", has " +
                                          std::to_string(open) + " open");
    }
}

void GatewayProcess::check_quiet() const {
    if (!gateway_) {
        world_.trace.violation(name_, "is dead at the end");
        return;
    }
    const wire::GatewayFigures figures = gateway_->core().figures();
    if (figures.requests_running + figures.requests_waiting > 0)
        world_.trace.violation(name_, "requests are open after the quiet time");
    for (const wire::VehicleRow& row : gateway_->core().fleet().rows(world_.loop.now())) {
        if (row.active_requests > 0)
            world_.trace.violation(name_, "counts work on " + row.announcement.vehicle.value +
                                              " after the quiet time");
        if (row.reason != core::Reason::ok)
            world_.trace.violation(name_, "does not see " + row.announcement.vehicle.value +
                                              " ready after the quiet time");
    }
}

}  // namespace idlewatt::simulator
