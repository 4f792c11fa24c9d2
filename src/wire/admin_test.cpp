// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/admin.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "wire/admin_json.hpp"
#include "wire/allocation_count_test.hpp"
#include "wire/api_samples.hpp"

namespace idlewatt::wire {
namespace {

using nlohmann::json;

template <class Make, class Write, class Parse>
void comes_back(Make make, Write write, Parse parse) {
    for (int i = 0; i < 300; ++i) {
        const auto sample = make();
        const std::string body = write(sample);
        const auto parsed = parse(body);
        ASSERT_TRUE(parsed) << parsed.error().message << "\n" << body;
        ASSERT_TRUE(*parsed == sample) << body;
    }
}

template <class Make>
auto several(Make make, ApiSamples& samples) {
    return [make, &samples] {
        std::vector<decltype(make())> list(samples.prng().below(4));
        for (auto& one : list)
            one = make();
        return list;
    };
}

TEST(Admin, WhatIsWrittenIsRead) {
    ApiSamples make(50);
    const auto key = [&] { return make.shown_key(); };
    comes_back([&] { return make.key_order(); }, key_order_body, parse_key_order);
    comes_back([&] { return make.key_created(); }, key_created_body, parse_key_created);
    comes_back(key, key_body, parse_key_body);
    comes_back(several(key, make), keys_body, parse_keys_body);

    const auto model_order = [&] {
        core::Model model = make.json_model();
        model.added_at = {};
        return model;
    };
    comes_back(model_order, registered_model_body, parse_model_order);
    comes_back([&] { return make.json_model(); }, registered_model_body, parse_registered_model);
    comes_back(several([&] { return make.registered_model(); }, make), registered_models_body,
               parse_registered_models);

    const auto enrolment = [&] { return make.enrolment(); };
    comes_back([&] { return make.enrolment_order(); }, enrolment_order_body, parse_enrolment_order);
    comes_back([&] { return make.enrolment_created(); }, enrolment_created_body,
               parse_enrolment_created);
    comes_back(enrolment, enrolment_body, parse_enrolment_body);
    comes_back(several(enrolment, make), enrolments_body, parse_enrolments_body);
    comes_back([&] { return make.enrol_request(); }, enrol_request_body, parse_enrol_request);
    comes_back([&] { return make.enrol_answer(); }, enrol_answer_body, parse_enrol_answer);

    const auto vehicle = [&] { return make.enrolled_vehicle(); };
    comes_back(vehicle, enrolled_vehicle_body, parse_enrolled_vehicle);
    comes_back(several(vehicle, make), enrolled_vehicles_body, parse_enrolled_vehicles);
}

TEST(Admin, NoAnswerHoldsAHash) {
    ApiSamples make(51);
    const core::ApiKey key = make.key();
    EXPECT_EQ(key_body(key).find(key.secret_sha256), std::string::npos);
    EXPECT_EQ(keys_body({key}).find(key.secret_sha256), std::string::npos);
    EXPECT_EQ(key_created_body({key, "iw-s"}).find(key.secret_sha256), std::string::npos);
}

TEST(Admin, TimesAreReadAsTheyAreWritten) {
    base::Prng prng(52);
    for (int i = 0; i < 20'000; ++i) {
        // Up to the year 9999.
        const base::WallTime time{static_cast<std::int64_t>(prng.below(253'402'300'799'999ULL)) *
                                  1000};
        ASSERT_EQ(parse_rfc3339(base::to_rfc3339(time)), time);
    }
    EXPECT_EQ(parse_rfc3339("1970-01-01T00:00:00Z"), base::WallTime{0});
    EXPECT_EQ(parse_rfc3339("2024-02-29T23:59:59.5Z"),
              parse_rfc3339("2024-02-29T23:59:59.500000Z"));
    for (const char* text :
         {"", "Z", "1969-12-31T23:59:59Z", "2023-02-29T00:00:00Z", "2026-13-01T00:00:00Z",
          "2026-00-01T00:00:00Z", "2026-01-01T24:00:00Z", "2026-01-01T00:60:00Z",
          "2026-01-01T00:00:60Z", "2026-01-01T00:00:00", "2026-01-01T00:00:00+01:00",
          "2026-01-01 00:00:00Z", "2026-01-01T00:00:00.Z", "2026-01-01T00:00:00.1234567Z",
          "2026-01-01T00:00:00.1x3Z", "+026-01-01T00:00:00Z"}) {
        EXPECT_FALSE(parse_rfc3339(text)) << text;
    }
}

template <class Parse>
void refuses(const Parse& parse, const std::string& body, const std::string& param,
             ApiErrorCode code = ApiErrorCode::invalid_value) {
    const auto parsed = parse(body);
    ASSERT_FALSE(parsed) << body;
    EXPECT_EQ(parsed.error().param, param) << parsed.error().message;
    EXPECT_EQ(parsed.error().code, code) << body;
    EXPECT_EQ(parsed.error().http_status(), info(code).status);
}

TEST(Admin, OrdersForKeysAreChecked) {
    EXPECT_TRUE(parse_key_order("{}"));
    refuses(parse_key_order, R"({"role": "king"})", "role");
    refuses(parse_key_order, R"({"role": 1})", "role");
    refuses(parse_key_order, R"({"data_class": "secret"})", "data_class");
    refuses(parse_key_order, R"({"data_class": "own_fleet"})", "fleet");
    refuses(parse_key_order, R"({"fleet": "two words"})", "fleet");
    refuses(parse_key_order, R"({"label": "a\u001bb"})", "label");
    refuses(parse_key_order, R"({"label": ")" + std::string(129, 'x') + "\"}", "label");
    refuses(parse_key_order, R"({"limits": []})", "limits");
    refuses(parse_key_order, R"({"limits": {"requests_per_minute": -1}})",
            "limits.requests_per_minute");
    refuses(parse_key_order, R"({"limits": {"requests_per_minute": 4294967296}})",
            "limits.requests_per_minute");
    refuses(parse_key_order, R"({"limits": {"tokens_per_minute": 1.5}})",
            "limits.tokens_per_minute");
    // A misspelt limit is not no limit.
    refuses(parse_key_order, R"({"limits": {"request_per_minute": 1}})",
            "limits.request_per_minute", ApiErrorCode::unsupported_parameter);
    refuses(parse_key_order, R"({"rol": "analyst"})", "rol", ApiErrorCode::unsupported_parameter);
    refuses(parse_key_order, "[]", "");
    refuses(parse_key_order, "{", "", ApiErrorCode::bad_json);
    refuses(parse_key_order, std::string(admin_request_bytes_max + 1, ' '), "file",
            ApiErrorCode::request_too_large);
}

TEST(Admin, OtherOrdersAreChecked) {
    const std::string hash(64, 'a');
    const auto model = [&](const std::string& more) {
        return R"({"name": "m", "sha256": ")" + hash + R"(", "bytes": 1)" + more + "}";
    };
    EXPECT_TRUE(parse_model_order(model("")));
    EXPECT_EQ(parse_model_order(model(""))->replicas_min, 1U);
    refuses(parse_model_order, "{}", "name");
    refuses(parse_model_order, R"({"name": "m"})", "sha256");
    refuses(parse_model_order, R"({"name": "m", "sha256": "../../../etc/passwd"})", "sha256");
    refuses(parse_model_order, R"({"name": "m", "sha256": ")" + hash + "\"}", "bytes");
    refuses(parse_model_order, model(R"(, "context_tokens": -1)"), "context_tokens");
    refuses(parse_model_order, model(R"(, "added_at": "2026-01-01T00:00:00Z")"), "added_at",
            ApiErrorCode::unsupported_parameter);

