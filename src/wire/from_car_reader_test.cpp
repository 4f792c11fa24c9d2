// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What is read and written by hand is what protobuf reads and writes.
#include "wire/from_car_reader.hpp"

#include <gtest/gtest.h>

#include "wire.pb.h"
#include "wire/plain_proto.hpp"
#include "wire/wire_samples.hpp"

namespace idlewatt::wire {
namespace {

core::Piece some_words() {
    core::Piece piece;
    piece.ids = {1, 127, 128, 200'000};
    piece.text = "a ß";
    piece.token_count = 4;
    piece.reasoning = "hm";
    piece.prompt_tokens = 24;
    return piece;
}

// True: it was read by hand, too.
bool expect_read_alike(std::string_view bytes) {
    const auto read = read_from_car(bytes);
    if (!read)
        return false;
    const auto known = read_from_car_by_library(bytes);
    EXPECT_TRUE(known) << known.error().message;
    EXPECT_TRUE(known && *known == *read);
    return true;
}

TEST(FromCarReader, ReadsWordsAndTheirEnd) {
    EXPECT_TRUE(expect_read_alike(encode(core::FromCar(core::Numbered{1, some_words()}))));
    EXPECT_TRUE(expect_read_alike(encode(core::FromCar(core::Numbered{300, core::Piece{}}))));
    for (const auto reason :
         {core::FinishReason::stop, core::FinishReason::length, core::FinishReason::tool_calls}) {
        const core::Finished finished{reason, 24, 4, 0};
        EXPECT_TRUE(expect_read_alike(encode(core::FromCar(core::Numbered{UINT32_MAX, finished}))));
    }
}

TEST(FromCarReader, LeavesTheRestToTheLibrary) {
    core::Piece calls = some_words();
    calls.tool_calls = {{"1", "f", "{}"}};
    core::Piece negative = some_words();
    negative.ids[0] = -1;
    core::Piece uneven = some_words();
    uneven.ids.pop_back();
    core::Piece broken = some_words();
    broken.text = "\xC3";
    for (const core::Piece& piece : {calls, negative, uneven, broken})
        EXPECT_FALSE(read_from_car(encode(core::FromCar(core::Numbered{1, piece}))));
    EXPECT_FALSE(read_from_car(encode(core::FromCar(core::Numbered{0, some_words()}))));
    EXPECT_FALSE(read_from_car(encode(core::FromCar(core::Alive{1, 2}))));
    EXPECT_FALSE(read_from_car(""));
    const std::string twice = encode(core::FromCar(core::Numbered{1, some_words()}));
    EXPECT_FALSE(read_from_car(twice + twice));
    EXPECT_FALSE(read_from_car("\x38\x01"));  // a number of nothing
}

TEST(FromCarReader, IsNeverOfAnotherMind) {
    Samples make(11);
    int read = 0;
    for (int i = 0; i < 50'000; ++i) {
        core::Piece piece = i % 2 == 0 ? some_words() : make.piece();
        if (i % 3 != 0)
            piece.tool_calls.clear();
        const std::string bytes = encode(core::FromCar(core::Numbered{1U + i % 200U, piece}));
        read += expect_read_alike(i % 10 == 0 ? bytes : make.mutate(bytes)) ? 1 : 0;
        read += expect_read_alike(make.mutate(encode(make.from_car()))) ? 1 : 0;
    }
    EXPECT_GT(read, 5'000);
}

template <class Message>
void expect_canonical(const std::string& bytes) {
    Message message;
    ASSERT_TRUE(message.ParseFromString(bytes));
    EXPECT_EQ(message.SerializeAsString(), bytes);
}

TEST(PlainProto, WritesWhatTheLibraryWrites) {
    Samples make(12);
    for (int i = 0; i < 5'000; ++i) {
        expect_canonical<v1::ToCar>(encode(make.to_car()));
        expect_canonical<v1::Work>(encode(make.work()));
    }
    for (const core::ToCar& empty :
         {core::ToCar(core::Cancel{}), core::ToCar(core::Ack{}), core::ToCar(core::Ack{UINT64_MAX}),
          core::ToCar(core::Resend{}), core::ToCar(core::Body{}), core::ToCar(core::Open{})})
        expect_canonical<v1::ToCar>(encode(empty));
    core::Work work;
    work.resume.segments = {core::TokenIds{-1, 0, 1, INT32_MIN, INT32_MAX}, std::string("text")};
    work.resume.tokens = UINT32_MAX;
    work.task = core::Task::embedding;
    expect_canonical<v1::Work>(encode(work));
}

}  // namespace
}  // namespace idlewatt::wire
