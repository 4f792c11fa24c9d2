// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages of a cell within their bounds, from a seed. For tests only.
#pragma once

#include "wire/cell.hpp"
#include "wire/wire_samples.hpp"

namespace idlewatt::wire {

class CellSamples : public Samples {
public:
    using Samples::Samples;

    std::string sha256() {
        std::string text(64, '0');
        for (char& c : text)
            c = "0123456789abcdef"[prng().below(16)];
        return text;
    }

    std::string label(std::size_t bytes_max) {
        std::string text(prng().below(bytes_max + 1), ' ');
        for (char& c : text)
            c = static_cast<char>(' ' + prng().below(95));
        return text;
    }

    base::WallTime time() { return {static_cast<std::int64_t>(prng().below(1ULL << 52))}; }

    // In whole milliseconds, as JSON says it; before the year 2100.
    base::WallTime json_time() {
        return {static_cast<std::int64_t>(prng().below(4'102'444'800'000ULL)) * 1000};
    }

    core::Delivery delivery() {
        core::Delivery sample;
        sample.id = core::DeliveryId(id());
        sample.gateway = core::GatewayId(id());
        sample.vehicle = core::VehicleId(id());
        sample.work = core::WorkId(id());
        sample.attempt = core::AttemptId(id());
        if (prng().chance(0.8))
            sample.key = core::KeyId(id());
        sample.model = "Org/Model:" + id();
        sample.prompt_tokens = count(UINT32_MAX);
        sample.delivered_tokens = count(UINT32_MAX);
        sample.last = prng().chance(0.5);
        sample.started_at = time();
        sample.duration.ns = static_cast<std::int64_t>(prng().below(1ULL << 50));
        return sample;
    }

    DeliveryBatch delivery_batch() {
        DeliveryBatch batch{label(900), {}};
        for (std::uint64_t n = prng().below(6); n > 0; --n) {
            batch.deliveries.push_back({core::DeliveryId(id()), bytes(1, 300), bytes(64, 64)});
        }
        return batch;
    }

    DeliveriesAnswer deliveries_answer() {
        DeliveriesAnswer answer;
        for (std::uint64_t n = prng().below(5); n > 0; --n)
            answer.committed.emplace_back(id());
        for (std::uint64_t n = prng().below(5); n > 0; --n)
            answer.refused.emplace_back(id());
        return answer;
    }

    core::ApiKey key() {
        core::ApiKey key;
        key.id = core::KeyId(id());
        key.secret_sha256 = sha256();
        key.label = label(core::key_label_bytes_max);
        key.role = static_cast<core::KeyRole>(prng().below(3));
        key.limits = {count(UINT32_MAX), count(10), count(UINT32_MAX)};
        key.data_class = static_cast<core::DataClass>(prng().below(3));
        if (prng().chance(0.5))
            key.fleet = id();
        key.created_at = json_time();
        if (prng().chance(0.3))
            key.revoked_at = json_time();
        return key;
    }

    core::KeyBook key_book() {
        core::KeyBook book{prng().next(), time(), {}};
        for (std::uint64_t n = prng().below(5); n > 0; --n)
            book.keys.push_back(key());
        return book;
    }

    KeyBookRequest key_book_request() {
        return {prng().next(), core::KeyId(prng().chance(0.5) ? id() : std::string())};
    }

    KeyBookPage key_book_page() { return {key_book(), prng().chance(0.5), prng().chance(0.5)}; }

    core::Model model() {
        core::Model model;
        model.name = "Org/Model:" + id();
        model.sha256 = sha256();
        model.bytes = prng().next() >> 12;
        model.architecture = label(model_word_bytes_max);
        model.quantization = label(model_word_bytes_max);
        model.parameters = prng().next() >> 12;
        model.context_tokens = count(1'000'000);
        model.replicas_min = count(1000);
        model.added_at = json_time();
        return model;
    }

    core::Assignment assignment() {
        core::Assignment assignment;
        assignment.version = prng().next();
        if (prng().chance(0.7)) {
            assignment.model = model();
            assignment.blob_url = "https://" + label(200);
        }
        assignment.paused = prng().chance(0.5);
        assignment.draining = prng().chance(0.5);
        return assignment;
    }

    core::Capacity capacity() {
        core::Capacity capacity{prng().next(), prng().next(), {}};
        for (std::uint64_t n = prng().below(5); n > 0; --n)
            capacity.cached_sha256.push_back(sha256());
        return capacity;
    }

    Renewal renewal() { return {"e" + label(900), label(200), time()}; }

    std::vector<core::ModelDemand> demands() {
        std::vector<core::ModelDemand> demands(prng().below(5));
        for (core::ModelDemand& demand : demands)
            demand = {"m" + id(), count(99), count(UINT32_MAX), prng().unit() * 1e6};
        return demands;
    }
};

}  // namespace idlewatt::wire
