// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bytes from strangers: damaged messages of every kind end in a clear error or in a value within
// its bounds, and what decoding allocates stays in proportion to what came.
#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "wire/allocation_count_test.hpp"
#include "wire/subject.hpp"
#include "wire/wire_samples.hpp"

namespace idlewatt::wire {
std::atomic<std::size_t> allocated_bytes{0};
}

namespace {

void* counted(std::size_t bytes) {
    idlewatt::wire::allocated_bytes.fetch_add(bytes, std::memory_order_relaxed);
    void* const memory = std::malloc(bytes + 1);  // tidy: allow(malloc) this is the allocator
    if (memory == nullptr)
        throw std::bad_alloc();
    return memory;
}

}  // namespace

void* operator new(std::size_t bytes) {
    return counted(bytes);
}
void* operator new[](std::size_t bytes) {
    return counted(bytes);
}
void operator delete(void* memory) noexcept {
    std::free(memory);
}
void operator delete[](void* memory) noexcept {
    std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
    std::free(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
    std::free(memory);
}

namespace idlewatt::wire {
namespace {

constexpr int mutations = 10'000;
constexpr std::size_t growth_max = 64;         // times the input
constexpr std::size_t growth_base = 8 * 1024;  // the texts of an error, say

template <class Sample, class Decode>
void survive(std::uint64_t seed, Sample sample, Decode decode) {
    Samples make(seed);
    int refused = 0;
    for (int i = 0; i < mutations; ++i) {
        const std::string bytes =
            i % 10 == 0 ? make.bytes(0, 200) : make.mutate(encode(sample(make)));
        const std::size_t before = allocated_bytes;
        const auto decoded = decode(bytes);
        const std::size_t grown = allocated_bytes - before;
        ASSERT_LE(grown, growth_base + growth_max * bytes.size()) << "mutation " << i;
        if (!decoded) {
            ++refused;
            ASSERT_EQ(decoded.error().kind, base::ErrorKind::bad_input);
            ASSERT_LT(decoded.error().message.size(), 400U);
            continue;
        }
        // Within its bounds: it goes through encode and decode unchanged.
        const auto again = decode(encode(*decoded));
        ASSERT_TRUE(again) << "mutation " << i << ": " << again.error().message;
        ASSERT_TRUE(*again == *decoded) << "mutation " << i;
    }
    EXPECT_GT(refused, mutations / 10);
    EXPECT_LT(refused, mutations);
}

TEST(WireMutation, Announcement) {
    survive(
        1, [](Samples& make) { return make.announcement(); }, decode_announcement);
}
TEST(WireMutation, ToCar) {
    survive(
        2, [](Samples& make) { return make.to_car(); }, decode_to_car);
}
TEST(WireMutation, FromCar) {
    survive(
        3, [](Samples& make) { return make.from_car(); }, decode_from_car);
}
TEST(WireMutation, Work) {
    survive(
        4, [](Samples& make) { return make.work(); }, decode_work);
}
TEST(WireMutation, Receipt) {
    survive(
        5, [](Samples& make) { return make.receipt(); }, decode_receipt);
}
TEST(WireMutation, ReceiptBatch) {
    survive(
        6, [](Samples& make) { return make.batch(); }, decode_receipts);
}
TEST(WireMutation, ReceiptsAnswer) {
    survive(
        7, [](Samples& make) { return make.receipts_answer(); }, decode_receipts_answer);
}
TEST(WireMutation, Totals) {
    survive(
        8, [](Samples& make) { return make.totals(); }, decode_totals);
}
TEST(WireMutation, SignalOverride) {
    survive(
        9, [](Samples& make) { return make.signal_override(); }, decode_signal_override);
}
TEST(WireMutation, OrderAnswer) {
    survive(
        10, [](Samples& make) { return make.order_answer(); }, decode_order_answer);
}

// Two bytes a field would be forty in memory: refused before they are made.
TEST(WireMutation, AFloodOfSmallFieldsCostsNothing) {
    std::string flood;
    for (int i = 0; i < 400'000; ++i)
        flood.append("\x22\x00", 2);
    const std::size_t before = allocated_bytes;
    EXPECT_FALSE(decode_work(flood));
    EXPECT_FALSE(decode_announcement(flood));
    EXPECT_LT(allocated_bytes - before, growth_base);
}

// The same one level deeper: tool calls of two bytes inside a piece, also spread over several
// pieces, which protobuf would merge.
TEST(WireMutation, AFloodOfSmallToolCallsCostsNothing) {
    const auto piece_of = [](std::size_t calls) {
        std::string inner;
        for (std::size_t i = 0; i < calls; ++i)
            inner.append("\x2a\x00", 2);
        std::string piece("\x0a", 1);
        for (std::size_t length = inner.size(); true; length >>= 7) {
            piece.push_back(static_cast<char>(length < 0x80 ? length : (length & 0x7f) | 0x80));
            if (length < 0x80)
                break;
        }
        return piece + inner;
    };
    const std::string numbered("\x38\x01", 2);
    for (const std::string& flood :
         {piece_of(500'000) + numbered, piece_of(100) + piece_of(100) + numbered}) {
        const std::size_t before = allocated_bytes;
        EXPECT_FALSE(decode_from_car(flood));
        EXPECT_LT(allocated_bytes - before, growth_base);
    }
}

TEST(WireMutation, Subjects) {
    Samples make(11);
    const Subjects subjects{"cell-1"};
    for (int i = 0; i < mutations; ++i) {
        const std::string subject = make.mutate(
            subjects.out(core::VehicleId(make.id()), core::GatewayId(make.id()),
                         core::Incarnation(make.prng().next()), core::AttemptId(make.id())));
        const auto address = parse_out(subject);
        EXPECT_TRUE(!address ||
                    (core::is_id(address->vehicle.value) && core::is_id(address->attempt.value)));
        const auto attempt = parse_in(subject);
        EXPECT_TRUE(!attempt || core::is_id(attempt->value));
        const auto vehicle = parse_vehicle(subject);
        EXPECT_TRUE(!vehicle || core::is_id(vehicle->value));
    }
}

}  // namespace
}  // namespace idlewatt::wire
