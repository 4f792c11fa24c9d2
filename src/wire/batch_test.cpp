// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/batch.hpp"

#include <functional>

#include <gtest/gtest.h>

#include "wire/allocation_count_test.hpp"
#include "wire/wire_samples.hpp"

namespace idlewatt::wire {
namespace {

constexpr BatchResultState all_states[] = {BatchResultState::part_taken,
                                           BatchResultState::committed,
                                           BatchResultState::send_again, BatchResultState::refused};

class BatchSamples : public Samples {
public:
    using Samples::Samples;

    BatchAsk ask() { return {count(batch_items_max), leases(), count(1) == 1, count(1) == 1}; }

    BatchWork work() {
        BatchWork work;
        for (std::uint64_t n = prng().below(6); n > 0; --n) {
            work.items.push_back({1 + prng().below(UINT64_MAX), "batch_" + id().substr(0, 50),
                                  line(), core::KeyId(id()),
                                  std::string(batch_endpoints.at(prng().below(3))), bytes(1, 300)});
        }
        work.ended_leases = leases();
        return work;
    }

    BatchResult result() {
        BatchResult result{
            1 + prng().below(UINT64_MAX), id(), line(), 0, "req_" + id(), 0, 1, bytes(0, 400)};
        if (prng().chance(0.9))
            result.status_code = 200 + count(399);
        result.parts = 1 + count(batch_parts_max - 1);
        result.part = count(result.parts - 1);
        return result;
    }

