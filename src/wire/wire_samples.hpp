// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages of every kind within their bounds, from a seed. For tests only.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/prng.hpp"
#include "core/core.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

class Samples {
public:
    explicit Samples(std::uint64_t seed) : prng_(seed) {}

    std::string id() {
        static constexpr std::string_view letters = "abcdefghijklmnopqrstuvwxyz0123456789_-";
        std::string text(1 + prng_.below(core::id_bytes_max), 'a');
        for (char& c : text)
            c = letters[prng_.below(letters.size())];
        return text;
    }

    std::string text(std::size_t characters_max) {
        static constexpr std::string_view characters[] = {"a",  " ", "\n", "\"",
                                                          "\0", "ß", "▁",  "🚗"};
        std::string text;
        for (std::uint64_t n = prng_.below(characters_max + 1); n > 0; --n) {
            text.append(characters[prng_.below(std::size(characters))]);
        }
        return text;
    }

    std::string bytes(std::size_t min, std::size_t max) {
        std::string bytes(min + prng_.below(max - min + 1), '\0');
        for (char& c : bytes)
            c = static_cast<char>(prng_.below(256));
        return bytes;
    }

    core::TokenIds ids(std::size_t count) {
        core::TokenIds ids(count);
        for (std::int32_t& id : ids)
            id = static_cast<std::int32_t>(prng_.below(200'000)) - 10;
        return ids;
    }

    core::Reason reason() {
        const auto table = core::reason_table();
        return table[prng_.below(table.size())].reason;
    }

    core::Announcement announcement() {
        core::Announcement sample;
        sample.vehicle = core::VehicleId(id());
        sample.incarnation = core::Incarnation(prng_.next());
        sample.sequence = prng_.next();
        sample.reason = reason();
        sample.allowed_w = prng_.unit() * 1e4;
        if (prng_.chance(0.7))
            sample.state_of_charge_percent = prng_.unit() * 100;
        for (std::uint64_t n = prng_.below(core::announced_models_max + 1); n > 0; --n) {
            sample.models.push_back("Model/" + id());
        }
        sample.slots_total = count(core::slots_max);
        sample.slots_free = count(sample.slots_total);
        sample.tokens_per_second = prng_.unit() * 1e5;
        sample.context_tokens = count(1'000'000);
        sample.embeddings = prng_.chance(0.5);
        sample.image_input = prng_.chance(0.5);
        if (prng_.chance(0.5))
            sample.stay = stay();
        sample.membership = bytes(0, 200);
        if (prng_.chance(0.5))
            sample.fingerprint = "0123456789";
        return sample;
    }

    core::StayForecast stay() {
        core::StayForecast stay;
        stay.p10.ns = static_cast<std::int64_t>(prng_.below(1ULL << 50));
        stay.p50.ns = stay.p10.ns + static_cast<std::int64_t>(prng_.below(1ULL << 50));
        stay.p90.ns = stay.p50.ns + static_cast<std::int64_t>(prng_.below(1ULL << 50));
        return stay;
    }

    core::ToCar to_car() {
        switch (prng_.below(5)) {
            case 0: {
                core::Open open{core::GatewayId(id()), 1 + count(core::work_parts_max - 1), 0,
                                bytes(1, 300)};
                open.work_bytes = open.part.size() + (open.parts - 1) * 1000ULL;
                return open;
            }
            case 1:
                return core::Body{1 + count(core::work_parts_max - 2), bytes(1, 300)};
            case 2:
                return core::Ack{prng_.next()};
            case 3:
                return core::Resend{1 + prng_.below(1'000'000)};
            default:
                return core::Cancel{};
        }
    }

    core::Piece piece() {
        core::Piece piece;
        piece.token_count = count(8);
        if (prng_.chance(0.7))
            piece.ids = ids(piece.token_count);
        piece.text = text(20);
        if (prng_.chance(0.2))
            piece.reasoning = text(20);
        if (prng_.chance(0.2))
            piece.logprobs_json = text(20);
        if (prng_.chance(0.2))
            piece.prompt_tokens = count(9999);
        for (std::uint64_t n = prng_.chance(0.2) ? prng_.below(4) : 0; n > 0; --n) {
            piece.tool_calls.push_back({text(10), "f" + text(9), text(20)});
        }
        return piece;
    }

    core::Embedding embedding() {
        return {count(core::embedding_inputs_max - 1), bytes(4, 4) + bytes(8, 8)};
    }

    core::FinishReason finish_reason() {
        static constexpr core::FinishReason reasons[] = {
            core::FinishReason::stop, core::FinishReason::length, core::FinishReason::tool_calls};
        return reasons[prng_.below(3)];
    }

    core::FromCar from_car() {
        const std::uint64_t sequence = 1 + prng_.below(1'000'000);
        switch (prng_.below(10)) {
            case 0:
                return core::Numbered{sequence, core::Finished{finish_reason(), count(9999),
                                                               count(9999), count(9999)}};
            case 1:
                return core::Numbered{sequence, core::Rejected{400 + count(99), text(50)}};
            case 2:
                return core::Numbered{sequence, core::Yielded{reason()}};
            case 3:
                return core::Refused{reason(), prng_.chance(0.5)};
            case 4:
                return core::Alive{count(core::work_parts_max), prng_.next()};
            case 5:
                return core::Numbered{sequence, embedding()};
            default:
                return core::Numbered{sequence, piece()};
        }
    }

    core::Work work() {
        core::Work work{core::WorkId(id()), "model " + id(), bytes(1, 400), {}};
        for (std::uint64_t n = prng_.below(6); n > 0; --n) {
            if (prng_.chance(0.5)) {
                core::TokenIds some = ids(1 + prng_.below(30));
                work.resume.tokens += static_cast<std::uint32_t>(some.size());
                work.resume.segments.emplace_back(std::move(some));
            } else {
                work.resume.tokens += count(9);
                work.resume.segments.emplace_back("x" + text(9));
                work.resume.reasoning = text(20);
            }
        }
        static constexpr core::Task tasks[] = {core::Task::chat, core::Task::completion,
                                               core::Task::embedding};
        work.task = tasks[prng_.below(3)];
        return work;
    }

    core::Receipt receipt() {
        core::Receipt sample;
        sample.id = core::ReceiptId(id());
        sample.vehicle = core::VehicleId(id());
        sample.gateway = core::GatewayId(id());
        sample.work = core::WorkId(id());
        sample.attempt = core::AttemptId(id());
        sample.model = "model-" + id();
        sample.end = static_cast<core::AttemptEnd>(prng_.below(7));
        sample.prompt_tokens = count(100'000);
        sample.generated_tokens = count(100'000);
        sample.acknowledged_tokens = count(sample.generated_tokens);
        sample.started_at.us = static_cast<std::int64_t>(prng_.below(1ULL << 52));
        sample.duration.ns = static_cast<std::int64_t>(prng_.below(1ULL << 50));
        sample.energy_j = prng_.unit() * 1e6;
        sample.energy_estimated = prng_.chance(0.8);
        return sample;
    }

    std::vector<core::SignedReceipt> batch() {
        std::vector<core::SignedReceipt> batch(prng_.below(6));
        for (core::SignedReceipt& receipt : batch) {
            receipt = {core::ReceiptId(id()), bytes(1, 300), bytes(64, 64)};
        }
        return batch;
    }

    ReceiptsAnswer receipts_answer() { return {receipt_ids(), receipt_ids()}; }

    Totals totals() { return {prng_.next(), prng_.next(), prng_.next()}; }

    SignalOverride signal_override() {
        SignalOverride order;
        for (std::size_t i = 0; i < core::signal_count; ++i) {
            if (prng_.chance(0.5))
                continue;
            std::optional<double> value;
            if (prng_.chance(0.8))
                value = (prng_.unit() - 0.2) * 150;
            order.values.emplace_back(static_cast<core::SignalId>(i), value);
        }
        return order;
    }

    OrderAnswer order_answer() { return {text(100)}; }

    // Damage as a wire or a stranger may do it.
    std::string mutate(std::string bytes) {
        for (std::uint64_t n = 1 + prng_.below(4); n > 0; --n) {
            const std::size_t at = bytes.empty() ? 0 : prng_.below(bytes.size());
            switch (prng_.below(7)) {
                case 0:
                    if (!bytes.empty())
                        bytes[at] = static_cast<char>(bytes[at] ^ (1 << prng_.below(8)));
                    break;
                case 1:
                    if (!bytes.empty())
                        bytes[at] = static_cast<char>(prng_.below(256));
                    break;
                case 2:
                    bytes.resize(at);
                    break;
                case 3:
                    bytes.insert(at, this->bytes(1, 12));
                    break;
                case 4:
                    bytes.erase(at, 1 + prng_.below(8));
                    break;
                case 5:
                    bytes.append(bytes.substr(at));
                    break;
                default:
                    bytes.insert(at, "\xff\xff\xff\xff\x0f");
                    break;
            }
            if (bytes.size() > 4096)
                bytes.resize(4096);
        }
        return bytes;
    }

    std::uint32_t count(std::uint64_t max) {
        return static_cast<std::uint32_t>(prng_.below(max + 1));
    }

    base::Prng& prng() { return prng_; }

private:
    std::vector<core::ReceiptId> receipt_ids() {
        std::vector<core::ReceiptId> ids(prng_.below(5));
        for (core::ReceiptId& one : ids)
            one = core::ReceiptId(id());
        return ids;
    }

    base::Prng prng_;
};

}  // namespace idlewatt::wire
