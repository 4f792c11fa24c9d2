// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Bodies of /v1 requests: each of the three parsers takes it, or answers with an error object.
#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "wire/chat.hpp"
#include "wire/completion.hpp"
#include "wire/embedding.hpp"
#include "wire/models.hpp"

namespace idlewatt::fuzz {

namespace {

using nlohmann::json;

void check_error(const wire::ApiError& error) {
    const json body = json::parse(wire::error_body(error), nullptr, false);
    require(body.is_object() && body.size() == 1 && body.contains("error"), "an error object");
    const json& object = body["error"];
    for (const char* name : {"message", "type", "param", "code"})
        require(object.contains(name), "all four keys of the error object");
    require(object["message"].is_string() && !object["message"].empty(), "an error has words");
    require(error.http_status() == 400 || error.http_status() == 413, "the client's own mistake");
}

bool check(const tl::expected<wire::ApiRequest, wire::ApiError>& request) {
    if (!request) {
        check_error(request.error());
        return false;
    }
    std::size_t bytes = 0;
    require(!request->works.empty() && request->works.size() <= wire::works_max, "1 to 128 works");
    require(request->works.size() % request->n == 0, "n works for each prompt");
    for (const std::string& work : request->works) {
        bytes += work.size();
        require(json::accept(work), "an engine gets JSON");
    }
    require(bytes <= wire::works_bytes_max, "works are bounded");
    require(!request->include_usage || request->stream, "usage is an option of streams");
    require(request->echoes.empty() || request->echoes.size() == request->works.size(),
            "an echo for each work");
    return true;
}

}  // namespace

bool one_input(std::string_view bytes) {
    const bool chat = check(wire::parse_chat_request(bytes));
    const bool completion = check(wire::parse_completion_request(bytes));
    const bool embedding = check(wire::parse_embedding_request(bytes));
    const bool model = wire::model_of_path(bytes).has_value();
    return chat || completion || embedding || model;
}

std::vector<std::string> seeds() {
    return {
        R"({"model":"m","messages":[{"role":"user","content":"hi"}]})",
        R"({"model":"m","stream":true,"stream_options":{"include_usage":true},"n":2,"seed":7,
"stop":["a","b"],"max_completion_tokens":5,"temperature":1.5,"top_p":0.5,"logit_bias":{"5":-1},
"service_tier":"auto","data_class":"own_fleet","reasoning_effort":"low","messages":[
{"role":"developer","content":[{"type":"text","text":"be"}]},
{"role":"user","content":[{"type":"text","text":"\u00e9\ud83d\ude97"},{"type":"image_url",
"image_url":{"url":"data:image/png;base64,AA=="}}]}]})",
        R"({"messages":[{"role":"assistant","content":null,"tool_calls":[
{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}}]},
{"role":"tool","tool_call_id":"c","content":"r"}],"parallel_tool_calls":false,
"tools":[{"type":"function","function":{"name":"f","strict":true,
"parameters":{"type":"object","properties":{"z":{"type":"string"}}}}}],
"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto",
"tools":[{"type":"function","function":{"name":"f"}}]}}})",
        R"({"messages":[{"role":"system","content":"s"},{"role":"user","content":"u"}],
"logprobs":true,"top_logprobs":3,"response_format":{"type":"json_schema",
"json_schema":{"name":"n","strict":true,
"schema":{"type":"object","properties":{"b":{"enum":[1,2]},"a":{"type":"array"}}}}}})",
        R"({"prompt":["a","b"],"echo":true,"n":3,"max_tokens":4,"best_of":1,"suffix":""})",
        R"({"prompt":[[1,2,3],[4]],"logprobs":5,"seed":-1})",
        R"({"input":["a","b"],"encoding_format":"base64","dimensions":8})",
        R"({"input":[1,2,3]})",
        "org%2Fmodel:q4_0",
    };
}

}  // namespace idlewatt::fuzz
