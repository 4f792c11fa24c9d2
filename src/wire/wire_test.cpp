// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/wire.hpp"

#include <cmath>
#include <limits>
#include <set>

#include <gtest/gtest.h>

#include "wire/enums.hpp"
#include "wire/wire_samples.hpp"

namespace idlewatt::wire {
namespace {

constexpr int samples = 2000;

TEST(WireRoundTrip, EveryKind) {
    Samples make(1);
    const auto same = [](const auto& sample, const auto& decode) {
        const auto decoded = decode(encode(sample));
        ASSERT_TRUE(decoded) << decoded.error().message;
        ASSERT_EQ(*decoded, sample);
    };
    for (int i = 0; i < samples; ++i) {
        same(make.announcement(), decode_announcement);
        same(make.to_car(), decode_to_car);
        same(make.from_car(), decode_from_car);
        same(make.work(), decode_work);
        same(make.receipt(), decode_receipt);
        same(make.batch(), decode_receipts);
        same(make.receipts_answer(), decode_receipts_answer);
        same(make.totals(), decode_totals);
        same(make.signal_override(), decode_signal_override);
        same(make.order_answer(), decode_order_answer);
        if (HasFatalFailure())
            FAIL() << "sample " << i;
    }
}

TEST(WireRoundTrip, TheLargestOfEach) {
    const std::string part(core::message_part_bytes_max, '\xff');
    EXPECT_TRUE(decode_to_car(encode(core::ToCar(
        core::Open{core::GatewayId("g"), core::work_parts_max, core::work_bytes_max, part}))));
    EXPECT_TRUE(decode_to_car(encode(core::ToCar(core::Body{core::work_parts_max - 1, part}))));

    const core::Piece piece{core::TokenIds(piece_tokens_max, -1),
                            std::string(piece_text_bytes_max, 'x'), piece_tokens_max};
    EXPECT_TRUE(decode_from_car(encode(core::FromCar(core::Numbered{UINT64_MAX, piece}))));

    const core::Piece thinking{
        {}, "", 0, piece.text, {core::tool_calls_max, {"i", "f", "{}"}}, piece.text};
    EXPECT_TRUE(decode_from_car(encode(core::FromCar(core::Numbered{1, thinking}))));
    const core::Embedding wide{core::embedding_inputs_max - 1,
                               std::string(piece_text_bytes_max, '\0')};
    EXPECT_TRUE(decode_from_car(encode(core::FromCar(core::Numbered{1, wide}))));

    core::Work work{core::WorkId("w"), "m", std::string(core::request_bytes_max, 'x'), {}};
    for (std::size_t i = 0; i < resume_segments_max; ++i)
        work.resume.append({7}, "", 1 + i % 2);
    work.resume.segments.assign(resume_segments_max, std::string("x"));
    EXPECT_TRUE(decode_work(encode(work)));

    std::vector<core::SignedReceipt> batch(
        receipts_per_batch_max,
        {core::ReceiptId("r"), std::string(3000, 'p'), std::string(64, 's')});
    EXPECT_TRUE(decode_receipts(encode(batch)));
}

// What a value must not be, one bound at a time.
template <class Message, class Decode, class Break>
void refuses(Message message, Decode decode, Break break_it) {
    ASSERT_TRUE(decode(encode(message)));
    break_it(message);
    const auto decoded = decode(encode(message));
    ASSERT_FALSE(decoded);
    EXPECT_EQ(decoded.error().kind, base::ErrorKind::bad_input);
    EXPECT_NE(decoded.error().message.find("refused"), std::string::npos);
}

TEST(WireBounds, Announcement) {
    Samples make(2);
    const auto check = [&](auto break_it) {
        refuses(make.announcement(), decode_announcement, break_it);
    };
    check([](auto& a) { a.vehicle.value = "a.b"; });
    check([](auto& a) { a.vehicle.value = std::string(65, 'a'); });
    check([](auto& a) { a.allowed_w = std::nan(""); });
    check([](auto& a) { a.allowed_w = -1; });
    check([](auto& a) { a.tokens_per_second = std::numeric_limits<double>::infinity(); });
    check([](auto& a) { a.state_of_charge_percent = 100.5; });
    check([](auto& a) { a.models.assign(core::announced_models_max + 1, "m"); });
    check([](auto& a) { a.models.assign(100, ""); });
    check([](auto& a) { a.models = {"line\nbreak"}; });
    check([](auto& a) { a.models = {"\xff"}; });
    check([](auto& a) { a.models = {std::string(core::model_name_bytes_max + 1, 'm')}; });
    check([](auto& a) { a.slots_total = core::slots_max + 1; });
    check([](auto& a) { a.slots_free = a.slots_total + 1; });
    check([](auto& a) { a.membership.assign(core::membership_bytes_max + 1, 'm'); });
    const base::Duration day = base::minutes(24 * 60);
    check([&](auto& a) { a.stay = core::StayForecast{day, day, day * 366}; });
    check([&](auto& a) { a.stay = core::StayForecast{day * 2, day, day * 3}; });
    check([&](auto& a) { a.stay = core::StayForecast{day, day * 3, day * 2}; });
    check([&](auto& a) { a.stay = core::StayForecast{base::Duration{-1}, day, day}; });
}

TEST(WireBounds, Stream) {
    using core::FromCar;
    using core::Numbered;
    using core::Piece;
    const Piece good{{1, 2}, "ab", 2};
    const auto piece = [&](auto break_it) {
        refuses(FromCar(Numbered{1, good}), decode_from_car, [&](FromCar& message) {
            break_it(std::get<Piece>(std::get<Numbered>(message).content));
        });
    };
    piece([](Piece& p) { p.ids.push_back(3); });
    piece([](Piece& p) { p.token_count = 3; });
    piece([](Piece& p) { p.text = "half a character \xe2\x96"; });
    piece([](Piece& p) { p.text = "a surrogate \xed\xa0\x80"; });
    piece([](Piece& p) { p.text.assign(piece_text_bytes_max + 1, 'x'); });
    piece([](Piece& p) {
        p.ids.clear();
        p.token_count = piece_tokens_max + 1;
    });
    piece([](Piece& p) { p.reasoning.assign(piece_text_bytes_max + 1, 'x'); });
    piece([](Piece& p) { p.reasoning = "\xff"; });
    piece([](Piece& p) { p.logprobs_json.assign(piece_text_bytes_max + 1, 'x'); });
    piece([](Piece& p) { p.tool_calls.assign(core::tool_calls_max + 1, {"i", "f", "{}"}); });
    piece([](Piece& p) { p.tool_calls = {{"i", "", "{}"}}; });
    piece([](Piece& p) { p.tool_calls = {{"i", "\xff", "{}"}}; });
    piece([](Piece& p) {
        p.tool_calls = {{std::string(tool_name_bytes_max + 1, 'i'), "f", "{}"}};
    });
    piece([](Piece& p) {
        p.tool_calls = {{"i", "f", std::string(piece_text_bytes_max + 1, '{')}};
    });
    const auto embedding = [&](auto break_it) {
        refuses(FromCar(Numbered{1, core::Embedding{0, "1234"}}), decode_from_car,
                [&](FromCar& message) {
                    break_it(std::get<core::Embedding>(std::get<Numbered>(message).content));
                });
    };
    embedding([](core::Embedding& e) { e.index = core::embedding_inputs_max; });
    embedding([](core::Embedding& e) { e.values.clear(); });
    embedding([](core::Embedding& e) { e.values = "12345"; });
    embedding([](core::Embedding& e) { e.values.assign(piece_text_bytes_max + 4, 'x'); });
    const auto from_car = [&](const FromCar& bad) { EXPECT_FALSE(decode_from_car(encode(bad))); };
    from_car(Numbered{0, good});
    from_car(Numbered{1, core::Rejected{500, "ours"}});
    from_car(core::Alive{core::work_parts_max + 1, 0});
    EXPECT_FALSE(decode_from_car(""));

    const auto to_car = [&](const core::ToCar& bad) { EXPECT_FALSE(decode_to_car(encode(bad))); };
    const core::GatewayId gateway("g");
    to_car(core::Open{core::GatewayId("G"), 1, 1, "x"});
    to_car(core::Open{gateway, 0, 1, "x"});
    to_car(core::Open{gateway, core::work_parts_max + 1, 1, "x"});
    to_car(core::Open{gateway, 1, 1, "longer than the work"});
    to_car(core::Open{gateway, 1, core::message_part_bytes_max + 1, "x"});
    to_car(core::Open{gateway, core::work_parts_max, core::work_bytes_max + 1, "x"});
    to_car(core::Open{gateway, 1, 1, ""});
    to_car(core::Body{0, "x"});
    to_car(core::Body{1, std::string(core::message_part_bytes_max + 1, 'x')});
    to_car(core::Resend{0});
    EXPECT_FALSE(decode_to_car(""));
}

TEST(WireBounds, Work) {
    Samples make(3);
    const auto check = [&](auto break_it) { refuses(make.work(), decode_work, break_it); };
    check([](auto& w) { w.id.value.clear(); });
    check([](auto& w) { w.model.clear(); });
    check([](auto& w) { w.request_json.clear(); });
    check([](auto& w) { w.request_json.assign(core::request_bytes_max + 1, 'x'); });
    check([](auto& w) { w.resume.segments.emplace_back(std::string()); });
    check([](auto& w) { w.resume.segments.emplace_back(core::TokenIds(w.resume.tokens + 1)); });
    check([](auto& w) { w.resume.tokens = resume_tokens_max + 1; });
    check([](auto& w) { w.resume.segments.assign(resume_segments_max + 1, std::string("x")); });
}

TEST(WireBounds, Receipts) {
    Samples make(4);
    const auto check = [&](auto break_it) { refuses(make.receipt(), decode_receipt, break_it); };
    check([](auto& r) { r.id.value = "UPPER"; });
    check([](auto& r) { r.attempt.value.clear(); });
    check([](auto& r) { r.model.clear(); });
    check([](auto& r) { r.acknowledged_tokens = r.generated_tokens + 1; });
    check([](auto& r) { r.duration.ns = -1; });
    check([](auto& r) { r.started_at.us = -1; });
    check([](auto& r) { r.energy_j = -0.5; });
    check([](auto& r) { r.energy_j = std::nan(""); });
    const core::SignedReceipt one{core::ReceiptId("r"), "p", "s"};
    refuses(std::vector{one}, decode_receipts,
            [&](auto& batch) { batch.assign(receipts_per_batch_max + 1, one); });
    refuses(std::vector{one}, decode_receipts, [](auto& batch) { batch[0].payload.clear(); });
    refuses(std::vector{one}, decode_receipts,
            [](auto& batch) { batch[0].signature.assign(signature_bytes_max + 1, 's'); });
    refuses(ReceiptsAnswer{}, decode_receipts_answer, [](auto& answer) {
        answer.refused.assign(receipts_per_batch_max + 1, core::ReceiptId("r"));
    });
}

TEST(WireBounds, Orders) {
    using core::SignalId;
    refuses(SignalOverride{}, decode_signal_override, [](auto& order) {
        order.values = {{SignalId::parked, 1.0}, {SignalId::parked, 0.0}};
    });
    refuses(SignalOverride{}, decode_signal_override, [](auto& order) {
        order.values = {{SignalId::parked, std::nan("")}};
    });
    const OrderAnswer long_one{std::string(error_text_bytes_max - 1, 'x') + "🚗"};
    const auto cut = decode_order_answer(encode(long_one));
    ASSERT_TRUE(cut);
    EXPECT_EQ(cut->error, std::string(error_text_bytes_max - 1, 'x'));
}

// The numbers may never move, the names are those of api/reasons.toml.
TEST(WireEnums, ReasonsByNameAndBack) {
    std::set<int> numbers;
    for (const core::ReasonInfo& row : core::reason_table()) {
        const v1::Reason number = to_wire(row.reason);
        std::string expected = "REASON_";
        for (const char c : row.name) {
            expected.push_back(c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c);
        }
        EXPECT_EQ(v1::Reason_Name(number), expected);
        EXPECT_EQ(from_wire(number), row.reason);
        EXPECT_TRUE(numbers.insert(number).second);
    }
    EXPECT_EQ(to_wire(core::Reason::occupied), 3);
    EXPECT_EQ(to_wire(core::Reason::ok), 80);
    EXPECT_FALSE(from_wire(v1::REASON_UNSPECIFIED));
    EXPECT_FALSE(from_wire(static_cast<v1::Reason>(99)));
}

}  // namespace
}  // namespace idlewatt::wire
