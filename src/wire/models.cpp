// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/models.hpp"

#include <algorithm>
#include <array>
#include <cmath>

#include <nlohmann/json.hpp>

#include "core/announcement.hpp"
#include "core/model.hpp"
#include "wire/chat_text.hpp"
#include "wire/checks.hpp"
#include "wire/request_checks.hpp"

namespace idlewatt::wire {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t models_body_bytes_max = 8 * 1024 * 1024;
constexpr std::int64_t created_s_max = 253'402'300'799;  // the year 9999

// A number so large has no fraction, and must not become infinite, which JSON cannot say.
double in_tenths(double value) {
    if (!(std::abs(value) < 1e15))
        return std::isfinite(value) ? value : 0.0;
    return std::round(value * 10) / 10;
}

// What the parsers of requests understand. Any others pass to the engine.
constexpr std::array chat_parameters{"data_class",
                                     "frequency_penalty",
                                     "logit_bias",
                                     "logprobs",
                                     "max_completion_tokens",
                                     "max_tokens",
                                     "min_p",
                                     "n",
                                     "parallel_tool_calls",
                                     "presence_penalty",
                                     "reasoning_effort",
                                     "repeat_penalty",
                                     "response_format",
                                     "seed",
                                     "service_tier",
                                     "stop",
                                     "stream",
                                     "stream_options",
                                     "temperature",
                                     "tool_choice",
                                     "tools",
                                     "top_k",
                                     "top_logprobs",
                                     "top_p"};
constexpr std::array embedding_parameters{"dimensions", "encoding_format"};

Json to_json(const ModelRow& row) {
    Json json{{"id", row.id},
              {"object", "model"},
              {"created", row.created.us / 1'000'000},
              {"owned_by", "idlewatt"}};
    if (row.context_tokens > 0)
        json["context_length"] = row.context_tokens;
    if (!row.quantization.empty())
        json["quantization"] = row.quantization;
    Json parameters = Json::array();
    for (const char* name : chat_parameters)
        parameters.push_back(name);
    if (row.embeddings) {
        for (const char* name : embedding_parameters)
            parameters.push_back(name);
    }
    json["supported_parameters"] = std::move(parameters);
    json["architecture"] = {
        {"input_modalities", row.image_input ? Json{"text", "image"} : Json::array({"text"})},
        {"output_modalities", row.embeddings ? Json{"text", "embeddings"} : Json::array({"text"})}};
    json["capacity"] = {{"vehicles_ready", row.vehicles_ready},
                        {"tokens_per_s", in_tenths(row.tokens_per_second)}};
    if (row.parameters > 0 || row.bytes > 0) {
        Json meta = Json::object();
        if (row.parameters > 0)
            meta["n_params"] = row.parameters;
        if (row.bytes > 0)
            meta["size"] = row.bytes;
        json["meta"] = std::move(meta);
    }
    return json;
}

bool lists(const Json& json, const char* name, std::string_view word) {
    const auto architecture = json.find("architecture");
    if (architecture == json.end() || !architecture->is_object())
        return false;
    const auto list = architecture->find(name);
    if (list == architecture->end() || !list->is_array())
        return false;
    for (const Json& one : *list) {
        if (one == word)
            return true;
    }
    return false;
}

ModelRow model_row_from(const Json& json) {
    ModelRow row;
    row.id = json.at("id").get<std::string>();
    row.created.us =
        std::clamp<std::int64_t>(json.value("created", std::int64_t{0}), 0, created_s_max) *
        1'000'000;
    row.context_tokens = json.value("context_length", 0U);
    row.quantization = json.value("quantization", std::string());
    row.image_input = lists(json, "input_modalities", "image");
    row.embeddings = lists(json, "output_modalities", "embeddings");
    if (const auto capacity = json.find("capacity"); capacity != json.end()) {
        row.vehicles_ready = capacity->value("vehicles_ready", 0U);
        row.tokens_per_second = capacity->value("tokens_per_s", 0.0);
    }
    if (const auto meta = json.find("meta"); meta != json.end()) {
        row.parameters = meta->value("n_params", std::uint64_t{0});
        row.bytes = meta->value("size", std::uint64_t{0});
    }
    return row;
}

int hexadecimal(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

}  // namespace

std::string model_body(const ModelRow& row) {
    return dump(to_json(row));
}

std::string models_body(std::span<const ModelRow> rows) {
    Json data = Json::array();
    for (const ModelRow& row : rows)
        data.push_back(to_json(row));
    return dump({{"object", "list"}, {"data", std::move(data)}});
}

base::Result<std::vector<ModelRow>> parse_models_body(std::string_view body) try {
    if (body.size() > models_body_bytes_max) {
        return base::fail(base::ErrorKind::limit_exceeded,
                          "the list of models is larger than 8 MiB");
    }
    const Json json = Json::parse(body);
    std::vector<ModelRow> rows;
    for (const Json& row : json.at("data")) {
        if (rows.size() == core::models_max)
            break;
        rows.push_back(model_row_from(row));
    }
    return rows;
} catch (const Json::exception& error) {
    return base::fail(base::ErrorKind::bad_input,
                      std::string("the list of models is not what was expected: ") + error.what());
}

std::string model_deleted_body(std::string_view id) {
    return dump({{"id", id}, {"object", "model"}, {"deleted", true}});
}

std::optional<std::string> model_of_path(std::string_view escaped) {
    std::string name;
    for (std::size_t i = 0; i < escaped.size(); ++i) {
        if (escaped[i] != '%') {
            name += escaped[i];
            continue;
        }
        if (i + 2 >= escaped.size())
            return std::nullopt;
        const int high = hexadecimal(escaped[i + 1]);
        const int low = hexadecimal(escaped[i + 2]);
        if (high < 0 || low < 0)
            return std::nullopt;
        name += static_cast<char>(high * 16 + low);
        i += 2;
    }
    if (!is_model_name(name) || first_bad_utf8(name))
        return std::nullopt;
    return name;
}

}  // namespace idlewatt::wire
