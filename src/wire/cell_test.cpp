// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/cell.hpp"

#include <cmath>

#include <gtest/gtest.h>

#include "wire/allocation_count_test.hpp"
#include "wire/cell_samples.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {
namespace {

TEST(CellRoundTrip, EveryKind) {
    CellSamples make(20);
    const auto same = [](const auto& sample, const auto& decode) {
        const auto decoded = decode(encode(sample));
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(*decoded, sample);
    };
    for (int i = 0; i < 2000; ++i) {
        same(make.delivery(), decode_delivery);
        same(make.delivery_batch(), decode_delivery_batch);
        same(make.deliveries_answer(), decode_deliveries_answer);
        same(make.key_book_request(), decode_key_book_request);
        same(make.key_book_page(), decode_key_book_page);
        same(make.key_book(), decode_key_book);
        same(make.capacity(), decode_capacity);
        same(make.assignment(), decode_assignment);
        same(make.renewal(), decode_renewal);
        same(make.demands(), decode_demands);
        if (HasFatalFailure())
            FAIL() << "sample " << i;
    }
}

// Every text at its bound; a page must also fit into one NATS message of 1 MiB.
TEST(CellRoundTrip, TheLargestOfEach) {
    core::ApiKey key;
    key.id = core::KeyId(std::string(core::id_bytes_max, 'k'));
    key.secret_sha256 = std::string(64, 'f');
    key.label = std::string(core::key_label_bytes_max, 'l');
    key.limits = {UINT32_MAX, UINT32_MAX, UINT32_MAX};
    key.fleet = std::string(core::fleet_name_bytes_max, 'f');
    key.created_at.us = key.revoked_at.emplace().us = INT64_MAX;
    KeyBookPage page{{UINT64_MAX, {INT64_MAX}, {keys_per_page_max, key}}, true, true};
    EXPECT_TRUE(decode_key_book_page(encode(page)));
    EXPECT_LT(encode(page).size(), 1024U * 1024);
    page.book.keys.resize(core::keys_max, key);
    EXPECT_FALSE(decode_key_book_page(encode(page)));
    EXPECT_TRUE(decode_key_book(encode(page.book)));
    page.book.keys.push_back(key);
    EXPECT_FALSE(decode_key_book(encode(page.book)));

    const core::SignedDelivery delivery{core::DeliveryId(std::string(core::id_bytes_max, 'd')),
                                        std::string(3000, 'p'), std::string(64, 's')};
    const DeliveryBatch batch{std::string(user_jwt_bytes_max, 'j'),
                              {deliveries_per_batch_max, delivery}};
    EXPECT_TRUE(decode_delivery_batch(encode(batch)));

    core::Model model{
        "m",        std::string(64, '0'), UINT64_MAX, std::string(64, 'a'), std::string(64, 'q'),
        UINT64_MAX, UINT32_MAX,           UINT32_MAX, {INT64_MAX}};
    model.name.assign(core::model_name_bytes_max, 'm');
    EXPECT_TRUE(decode_assignment(encode(
        core::Assignment{UINT64_MAX, model, std::string(blob_url_bytes_max, 'u'), true, true})));
    EXPECT_TRUE(decode_demands(encode(
        std::vector<core::ModelDemand>(demands_max, {model.name, UINT32_MAX, UINT32_MAX, 1e9}))));
    EXPECT_TRUE(decode_capacity(encode(
        core::Capacity{UINT64_MAX, UINT64_MAX, {core::cached_blobs_max, std::string(64, 'a')}})));
    EXPECT_TRUE(decode_renewal(encode(Renewal{std::string(user_jwt_bytes_max, 'j'),
                                              std::string(core::membership_bytes_max, 'm'),
                                              {INT64_MAX}})));
}

template <class Message, class Decode, class Break>
void refuses(Message message, Decode decode, Break break_it) {
    ASSERT_TRUE(decode(encode(message)));
    break_it(message);
    const auto decoded = decode(encode(message));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, base::ErrorKind::bad_input);
    EXPECT_NE(decoded.error().message.find("refused"), std::string::npos);
}

TEST(CellBounds, Deliveries) {
    CellSamples make(21);
    const auto check = [&](auto break_it) { refuses(make.delivery(), decode_delivery, break_it); };
    check([](auto& d) { d.id.value.clear(); });
    check([](auto& d) { d.gateway.value = "G"; });
    check([](auto& d) { d.vehicle.value = "a.b"; });
    check([](auto& d) { d.key.value = "*"; });
    check([](auto& d) { d.model = "a\nb"; });
    check([](auto& d) { d.started_at.us = -1; });
    check([](auto& d) { d.duration.ns = -1; });
    const core::SignedDelivery one{core::DeliveryId("d"), "p", "s"};
    const auto batch = [&](auto break_it) {
        refuses(DeliveryBatch{"jwt", {one}}, decode_delivery_batch, break_it);
    };
    batch([&](auto& b) { b.deliveries.assign(deliveries_per_batch_max + 1, one); });
    batch([](auto& b) { b.deliveries[0].payload.clear(); });
    batch([](auto& b) { b.deliveries[0].signature.assign(signature_bytes_max + 1, 's'); });
    batch([](auto& b) { b.user_jwt.assign(user_jwt_bytes_max + 1, 'j'); });
    batch([](auto& b) { b.user_jwt = "a\r\nb"; });
    refuses(DeliveriesAnswer{}, decode_deliveries_answer, [](auto& answer) {
        answer.refused.assign(deliveries_per_batch_max + 1, core::DeliveryId("r"));
    });
}

