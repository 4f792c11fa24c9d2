// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/embedding.hpp"

#include <bit>
#include <cstring>
#include <optional>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

static_assert(std::endian::native == std::endian::little, "vectors are copied as they are");

std::optional<std::uint32_t> base64_value(char c) {
    if (c >= 'A' && c <= 'Z')
        return static_cast<std::uint32_t>(c - 'A');
    if (c >= 'a' && c <= 'z')
        return static_cast<std::uint32_t>(c - 'a' + 26);
    if (c >= '0' && c <= '9')
        return static_cast<std::uint32_t>(c - '0' + 52);
    if (c == '+')
        return 62;
    if (c == '/')
        return 63;
    return std::nullopt;
}

std::optional<std::string> from_base64(std::string_view text) {
    std::string bytes;
    std::uint32_t bits = 0;
    int count = 0;
    for (; !text.empty() && text.front() != '='; text.remove_prefix(1)) {
        const auto value = base64_value(text.front());
        if (!value)
            return std::nullopt;
        bits = bits << 6 | *value;
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<char>(bits >> count & 0xffU));
        }
    }
    return bytes;
}

// As base64, or as numbers from an engine that does not know it.
std::optional<std::string> read_vector(const Json& json) {
    if (json.is_string())
        return from_base64(json.get_ref<const std::string&>());
    if (!json.is_array())
        return std::nullopt;
    std::string bytes;
    for (const Json& number : json) {
        if (!number.is_number())
            return std::nullopt;
        const auto value = number.get<float>();
        char raw[sizeof value];
        std::memcpy(raw, &value, sizeof value);
        bytes.append(raw, sizeof raw);
    }
    return bytes;
}

}  // namespace

std::string embedding_body(std::span<const Input> inputs) {
    Json list = Json::array();
    for (const Input& input : inputs) {
        if (const auto* text = std::get_if<std::string>(&input)) {
            list.push_back(*text);
        } else {
            list.push_back(std::get<core::TokenIds>(input));
        }
    }
    return dump({{"input", std::move(list)}, {"encoding_format", "base64"}});
}

base::Result<EmbeddingAnswer> read_embeddings(std::string_view response_json, std::size_t inputs) {
    const auto broken = [](const std::string& what) {
        return base::fail(base::ErrorKind::io, "the engine's /v1/embeddings answered with " + what);
    };
    const Json json = Json::parse(response_json, nullptr, false);
    const Json& data = member(json, "data");
    if (!data.is_array() || data.size() != inputs)
        return broken("another number of vectors than there were inputs");
    EmbeddingAnswer answer;
    answer.vectors.resize(inputs);
    for (const Json& one : data) {
        const std::size_t index = count_of(member(one, "index"));
        auto vector = read_vector(member(one, "embedding"));
        if (index >= inputs || !vector || vector->empty() || vector->size() % 4 != 0 ||
            !answer.vectors[index].empty()) {
            return broken("a vector that cannot be read");
        }
        answer.vectors[index] = std::move(*vector);
    }
    for (const std::string& vector : answer.vectors) {
        if (vector.size() != answer.vectors.front().size())
            return broken("vectors of different lengths");
    }
    answer.prompt_tokens = count_of(member(member(json, "usage"), "prompt_tokens"));
    return answer;
}

}  // namespace idlewatt::engine
