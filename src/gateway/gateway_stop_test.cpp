// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// How the gateway's shell ends.
#include <memory>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "gateway/gateway.hpp"
#include "http/memory_server.hpp"

namespace idlewatt::gateway {
namespace {

TEST(GatewayStop, SaysOnceThatItHasStoppedHoweverLongItIsKept) {
    base::SimulatedLoop loop;
    bus::MemoryHub hub{loop, 1};
    const std::unique_ptr<bus::Bus> bus = hub.connect("g", "g");
    http::MemoryServer server{loop};
    GatewayOptions options;
    options.core.gateway = core::GatewayId("g");
    Gateway gateway({loop, *bus, server}, std::move(options));
    gateway.start();
    int told = 0;
    gateway.stop([&] { ++told; });
    EXPECT_EQ(told, 0) << "never inside the call";
    loop.run_for(gateway_stop_max * 3);
    EXPECT_EQ(told, 1);
    gateway.stop([&] { ++told; });
    loop.run_for(gateway_stop_max * 3);
    EXPECT_EQ(told, 1);
}

}  // namespace
}  // namespace idlewatt::gateway