    EXPECT_EQ(parse_enrolment_order("{}")->life, base::seconds(3600));
    refuses(parse_enrolment_order, R"({"life_s": 0})", "life_s");
    refuses(parse_enrolment_order, R"({"life_s": 2592001})", "life_s");

    const std::string key = "U" + std::string(55, 'A');
    const auto enrol = [](const std::string& token, const std::string& public_key) {
        return R"({"token": ")" + token + R"(", "public_key": ")" + public_key + "\"}";
    };
    EXPECT_TRUE(parse_enrol_request(enrol("iwt-x", key)));
    refuses(parse_enrol_request, enrol("", key), "token");
    refuses(parse_enrol_request, enrol("iwt-x", "A" + key.substr(1)), "public_key");
    refuses(parse_enrol_request, enrol("iwt-x", key.substr(1)), "public_key");
    refuses(parse_enrol_request, enrol("iwt-x", "U" + std::string(55, '1')), "public_key");
}

TEST(Admin, AnswersOfAnotherVersionAreReadAsFarAsTheyAreKnown) {
    ApiSamples make(53);
    auto body = json::parse(enrol_answer_body(make.enrol_answer()));
    body["something_new"] = {1, 2};
    EXPECT_TRUE(parse_enrol_answer(body.dump()));
    body["nats_urls"] = json::array();
    EXPECT_FALSE(parse_enrol_answer(body.dump()));
    body["nats_urls"] = {"nats://a", "nats://b\r\n"};
    EXPECT_FALSE(parse_enrol_answer(body.dump()));
    EXPECT_FALSE(parse_keys_body("<html>"));
    EXPECT_FALSE(parse_keys_body("{}"));
    EXPECT_FALSE(parse_keys_body(R"({"keys": [1]})"));
}

// Bytes from a stranger who calls himself a car, and from whoever answers at the address.
TEST(Admin, MutatedOnesEndInAnErrorObject) {
    ApiSamples make(54);
    int taken = 0;
    const auto survive = [&](std::string body, const auto& parse) {
        body = make.mutate_json(std::move(body));
        const std::size_t before = allocated_bytes;
        const auto parsed = parse(body);
        ASSERT_LT(allocated_bytes - before, 64 * 1024 + 400 * body.size());
        taken += parsed ? 1 : 0;
        ASSERT_TRUE(parsed || !parsed.error().message.empty());
        if constexpr (std::is_same_v<std::decay_t<decltype(parsed.error())>, ApiError>) {
            if (!parsed) {
                const json error = json::parse(error_body(parsed.error())).at("error");
                for (const char* name : {"message", "type", "param", "code"})
                    ASSERT_TRUE(error.contains(name));
            }
        }
    };
    for (int i = 0; i < 5'000; ++i) {
        survive(key_order_body(make.key_order()), parse_key_order);
        survive(registered_model_body(make.json_model()), parse_model_order);
        survive(enrolment_order_body(make.enrolment_order()), parse_enrolment_order);
        survive(enrol_request_body(make.enrol_request()), parse_enrol_request);
        survive(enrol_answer_body(make.enrol_answer()), parse_enrol_answer);
        survive(keys_body({make.key()}), parse_keys_body);
        survive(enrolments_body({make.enrolment()}), parse_enrolments_body);
        survive(enrolled_vehicles_body({make.enrolled_vehicle()}), parse_enrolled_vehicles);
        if (HasFatalFailure())
            FAIL() << "mutation " << i;
    }
    EXPECT_GT(taken, 1'000);
}

}  // namespace
}  // namespace idlewatt::wire
