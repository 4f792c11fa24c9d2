// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/bundle.hpp"

#include <gtest/gtest.h>

#include "base/prng.hpp"
#include "wire.pb.h"
#include "wire/wire.hpp"

namespace idlewatt::wire {
namespace {

std::vector<std::string> some_messages(std::size_t count) {
    std::vector<std::string> messages;
    for (std::size_t i = 0; i < count; ++i) {
        core::Piece piece;
        piece.text = std::string(i * 37, 'x');
        messages.push_back(encode(core::FromCar(core::Numbered{i + 1, std::move(piece)})));
    }
    return messages;
}

TEST(Bundle, GivesBackWhatWasPutIn) {
    for (const std::size_t count : {std::size_t{1}, std::size_t{2}, bundle_messages_max}) {
        const auto messages = some_messages(count);
        const std::string bytes = bundle(messages);
        const auto back = unbundle(bytes);
        ASSERT_TRUE(back);
        EXPECT_EQ(std::vector<std::string>(back->begin(), back->end()), messages);
    }
}

TEST(Bundle, OfOneIsTheMessageItself) {
    for (const core::FromCar& message : {core::FromCar(core::Alive{1, 2}),
                                         core::FromCar(core::Refused{core::Reason::draining, true}),
                                         core::FromCar(core::Numbered{1, core::Finished{}})}) {
        const std::string bytes = encode(message);
        const auto back = unbundle(bytes);
        ASSERT_TRUE(back);
        EXPECT_EQ(*back, std::vector<std::string_view>{bytes});
    }
}

TEST(Bundle, IsTheMessageOfTheApi) {
    const auto messages = some_messages(5);
    v1::FromCarBundle read;
    ASSERT_TRUE(read.ParseFromString(bundle(messages)));
    EXPECT_EQ(std::vector<std::string>(read.messages().begin(), read.messages().end()), messages);
}

TEST(Bundle, RefusesWhatIsCutOrTooMuch) {
    const std::string bytes = bundle(some_messages(3));
    for (std::size_t size = 1; size < bytes.size(); ++size) {
        const auto back = unbundle(std::string_view(bytes).substr(0, size));
        EXPECT_TRUE(!back || back->size() < 3) << size;
    }
    std::string many;
    for (std::size_t i = 0; i <= bundle_messages_max; ++i)
        many += std::string("\x7a\x00", 2);
    EXPECT_FALSE(unbundle(many));
    EXPECT_FALSE(unbundle("\x7a\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"));
    base::Prng prng(3);
    for (int round = 0; round < 20'000; ++round) {
        std::string broken = bytes;
        broken[prng.below(broken.size())] = static_cast<char>(prng.next());
        static_cast<void>(unbundle(broken));
    }
}

}  // namespace
}  // namespace idlewatt::wire
