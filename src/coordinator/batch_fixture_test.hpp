// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Clients with files and batches, and gateways that run them, on the whole coordinator.
#pragma once

#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "coordinator/coordinator_fixture_test.hpp"
#include "wire/batch.hpp"

namespace idlewatt::coordinator {

using Json = nlohmann::json;

inline std::string upload_form_of(const std::string& bytes, const std::string& purpose,
                                  const std::string& more = "") {
    return "--xyz\r\ncontent-disposition: form-data; name=\"file\"; filename=\"in.jsonl\"\r\n"
           "content-type: application/octet-stream\r\n\r\n" +
           bytes + "\r\n--xyz\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\n" +
           purpose + "\r\n" + more + "--xyz--\r\n";
}

inline std::string form_field(const std::string& name, const std::string& value) {
    return "--xyz\r\ncontent-disposition: form-data; name=\"" + name + "\"\r\n\r\n" + value +
           "\r\n";
}

inline std::string request_line(const std::string& custom_id, const std::string& question = "2+2?",
                                const std::string& model = "tiny") {
    return Json{{"custom_id", custom_id},
                {"method", "POST"},
                {"url", "/v1/chat/completions"},
                {"body", {{"model", model}, {"prompt", question}}}}
               .dump() +
           "\n";
}

inline std::string request_lines(int count) {
    std::string lines;
    for (int i = 1; i <= count; ++i)
        lines += request_line("id-" + std::to_string(i));
    return lines;
}

class BatchOfficeTest : public OfficeTest {
protected:
    BatchOfficeTest() {
        core::Model tiny;
        tiny.name = "tiny";
        tiny.sha256 = identity::sha256_hex("tiny");
        tiny.bytes = 4;
        EXPECT_EQ(call("POST", "/api/v1/models", wire::registered_model_body(tiny)).status, 201);
        me = key_of(core::KeyRole::customer);
        loop.run_for(base::seconds(5));
    }

    std::string key_of(core::KeyRole role) {
        const auto answer = call("POST", "/api/v1/keys", wire::key_order_body({"someone", role}));
        return wire::parse_key_created(answer.body).value().secret;
    }
    HttpAnswer mine(const std::string& method, const std::string& target,
                    const std::string& body = "") {
        return call(method, target, body, me);
    }
    HttpAnswer upload(const std::string& bytes, const std::string& purpose = "batch",
                      const std::string& more = "") {
        return call("POST", "/v1/files", upload_form_of(bytes, purpose, more), me,
                    {{"content-type", "multipart/form-data; boundary=xyz"}});
    }
    std::string file(const std::string& bytes, const std::string& purpose = "batch") {
        const auto answer = upload(bytes, purpose);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return Json::parse(answer.body).value("id", "");
    }
    HttpAnswer create(const std::string& input, Json more = Json::object()) {
        Json order{{"input_file_id", input},
                   {"endpoint", "/v1/chat/completions"},
                   {"completion_window", "24h"}};
        order.update(more);
        return mine("POST", "/v1/batches", order.dump());
    }
    // A batch of these lines, checked.
    std::string batch(const std::string& lines) {
        const auto answer = create(file(lines));
        EXPECT_EQ(answer.status, 200) << answer.body;
        const std::string id = Json::parse(answer.body).value("id", "");
        EXPECT_TRUE(is_once([&] { return show(id)["status"] != "validating"; }));
        return id;
    }
    Json show(const std::string& id) {
        const auto answer = mine("GET", "/v1/batches/" + id);
        EXPECT_EQ(answer.status, 200) << answer.body;
        return Json::parse(answer.body);
    }
    bool becomes(const std::string& id, const std::string& status) {
        return is_once([&] { return show(id)["status"] == status; });
    }
    // A condition that itself runs the loop.
    bool is_once(const std::function<bool()>& condition) {
        for (int i = 0; i < 1000; ++i) {
            if (condition())
                return true;
            loop.run_for(base::milliseconds(200));
        }
        return false;
    }
    // The lines of a file by their custom_id; twice the same one is an error.
    std::map<std::string, Json> lines_in(const Json& file_id) {
        std::map<std::string, Json> lines;
        if (file_id.is_null())
            return lines;
        const auto answer = mine("GET", "/v1/files/" + file_id.get<std::string>() + "/content");
        EXPECT_EQ(answer.status, 200) << answer.body;
        std::istringstream text(answer.body);
        for (std::string line; std::getline(text, line);) {
            const Json json = Json::parse(line);
            EXPECT_TRUE(lines.emplace(json["custom_id"], json).second) << line;
        }
        return lines;
    }

    wire::BatchWork work(std::uint32_t items, std::vector<std::uint64_t> running = {},
                         const std::string& name = "gw") {
        const auto answer = ask(*gateway, test_subjects.batch(core::GatewayId(name)),
                                wire::encode(wire::BatchAsk{items, std::move(running)}));
        EXPECT_TRUE(answer);
        const auto work = wire::decode_batch_work(answer.value_or("?"));
        EXPECT_TRUE(work);
        return work.value_or(wire::BatchWork{});
    }
    std::optional<wire::BatchResultState> give(const wire::BatchResult& result,
                                               const std::string& name = "gw") {
        const auto answer =
            ask(*gateway, test_subjects.batch_result(core::GatewayId(name)), wire::encode(result));
        if (!answer)
            return std::nullopt;
        return wire::decode_batch_result_answer(*answer).value().state;
    }
    static wire::BatchResult result_of(const wire::BatchItem& item, std::uint32_t status = 200) {
        wire::BatchResult result{
            item.lease, item.batch_id, item.line, status, "req_" + std::to_string(item.line), 0, 1,
            ""};
        result.body =
            status == 200
                ? R"({"id":"chatcmpl-1","usage":{"prompt_tokens":7,"completion_tokens":3,)"
                  R"("prompt_tokens_details":{"cached_tokens":2},)"
                  R"("completion_tokens_details":{"reasoning_tokens":1}}})"
                : R"({"error":{"message":"no","type":"t","param":null,"code":null}})";
        return result;
    }
    void run_all(std::uint32_t status = 200) {
        for (;;) {
            const wire::BatchWork got = work(50);
            if (got.items.empty())
                return;
            for (const wire::BatchItem& item : got.items)
                EXPECT_EQ(give(result_of(item, status)), wire::BatchResultState::committed);
        }
    }
    static std::string code_of(const HttpAnswer& answer) {
        return Json::parse(answer.body)["error"].value("code", "");
    }

    std::string me;  // a customer's key
    std::unique_ptr<bus::Bus> gateway = hub.connect("G_gw", "G_gw");
};

}  // namespace idlewatt::coordinator
