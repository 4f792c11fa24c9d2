// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/embedding.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cmath>

#include "wire/base64.hpp"
#include "wire/chat_text.hpp"
#include "wire/prompts.hpp"
#include "wire/stable_hash.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t input_affinity_bytes_max = 1024;

Objection read_encoding(const RequestJson& document, ApiRequest& request) {
    if (const RequestJson* format = field(document, "encoding_format")) {
        if (*format != "float" && *format != "base64")
            return wrong_word("encoding_format", "float or base64", format);
        request.base64 = *format == "base64";
    }
    if (const RequestJson* dimensions = field(document, "dimensions")) {
        if (!is_whole(*dimensions, 1, 1 << 20))
            return wrong("dimensions", "a positive whole number", dimensions);
        request.dimensions = dimensions->get<std::uint32_t>();
    }
    return std::nullopt;
}

// Little-endian on every machine, as it came over the wire.
float number_at(std::string_view values, std::size_t at) {
    std::uint32_t bits = 0;
    for (std::size_t i = 0; i < 4; ++i)
        bits |= std::uint32_t{static_cast<unsigned char>(values[at + i])} << (8 * i);
    return std::bit_cast<float>(bits);
}

void append_numbers(std::string& out, std::string_view values) {
    out += '[';
    for (std::size_t at = 0; at + 4 <= values.size(); at += 4) {
        if (at > 0)
            out += ',';
        const float number = number_at(values, at);
        std::array<char, 32> text{};
        const auto written = std::to_chars(text.data(), text.data() + text.size(),
                                           std::isfinite(number) ? number : 0.0F);
        out.append(text.data(), written.ptr);
    }
    out += ']';
}

}  // namespace

tl::expected<ApiRequest, ApiError> parse_embedding_request(std::string_view body) {
    auto document = parse_request_tree(body);
    if (!document)
        return tl::unexpected(std::move(document).error());
    ApiRequest request;
    request.task = core::Task::embedding;
    for (const auto read : {&read_addressing, &read_encoding}) {
        if (Objection objection = read(*document, request))
            return tl::unexpected(std::move(*objection));
    }
    auto inputs = take_prompts(*document, "input", core::embedding_inputs_max);
    if (!inputs)
        return tl::unexpected(std::move(inputs).error());
    const auto empty = std::ranges::find(*inputs, RequestJson(""));
    if (empty != inputs->end()) {
        return tl::unexpected(api_error(ApiErrorCode::invalid_value,
                                        "'input' must not hold an empty string.", "input"));
    }
    StableHash hash;
    hash.add("embedding");
    hash.add(request.model);
    hash.add(dump(inputs->front()).substr(0, input_affinity_bytes_max));
    request.affinity = hash.value();
    request.inputs = static_cast<std::uint32_t>(inputs->size());
    // Engines always answer with numbers; their form is this side's matter.
    for (const char* name : {"encoding_format", "dimensions"})
        document->erase(name);
    (*document)["input"] = std::move(*inputs);
    if (Objection objection = append_works(*document, request))
        return tl::unexpected(std::move(*objection));
    return request;
}

std::string embedding_answer(std::string_view model, std::span<const std::string> vectors,
                             bool base64, std::uint32_t prompt_tokens) {
    std::string out = R"({"object":"list","data":[)";
    std::size_t bytes = 256 + model.size();
    for (const std::string& values : vectors)
        bytes += 64 + (base64 ? values.size() / 3 * 4 : values.size() * 3);
    out.reserve(bytes);
    for (std::size_t i = 0; i < vectors.size(); ++i) {
        out += i == 0 ? "" : ",";
        out += R"({"object":"embedding","index":)";
        out += std::to_string(i);
        out += R"(,"embedding":)";
        if (base64) {
            out += '"';
            append_base64(out, vectors[i]);
            out += '"';
        } else {
            append_numbers(out, vectors[i]);
        }
        out += '}';
    }
    out += R"(],"model":)";
    append_json_string(out, model);
    const std::string tokens = std::to_string(prompt_tokens);
    out += R"(,"usage":{"prompt_tokens":)" + tokens + R"(,"total_tokens":)" + tokens + "}}";
    return out;
}

std::optional<ApiError> check_dimensions(const ApiRequest& request, std::string_view values) {
    const std::size_t found = values.size() / 4;
    if (!request.dimensions || *request.dimensions == found)
        return std::nullopt;
    return api_error(ApiErrorCode::invalid_value,
                     "This model's vectors have " + std::to_string(found) +
                         " dimensions and cannot be cut to " + std::to_string(*request.dimensions) +
                         ". Leave out 'dimensions'.",
                     "dimensions");
}

}  // namespace idlewatt::wire
