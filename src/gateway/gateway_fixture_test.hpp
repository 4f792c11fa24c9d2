// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The gateway's mind without a body, for its tests: events in, effects out.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "gateway/gateway_core.hpp"

namespace idlewatt::gateway {

inline const std::string ask_streamed =
    R"({"model":"m","messages":[{"role":"user","content":"q"}],"stream":true})";
inline const std::string ask_whole = R"({"model":"m","messages":[{"role":"user","content":"q"}]})";

template <class T>
std::vector<T> all(const Effects& effects) {
    std::vector<T> found;
    for (const Effect& effect : effects) {
        if (const auto* one = std::get_if<T>(&effect))
            found.push_back(*one);
    }
    return found;
}

template <class T>
std::vector<T> told(const Effects& effects) {
    std::vector<T> found;
    for (const Tell& tell : all<Tell>(effects)) {
        if (const auto* one = std::get_if<T>(&tell.message))
            found.push_back(*one);
    }
    return found;
}

inline std::string written(const Effects& effects) {
    std::string bytes;
    for (const WriteResponse& write : all<WriteResponse>(effects))
        bytes += write.bytes;
    return bytes;
}

class GatewayCoreTest : public ::testing::Test {
protected:
    GatewayCoreTest() { feed(BusChanged{true}); }

    Effects feed(const Event& event) {
        Effects effects = core.handle(event, now, base::WallTime{1'790'000'000'000'000});
        for (const Effect& effect : effects) {
            if (const auto* begin = std::get_if<BeginResponse>(&effect))
                given += begin->response.body.size();
            if (const auto* write = std::get_if<WriteResponse>(&effect))
                given += write->bytes.size();
        }
        everything.insert(everything.end(), effects.begin(), effects.end());
        return effects;
    }

    Effects announce(const std::string& car, core::Reason reason = core::Reason::ok,
                     std::uint64_t incarnation = 1) {
        core::Announcement announcement = able;
        announcement.vehicle = core::VehicleId(car);
        announcement.incarnation = core::Incarnation(incarnation);
        announcement.sequence = ++sequence;
        announcement.reason = reason;
        announcement.models = {"m"};
        announcement.slots_total = slots;
        announcement.slots_free = others_use_all ? 0 : slots;
        const auto fleet = fleets.find(car);
        return feed(Announced{announcement, fleet == fleets.end() ? "" : fleet->second});
    }

    // Another gateway, with nothing but a bus.
    void begin_with(GatewayConfig config) {
        config.gateway = core::GatewayId("g");
        config.seed = 1;
        core = GatewayCore(std::move(config));
        feed(BusChanged{true});
    }

    // Ticks, with everything alive that is named.
    Effects pass(base::Duration span, const std::vector<std::string>& cars = {}) {
        everything.clear();
        const base::Instant end = now + span;
        for (int i = 0; now < end; ++i) {
            now = now + tick_period;
            if (i % 20 == 0) {
                for (const std::string& car : cars)
                    announce(car);
            }
            feed(Tick{});
        }
        return everything;
    }

    Effects ask(std::uint64_t request, const std::string& body = ask_streamed,
                const std::string& target = "/v1/chat/completions", http::Headers headers = {}) {
        return send(request, "POST", target, std::move(headers), body);
    }
    Effects send(std::uint64_t request, const std::string& method, const std::string& target,
                 http::Headers headers = {}, const std::string& body = "") {
        http::Request asked;
        asked.id = http::RequestId{request};
        asked.method = method;
        asked.target = target;
        asked.headers = std::move(headers);
        asked.body = body;
        return feed(Asked{asked});
    }
    // The only answer to a request that is not for a car.
    http::Response answer(const Effects& effects) {
        const auto responses = all<Respond>(effects);
        EXPECT_EQ(responses.size(), 1U);
        return responses.empty() ? http::Response{} : responses[0].response;
    }

    std::vector<Tell> all_opened(const Effects& effects) {
        std::vector<Tell> opens;
        for (const Tell& tell : all<Tell>(effects)) {
            if (std::holds_alternative<core::Open>(tell.message))
                opens.push_back(tell);
        }
        return opens;
    }
    core::Work work_of(const Tell& open) {
        const auto work = wire::decode_work(std::get<core::Open>(open.message).part);
        EXPECT_TRUE(work.has_value());
        return work.value_or(core::Work{});
    }
    // Opens an attempt on the only ready car and remembers it.
    Tell opened(const Effects& effects) {
        for (const Tell& tell : all<Tell>(effects)) {
            if (std::holds_alternative<core::Open>(tell.message))
                return tell;
        }
        ADD_FAILURE() << "no attempt was opened";
        return {};
    }

    Effects say(const Tell& to, core::FromCar message) {
        return feed(CarSaid{{to.vehicle, to.incarnation, to.attempt}, std::move(message)});
    }
    Effects piece(const Tell& to, std::uint64_t number, const std::string& text) {
        return say(to, core::Numbered{number, core::Piece{{7}, text, 1}});
    }
    Effects all_written(std::uint64_t request) {
        return feed(Written{http::RequestId{request}, given});
    }

    base::Instant now{};
    std::uint64_t sequence = 0;
    std::uint32_t slots = 2;
    bool others_use_all = false;  // other gateways have all slots of the cars that announce
    core::Announcement able;      // what cars can do
    std::map<std::string, std::string> fleets;  // by car
    std::uint64_t given = 0;                    // bytes of the one streamed response
    GatewayCore core{{core::GatewayId("g"), "", 1}};
    Effects everything;
};

}  // namespace idlewatt::gateway