TEST(CellBounds, Keys) {
    CellSamples make(22);
    const auto check = [&](auto break_it) {
        KeyBookPage page = make.key_book_page();
        page.book.keys.assign(2, make.key());
        refuses(page, decode_key_book_page, [&](KeyBookPage& p) { break_it(p.book.keys[1]); });
        refuses(page.book, decode_key_book, [&](core::KeyBook& b) { break_it(b.keys[1]); });
    };
    check([](auto& k) { k.id.value = "K"; });
    check([](auto& k) { k.secret_sha256.pop_back(); });
    check([](auto& k) { k.secret_sha256[3] = 'G'; });
    check([](auto& k) { k.label = "\x1b[31m"; });
    check([](auto& k) { k.label.assign(core::key_label_bytes_max + 1, 'x'); });
    check([](auto& k) { k.fleet = "two words"; });
    check([](auto& k) { k.created_at.us = -1; });
    check([](auto& k) { k.revoked_at = base::WallTime{-1}; });
    refuses(make.key_book_request(), decode_key_book_request,
            [](auto& request) { request.after.value = "a b"; });
}

TEST(CellBounds, Models) {
    CellSamples make(23);
    const auto check = [&](auto break_it) {
        core::Assignment assignment = make.assignment();
        assignment.model = make.model();
        refuses(assignment, decode_assignment, break_it);
    };
    check([](auto& a) { a.model->name.clear(); });
    check([](auto& a) { a.model->sha256 = "../../etc"; });
    check([](auto& a) { a.model->architecture.assign(model_word_bytes_max + 1, 'x'); });
    check([](auto& a) { a.model->quantization = "\n"; });
    check([](auto& a) { a.model->added_at.us = -1; });
    check([](auto& a) { a.blob_url.assign(blob_url_bytes_max + 1, 'x'); });
    check([](auto& a) { a.blob_url = "http://a/\r\nhost: b"; });
    refuses(make.capacity(), decode_capacity, [&](auto& c) { c.cached_sha256 = {"x"}; });
    refuses(make.capacity(), decode_capacity,
            [&](auto& c) { c.cached_sha256.assign(core::cached_blobs_max + 1, make.sha256()); });
    refuses(make.renewal(), decode_renewal, [](auto& r) { r.user_jwt.clear(); });
    refuses(make.renewal(), decode_renewal, [](auto& r) { r.expires_at.us = -1; });
    refuses(make.renewal(), decode_renewal,
            [](auto& r) { r.membership.assign(core::membership_bytes_max + 1, 'm'); });
    const core::ModelDemand one{"m", 1, 2, 3.0};
    refuses(std::vector{one}, decode_demands, [](auto& d) { d[0].model.clear(); });
    refuses(std::vector{one}, decode_demands,
            [](auto& d) { d[0].tokens_per_second = std::nan(""); });
    refuses(std::vector{one}, decode_demands, [](auto& d) { d[0].tokens_per_second = -1; });
    refuses(std::vector{one}, decode_demands, [&](auto& d) { d.assign(demands_max + 1, one); });
}

constexpr std::size_t growth_max = 64;
constexpr std::size_t growth_base = 8 * 1024;

template <class Sample, class Decode>
void survive(std::uint64_t seed, Sample sample, Decode decode) {
    CellSamples make(seed);
    int refused = 0;
    constexpr int mutations = 10'000;
    for (int i = 0; i < mutations; ++i) {
        const std::string bytes =
            i % 10 == 0 ? make.bytes(0, 200) : make.mutate(encode(sample(make)));
        const std::size_t before = allocated_bytes;
        const auto decoded = decode(bytes);
        ASSERT_LE(allocated_bytes - before, growth_base + growth_max * bytes.size()) << i;
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

TEST(CellMutation, EveryKind) {
    survive(
        31, [](CellSamples& make) { return make.delivery(); }, decode_delivery);
    survive(
        32, [](CellSamples& make) { return make.delivery_batch(); }, decode_delivery_batch);
    survive(
        33, [](CellSamples& make) { return make.deliveries_answer(); }, decode_deliveries_answer);
    survive(
        34, [](CellSamples& make) { return make.key_book_request(); }, decode_key_book_request);
    survive(
        35, [](CellSamples& make) { return make.key_book_page(); }, decode_key_book_page);
    survive(
        36, [](CellSamples& make) { return make.key_book(); }, decode_key_book);
    survive(
        37, [](CellSamples& make) { return make.capacity(); }, decode_capacity);
    survive(
        38, [](CellSamples& make) { return make.assignment(); }, decode_assignment);
    survive(
        39, [](CellSamples& make) { return make.renewal(); }, decode_renewal);
    survive(
        40, [](CellSamples& make) { return make.demands(); }, decode_demands);
}

TEST(CellMutation, AFloodOfEmptyKeysCostsNothing) {
    std::string flood;
    for (int i = 0; i < 200'000; ++i)
        flood.append("\x1a\x00", 2);
    const std::size_t before = allocated_bytes;
    EXPECT_FALSE(decode_key_book(flood));
    EXPECT_FALSE(decode_key_book_page(flood));
    EXPECT_LT(allocated_bytes - before, growth_base);
}

}  // namespace
}  // namespace idlewatt::wire
