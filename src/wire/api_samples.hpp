// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Values of the coordinator's JSON within their bounds, and damage to JSON. For tests only.
#pragma once

#include <string>
#include <string_view>

#include "wire/admin.hpp"
#include "wire/cell_samples.hpp"

namespace idlewatt::wire {

class ApiSamples : public CellSamples {
public:
    using CellSamples::CellSamples;

    // What people type: any characters but control ones.
    std::string word(std::size_t characters_max) {
        static constexpr std::string_view characters[] = {"a", " ", "\"", "\\", "ß", "🚗", "/"};
        std::string text;
        for (std::uint64_t n = prng().below(characters_max + 1); n > 0; --n)
            text.append(characters[prng().below(std::size(characters))]);
        return text;
    }

    std::string id_or_none() { return prng().chance(0.5) ? id() : std::string(); }

    std::optional<base::WallTime> time_or_none() {
        if (prng().chance(0.5))
            return std::nullopt;
        return json_time();
    }

    std::string nkey(char letter) {
        std::string text(56, letter);
        for (std::size_t i = 1; i < text.size(); ++i)
            text[i] = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[prng().below(32)];
        return text;
    }

    KeyOrder key_order() {
        const core::ApiKey from = key();
        KeyOrder order{word(20), from.role, from.limits, from.data_class, from.fleet};
        if (order.data_class == core::DataClass::own_fleet)
            order.fleet = id();
        return order;
    }

    core::ApiKey shown_key() {
        core::ApiKey shown = key();
        shown.secret_sha256.clear();
        return shown;
    }

    KeyCreated key_created() { return {shown_key(), "iw-" + id()}; }

    core::Model json_model() {
        core::Model sample = model();
        sample.bytes = 1 + prng().below((1ULL << 53) - 1);
        sample.parameters = prng().below(1ULL << 53);
        return sample;
    }

    RegisteredModel registered_model() {
        return {json_model(), prng().chance(0.5), count(9), count(9)};
    }

    EnrolmentOrder enrolment_order() {
        return {word(20), id_or_none(), base::seconds(1 + count(30 * 24 * 3600 - 1))};
    }

    EnrolmentRow enrolment() {
        return {id(),        word(20),       id_or_none(), json_time(),
                json_time(), time_or_none(), id_or_none(), time_or_none()};
    }

    EnrolmentCreated enrolment_created() { return {enrolment(), "iwt-" + id()}; }

    EnrolRequest enrol_request() { return {"iwt-" + id(), nkey('U'), word(20)}; }

    EnrolAnswer enrol_answer() {
        EnrolAnswer answer{
            core::VehicleId(id()), id(), {}, "eyJ" + id(), label(200), nkey('A'), json_time()};
        for (std::uint64_t n = 1 + prng().below(3); n > 0; --n)
            answer.nats_urls.push_back("nats://host:" + std::to_string(count(65'535)));
        return answer;
    }

    EnrolledVehicle enrolled_vehicle() {
        return {core::VehicleId(id()), word(20),
                id_or_none(),          json_time(),
                prng().chance(0.5),    prng().chance(0.5),
                time_or_none(),        prng().chance(0.5) ? "m/" + id() : ""};
    }

    // Damage that often leaves JSON: bytes of the same text moved, changed or left out.
    std::string mutate_json(std::string text) {
        const std::string from = text;
        for (std::uint64_t n = 1 + prng().below(4); n > 0; --n) {
            const std::size_t at = prng().below(text.size());
            switch (prng().below(4)) {
                case 0:
                    text[at] = static_cast<char>(prng().below(256));
                    break;
                case 1:
                    text.erase(at, 1 + prng().below(6));
                    break;
                case 2:
                    text.insert(at, from, prng().below(from.size()), prng().below(12));
                    break;
                default:
                    text.insert(at, values[prng().below(std::size(values))]);
            }
            if (text.empty())
                text = "{";
        }
        return text;
    }

private:
    static constexpr const char* values[] = {
        "null",        "[]",   "{}",     "-1",    "1e308",   "0.5",
        "\"\\u0000\"", "[[[[", "true",   "\"x\"", "99999",   "18446744073709551615",
        "\"\\ud800\"", ",",    "\"a\":", "[",     "{\"a\":", "\xff",
        "\\"};
};

}  // namespace idlewatt::wire