    BatchResultAnswer answer() { return {all_states[prng().below(4)]}; }

private:
    std::vector<std::uint64_t> leases() {
        std::vector<std::uint64_t> leases(prng().below(6));
        for (std::uint64_t& lease : leases)
            lease = prng().next();
        return leases;
    }
    std::uint32_t line() { return 1 + count(batch_lines_max - 1); }
};

TEST(BatchRoundTrip, EveryKind) {
    BatchSamples make(50);
    const auto same = [](const auto& sample, const auto& decode) {
        const auto decoded = decode(encode(sample));
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(*decoded, sample);
    };
    for (int i = 0; i < 1000; ++i) {
        same(make.ask(), decode_batch_ask);
        same(make.work(), decode_batch_work);
        same(make.result(), decode_batch_result);
        same(make.answer(), decode_batch_result_answer);
        if (HasFatalFailure())
            FAIL() << "sample " << i;
    }
}

TEST(BatchRoundTrip, TheLargestOfEach) {
    EXPECT_TRUE(decode_batch_ask(
        encode(BatchAsk{batch_items_max, std::vector(batch_leases_max, UINT64_MAX)})));
    const std::string id(core::id_bytes_max, 'i');
    BatchItem item{UINT64_MAX,
                   id,
                   batch_lines_max,
                   core::KeyId(id),
                   std::string(batch_endpoints[0]),
                   std::string(batch_body_bytes_max, 'b')};
    EXPECT_TRUE(
        decode_batch_work(encode(BatchWork{{item}, std::vector(batch_leases_max, UINT64_MAX)})));
    item.body.resize(3000);
    EXPECT_TRUE(decode_batch_work(encode(BatchWork{{batch_items_max, item}, {}})));
    const BatchResult result{UINT64_MAX,
                             id,
                             batch_lines_max,
                             599,
                             std::string(batch_request_id_bytes_max, 'r'),
                             batch_parts_max - 1,
                             batch_parts_max,
                             std::string(batch_part_bytes_max, 'b')};
    EXPECT_TRUE(decode_batch_result(encode(result)));
    EXPECT_LT(encode(result).size(), 1024U * 1024);
}

template <class Message, class Decode, class Break>
void refuses_batch(Message message, Decode decode, Break break_it) {
    ASSERT_TRUE(decode(encode(message)));
    break_it(message);
    const auto decoded = decode(encode(message));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, base::ErrorKind::bad_input);
}

TEST(BatchBounds, Asks) {
    const auto check = [](auto break_it) {
        refuses_batch(BatchAsk{1, {1, 2}}, decode_batch_ask, break_it);
    };
    check([](auto& a) { a.items_max = batch_items_max + 1; });
    check([](auto& a) { a.running_leases.assign(batch_leases_max + 1, 1); });
}

TEST(BatchBounds, Work) {
    const BatchWork work{
        {{1, "b", 1, core::KeyId("k"), std::string(batch_endpoints[2]), "{\"input\":\"x\"}"}}, {}};
    const auto check = [&](auto break_it) { refuses_batch(work, decode_batch_work, break_it); };
    check([](auto& w) { w.items[0].lease = 0; });
    check([](auto& w) { w.items[0].batch_id = "B b"; });
    check([](auto& w) { w.items[0].line = 0; });
    check([](auto& w) { w.items[0].line = batch_lines_max + 1; });
    check([](auto& w) { w.items[0].key.value.clear(); });
    check([](auto& w) { w.items[0].endpoint = "/v1/files"; });
    check([](auto& w) { w.items[0].body.clear(); });
    check([](auto& w) { w.items[0].body.assign(batch_body_bytes_max + 1, 'b'); });
    check([](auto& w) { w.items.resize(batch_items_max + 1, w.items[0]); });
    check([](auto& w) { w.ended_leases.assign(batch_leases_max + 1, 1); });
}

TEST(BatchBounds, Results) {
    const BatchResult result{1, "b", 1, 200, "req_1", 0, 2, "{}"};
    const auto check = [&](auto break_it) { refuses_batch(result, decode_batch_result, break_it); };
    check([](auto& r) { r.lease = 0; });
    check([](auto& r) { r.batch_id.clear(); });
    check([](auto& r) { r.line = 0; });
    check([](auto& r) { r.status_code = 199; });
    check([](auto& r) { r.status_code = 600; });
    check([](auto& r) { r.request_id = "a\nb"; });
    check([](auto& r) { r.request_id.assign(batch_request_id_bytes_max + 1, 'r'); });
    check([](auto& r) { r.part = 2; });
    check([](auto& r) { r.parts = 0; });
    check([](auto& r) { r.parts = batch_parts_max + 1; });
    check([](auto& r) { r.body.assign(batch_part_bytes_max + 1, 'b'); });
    EXPECT_FALSE(decode_batch_result_answer(""));
    EXPECT_FALSE(decode_batch_result_answer("\x08\x09"));
}

constexpr std::size_t batch_growth_max = 64;
constexpr std::size_t batch_growth_base = 8 * 1024;

template <class Sample, class Decode>
void survives_mutation(std::uint64_t seed, Sample sample, Decode decode) {
    BatchSamples make(seed);
    int refused = 0;
    constexpr int mutations = 5000;
    for (int i = 0; i < mutations; ++i) {
        const std::string bytes =
            i % 10 == 0 ? make.bytes(0, 200) : make.mutate(encode(sample(make)));
        const std::size_t before = allocated_bytes;
        const auto decoded = decode(bytes);
        ASSERT_LE(allocated_bytes - before, batch_growth_base + batch_growth_max * bytes.size())
            << i;
        if (!decoded) {
            ++refused;
            ASSERT_EQ(decoded.error().kind, base::ErrorKind::bad_input);
            ASSERT_LT(decoded.error().message.size(), 400U);
            continue;
        }
        const auto again = decode(encode(*decoded));
        ASSERT_TRUE(again) << "mutation " << i << ": " << again.error().message;
        ASSERT_TRUE(*again == *decoded) << "mutation " << i;
    }
    EXPECT_GT(refused, mutations / 10);
    EXPECT_LT(refused, mutations);
}

TEST(BatchMutation, EveryKind) {
    survives_mutation(
        51, [](BatchSamples& make) { return make.ask(); }, decode_batch_ask);
    survives_mutation(
        52, [](BatchSamples& make) { return make.work(); }, decode_batch_work);
    survives_mutation(
        53, [](BatchSamples& make) { return make.result(); }, decode_batch_result);
    survives_mutation(
        54, [](BatchSamples& make) { return make.answer(); }, decode_batch_result_answer);
}

TEST(BatchMutation, AFloodOfEmptyItemsCostsNothing) {
    std::string flood;
    for (int i = 0; i < 200'000; ++i)
        flood.append("\x0a\x00", 2);
    const std::size_t before = allocated_bytes;
    EXPECT_FALSE(decode_batch_work(flood));
    EXPECT_LT(allocated_bytes - before, batch_growth_base);
}

}  // namespace
}  // namespace idlewatt::wire
