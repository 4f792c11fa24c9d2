// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/sayings.hpp"

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "bus/memory_bus.hpp"
#include "wire/bundle.hpp"
#include "wire/wire.hpp"

namespace idlewatt::agent {
namespace {

const core::GatewayId gateway("g1");
const core::AttemptId attempt("w1-0");
constexpr std::string_view whole = R"({"messages":[]})";
constexpr std::string_view streamed = R"({"messages":[],"stream":true})";

class SayingsTest : public ::testing::Test {
protected:
    SayingsTest() {
        hearer_->subscribe(subjects_.all_out(gateway), [this](const bus::Message& message) {
            heard_.emplace_back();
            const auto parts = wire::unbundle(message.payload);
            ASSERT_TRUE(parts);
            for (const std::string_view part : *parts) {
                auto said = wire::decode_from_car(part);
                ASSERT_TRUE(said);
                heard_.back().push_back(std::move(*said));
            }
        });
    }
    void say(core::FromCar message) { sayings_.say({gateway, attempt, std::move(message)}); }
    void say_piece(std::size_t bytes = 3) {
        core::Piece piece;
        piece.text = std::string(bytes, 'x');
        piece.token_count = 1;
        say(core::Numbered{++sequence_, std::move(piece)});
    }
    void say_end() { say(core::Numbered{++sequence_, core::Finished{}}); }
    // How many messages each message of the bus brought since the last call.
    std::vector<std::size_t> heard() {
        loop_.run_for(base::milliseconds(1));
        std::vector<std::size_t> counts;
        for (const auto& messages : heard_) {
            counts.push_back(messages.size());
            for (const core::FromCar& message : messages) {
                const auto* numbered = std::get_if<core::Numbered>(&message);
                if (numbered != nullptr)
                    sequences_.push_back(numbered->sequence);
            }
        }
        heard_.clear();
        return counts;
    }
    using Counts = std::vector<std::size_t>;

    base::SimulatedLoop loop_;
    bus::MemoryHub hub_{loop_, 1};
    std::unique_ptr<bus::Bus> hearer_ = hub_.connect("g1", "g1");
    std::unique_ptr<bus::Bus> bus_ = hub_.connect("car-1", "car-1/1");
    wire::Subjects subjects_{"c1"};
    Sayings sayings_{*bus_, subjects_, core::VehicleId("car-1"), core::Incarnation(1)};
    std::uint64_t sequence_ = 0;
    std::vector<std::vector<core::FromCar>> heard_;
    std::vector<std::uint64_t> sequences_;
};

TEST_F(SayingsTest, AShortAnswerForAClientThatDoesNotStreamIsOneMessage) {
    say(core::Alive{1, 0});
    sayings_.begin(attempt, whole);
    say_piece();
    say_piece();
    EXPECT_EQ(heard(), Counts{});
    say_end();
    EXPECT_EQ(heard(), Counts{3});
    EXPECT_EQ(sequences_, (std::vector<std::uint64_t>{1, 2, 3}));
}

TEST_F(SayingsTest, AStreamWaitsForNothing) {
    say(core::Alive{1, 0});
    sayings_.begin(attempt, streamed);
    say_piece();
    EXPECT_EQ(heard(), Counts{1});
    say_piece();
    EXPECT_EQ(heard(), Counts{1});
    say_end();
    EXPECT_EQ(heard(), Counts{1});
}

TEST_F(SayingsTest, NothingIsHeldLongerThanATick) {
    say(core::Alive{1, 0});
    EXPECT_EQ(heard(), Counts{});
    sayings_.flush();
    EXPECT_EQ(heard(), Counts{1});
    sayings_.begin(attempt, whole);
    say_piece();
    say_piece();
    sayings_.flush();
    EXPECT_EQ(heard(), Counts{2});
}

TEST_F(SayingsTest, WhatNobodyWantsAnyMoreIsNotSaid) {
    sayings_.begin(attempt, whole);
    say_piece();
    sayings_.forget(attempt);
    sayings_.flush();
    EXPECT_EQ(heard(), Counts{});
}

TEST_F(SayingsTest, WhoLeavesSaysFirstWhatWasHeld) {
    sayings_.begin(attempt, whole);
    say_piece();
    say(core::Numbered{++sequence_, core::Yielded{core::Reason::draining}});
    EXPECT_EQ(heard(), Counts{2});
    EXPECT_EQ(sequences_, (std::vector<std::uint64_t>{1, 2}));
}

TEST_F(SayingsTest, HoldsNeitherManyNorLarge) {
    sayings_.begin(attempt, whole);
    for (std::size_t i = 0; i < held_messages_max; ++i)
        say_piece();
    EXPECT_EQ(heard(), Counts{held_messages_max});
    say_piece();
    say_piece(held_bytes_max + 1);
    EXPECT_EQ(heard(), (Counts{1, 1}));
}

}  // namespace
}  // namespace idlewatt::agent
