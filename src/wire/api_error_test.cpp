// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/api_error.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace idlewatt::wire {
namespace {

using nlohmann::json;

struct Row {
    ApiErrorCode code;
    int status;
    const char* type;
    json name;
    json param;
    Retry retry;
};

// What clients rely on: docs and clients of OpenAI, and the names that are our own.
TEST(ApiError, TheDocumentedOnesAreAsDocumented) {
    using Code = ApiErrorCode;
    const char* const invalid = "invalid_request_error";
    const char* const away = "service_unavailable_error";
    const Row rows[] = {
        {Code::bad_json, 400, invalid, nullptr, nullptr, Retry::no},
        {Code::invalid_value, 400, invalid, "invalid_value", nullptr, Retry::no},
        {Code::unsupported_parameter, 400, invalid, "unsupported_parameter", nullptr, Retry::no},
        {Code::context_length_exceeded, 400, invalid, "context_length_exceeded", "messages",
         Retry::no},
        {Code::invalid_api_key, 401, invalid, "invalid_api_key", nullptr, Retry::no},
        {Code::insufficient_permissions, 403, "permission_error", "insufficient_permissions",
         nullptr, Retry::no},
        {Code::model_not_found, 404, invalid, "model_not_found", "model", Retry::no},
        {Code::not_found, 404, invalid, "not_found", "id", Retry::no},
        {Code::request_too_large, 413, invalid, "request_too_large", "file", Retry::no},
        {Code::rate_limit_exceeded, 429, "rate_limit_error", "rate_limit_exceeded", nullptr,
         Retry::after},
        {Code::slow_down, 429, "rate_limit_error", "slow_down", nullptr, Retry::after},
        {Code::insufficient_quota, 429, "insufficient_quota", "insufficient_quota", nullptr,
         Retry::never},
        {Code::no_capacity, 503, away, "no_capacity", nullptr, Retry::after},
        {Code::server_is_overloaded, 503, away, "server_is_overloaded", nullptr, Retry::after},
        {Code::worker_preempted, 500, "server_error", "worker_preempted", nullptr, Retry::yes},
        {Code::model_loading, 503, "unavailable_error", "model_loading", nullptr, Retry::after},
    };
    for (const Row& row : rows) {
        const ApiError error = api_error(row.code, "m");
        const json expected{
            {"error",
             {{"message", "m"}, {"type", row.type}, {"param", row.param}, {"code", row.name}}}};
        EXPECT_EQ(json::parse(error_body(error)), expected);
        EXPECT_EQ(error.http_status(), row.status);
        EXPECT_EQ(info(row.code).retry, row.retry);
        EXPECT_EQ(error_event(error), "data: " + error_body(error) + "\n\n");
    }
}

// The official client repeats 408, 409, 429 and 5xx by itself.
TEST(ApiError, EachStatusSaysWhetherAskingAgainHelps) {
    for (const ApiErrorInfo& row : api_error_table()) {
        const bool repeated = row.status == 409 || row.status == 429 || row.status >= 500;
        EXPECT_EQ(repeated, row.retry != Retry::no) << row.name;
        EXPECT_EQ(row.status == 503 || row.retry == Retry::after, row.retry == Retry::after)
            << row.name;
        EXPECT_FALSE(row.type.empty());
    }
}

TEST(ApiError, AnEnginesWordsBecomeTheNearestOne) {
    const ApiError too_long = api_error(
        core::Rejected{400, "the request exceeds the available context size, try increasing it"});
    EXPECT_EQ(too_long.code, ApiErrorCode::context_length_exceeded);
    EXPECT_EQ(too_long.param, "messages");
    EXPECT_EQ(api_error(core::Rejected{400, "bad grammar"}).code, ApiErrorCode::invalid_request);
    EXPECT_EQ(api_error(core::Rejected{422, "no"}).http_status(), 422);
    // A client must not take an engine's status for the gateway's judgement of its key or pace.
    for (const std::uint32_t status : {401U, 403U, 404U, 408U, 409U, 429U})
        EXPECT_EQ(api_error(core::Rejected{status, "no"}).http_status(), 400);
    EXPECT_FALSE(api_error(core::Rejected{400, ""}).message.empty());
    const ApiError internal = api_error(
        core::Rejected{400, "[json.exception.type_error.302] type must be number, but is string"});
    EXPECT_EQ(internal.message.find("exception"), std::string::npos);
}

TEST(ApiError, AClientOfOursReadsItBack) {
    const auto read = parse_error_body(
        error_body(api_error(ApiErrorCode::model_not_found, "There is no \"m\"\n.")));
    ASSERT_TRUE(read);
    EXPECT_EQ(read->message, "There is no \"m\"\n.");
    EXPECT_EQ(read->type, "invalid_request_error");
    EXPECT_EQ(read->param, "model");
    EXPECT_EQ(read->code, "model_not_found");
    EXPECT_EQ(parse_error_body(error_body(api_error(ApiErrorCode::bad_json, "m")))->code, "");
    for (const char* body : {"", "<html>", "[]", "{}", R"({"error": "x"})"})
        EXPECT_FALSE(parse_error_body(body)) << body;
    EXPECT_FALSE(parse_error_body(std::string(1 << 20, '[')));
}

}  // namespace
}  // namespace idlewatt::wire
