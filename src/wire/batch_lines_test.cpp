// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Lines of batches, and the JSON of files and batches.
#include "wire/batch_lines.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "wire/batch_object.hpp"

namespace idlewatt::wire {
namespace {

using nlohmann::json;

const std::string chat_endpoint = "/v1/chat/completions";

std::string batch_line_with(const char* member, const json& value) {
    json line{{"custom_id", "a"},
              {"method", "POST"},
              {"url", chat_endpoint},
              {"body", {{"model", "m"}, {"messages", json::array()}}}};
    if (value.is_discarded())
        line.erase(member);
    else
        line[member] = value;
    return line.dump();
}

std::string line_fault(const std::string& text) {
    const auto read = read_batch_line(text, chat_endpoint, 7);
    EXPECT_FALSE(read) << text;
    if (read)
        return "";
    EXPECT_EQ(read.error().line, 7U);
    EXPECT_FALSE(read.error().message.empty());
    return read.error().code;
}

TEST(BatchLine, IsRead) {
    const auto read = read_batch_line(batch_line_with("custom_id", "ü 1") + "\r", chat_endpoint, 1);
    ASSERT_TRUE(read) << read.error().message;
    EXPECT_EQ(read->custom_id, "ü 1");
    EXPECT_EQ(read->model, "m");
    EXPECT_EQ(json::parse(read->body), (json{{"model", "m"}, {"messages", json::array()}}));
    // The order of members is kept: a schema's is that of the answer.
    const auto ordered =
        read_batch_line(R"({"custom_id":"a","method":"POST","url":"/v1/chat/completions",)"
                        R"("body":{"z":1,"model":"m","a":1.5}})",
                        chat_endpoint, 1);
    EXPECT_EQ(ordered->body, R"({"z":1,"model":"m","a":1.5})");
}

TEST(BatchLine, EveryFaultHasItsCode) {
    const json none(json::value_t::discarded);
    EXPECT_EQ(line_fault(""), "blank_line");
    EXPECT_EQ(line_fault(" \t\r"), "blank_line");
    EXPECT_EQ(line_fault("{"), "invalid_json_line");
    EXPECT_EQ(line_fault("[]"), "invalid_json_line");
    EXPECT_EQ(line_fault("{\"custom_id\":\"\xff\"}"), "invalid_json_line");
    EXPECT_EQ(line_fault(std::string(2000, '[')), "invalid_json_line");
    EXPECT_EQ(line_fault(batch_line_with("custom_id", none)), "missing_custom_id");
    EXPECT_EQ(line_fault(batch_line_with("custom_id", 5)), "missing_custom_id");
    EXPECT_EQ(line_fault(batch_line_with("custom_id", std::string(257, 'x'))), "invalid_custom_id");
    EXPECT_EQ(line_fault(batch_line_with("custom_id", std::string(1, '\0'))), "invalid_custom_id");
    EXPECT_EQ(line_fault(batch_line_with("method", "GET")), "invalid_method");
    EXPECT_EQ(line_fault(batch_line_with("url", "/v1/embeddings")), "mismatched_url");
    EXPECT_EQ(line_fault(batch_line_with("body", none)), "missing_body");
    EXPECT_EQ(line_fault(batch_line_with("body", "x")), "missing_body");
    EXPECT_EQ(line_fault(batch_line_with("body", {{"model", "m"}, {"stream", true}})),
              "stream_not_supported");
    EXPECT_EQ(line_fault(batch_line_with("body", {{"messages", 1}})), "missing_model");
    const std::string large(batch_body_bytes_max, 'x');
    EXPECT_EQ(line_fault(batch_line_with("body", {{"model", "m"}, {"prompt", large}})),
              "line_too_long");
    EXPECT_EQ(line_fault(std::string(batch_line_bytes_max + 1, 'x')), "line_too_long");
}

TEST(BatchLine, CountsInputsOfEmbeddings) {
    const auto inputs = [](const json& input) {
        const json line{{"custom_id", "a"},
                        {"method", "POST"},
                        {"url", "/v1/embeddings"},
                        {"body", {{"model", "m"}, {"input", input}}}};
        return read_batch_line(line.dump(), "/v1/embeddings", 1)->inputs;
    };
    EXPECT_EQ(inputs("x"), 1U);
    EXPECT_EQ(inputs({"x", "y"}), 2U);
    EXPECT_EQ(inputs({1, 2, 3}), 1U);
    EXPECT_EQ(inputs({{1, 2}, {3}}), 2U);
}

TEST(BatchUsage, IsFoundWhereverItStands) {
    EXPECT_EQ(read_batch_usage(
                  R"({"a":{"usage":{"prompt_tokens":9}},"usage":{"prompt_tokens":5,"x":[{"y":1}],)"
                  R"("completion_tokens":3,"prompt_tokens_details":{"cached_tokens":2},)"
                  R"("completion_tokens_details":{"reasoning_tokens":1}},"prompt_tokens":8})"),
              (BatchUsage{5, 2, 3, 1}));
    EXPECT_EQ(read_batch_usage(R"({"usage":null})"), BatchUsage{});
    EXPECT_EQ(read_batch_usage(R"({"usage":{"prompt_tokens":99999999999}})"),
              (BatchUsage{UINT32_MAX, 0, 0, 0}));
    for (const char* none : {"", "[]", "5", "{\"a\":", "{} x", "{\"a\":\"\xff\"}"})
        EXPECT_FALSE(read_batch_usage(none)) << none;
    EXPECT_TRUE(
        read_batch_usage("{\"a\":" + std::string(50'000, '[') + std::string(50'000, ']') + "}"));
}

TEST(BatchFiles, LinesAreJsonOnOneLine) {
    const std::string answer =
        batch_answer_line("batch_req_1", "a\"b", 200, "req_1", on_one_line("{\"x\":\r\n\"\\n\"}"));
    EXPECT_EQ(std::count(answer.begin(), answer.end(), '\n'), 1);
    EXPECT_EQ(json::parse(answer),
              (json{{"id", "batch_req_1"},
                    {"custom_id", "a\"b"},
                    {"response",
                     {{"status_code", 200}, {"request_id", "req_1"}, {"body", {{"x", "\n"}}}}},
                    {"error", nullptr}}));
    EXPECT_EQ(json::parse(batch_error_line("i", "c", "batch_expired", "too late")),
              (json{{"id", "i"},
                    {"custom_id", "c"},
                    {"response", nullptr},
                    {"error", {{"code", "batch_expired"}, {"message", "too late"}}}}));
}

TEST(BatchObject, HasAllKeysWhatIsUnknownIsNull) {
    BatchObject batch;
    batch.id = "batch_1";
    batch.status = "validating";
    batch.created_at = base::WallTime{5'900'000};
    const json body = json::parse(batch_body(batch));
    for (const char* key :
         {"errors", "output_file_id", "error_file_id", "in_progress_at", "finalizing_at",
          "completed_at", "failed_at", "expired_at", "cancelling_at", "cancelled_at", "metadata"}) {
        ASSERT_TRUE(body.contains(key)) << key;
        EXPECT_TRUE(body[key].is_null()) << key;
    }
    EXPECT_EQ(body["created_at"], 5);
    EXPECT_EQ(body["completion_window"], "24h");
    EXPECT_FALSE(body.contains("model"));
    batch.errors_json = batch_faults_json({{"c", "m", "", 3}, {"c", "m", "p", std::nullopt}});
    const json errors = json::parse(batch_body(batch))["errors"];
    EXPECT_EQ(errors["object"], "list");
    EXPECT_EQ(errors["data"][0],
              (json{{"code", "c"}, {"message", "m"}, {"param", nullptr}, {"line", 3}}));
    EXPECT_TRUE(errors["data"][1]["line"].is_null());
    const json empty = json::parse(batch_list_body({}, false));
    EXPECT_EQ(empty, (json{{"object", "list"},
                           {"data", json::array()},
                           {"first_id", nullptr},
                           {"last_id", nullptr},
                           {"has_more", false}}));
}

TEST(ListQuery, IsRead) {
    const auto read = [](const char* target) { return parse_list_query(target, 100, 20); };
    EXPECT_EQ(read("/v1/batches")->limit, 20U);
    EXPECT_EQ(read("/v1/batches?")->limit, 20U);
    EXPECT_EQ(read("/x?limit=100&after=batch_1&order=asc&purpose=user%5Fdata&other=1")->purpose,
              "user_data");
    EXPECT_TRUE(read("/x?order=asc")->ascending);
    for (const char* wrong : {"/x?limit=0", "/x?limit=101", "/x?limit=a", "/x?limit=", "/x?order=x",
                              "/x?after=%", "/x?after=a'b", "/x?limit=99999999999999999999"})
        EXPECT_FALSE(read(wrong)) << wrong;
}

// Hostile bytes: an error or a value, never more.
TEST(BatchLine, SurvivesMutation) {
    base::Prng prng(5);
    const std::string good = batch_line_with("custom_id", "x");
    int refused = 0;
    for (int i = 0; i < 20'000; ++i) {
        std::string text = good;
        for (std::uint64_t n = 1 + prng.below(4); n > 0; --n)
            text[prng.below(text.size())] = static_cast<char>(prng.below(256));
        const auto read = read_batch_line(text, chat_endpoint, 1);
        refused += read ? 0 : 1;
        if (read) {
            EXPECT_TRUE(json::accept(read->body));
            EXPECT_EQ(read->body.find('\n'), std::string::npos);
        }
        (void)parse_batch_order(text);
        (void)read_batch_usage(text);
    }
    EXPECT_GT(refused, 10'000);
}

}  // namespace
}  // namespace idlewatt::wire
