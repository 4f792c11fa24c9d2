// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_stream.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/memory_hash.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint64_t lie = 0x6c6965;
constexpr std::uint32_t bytes_per_prompt_token = 4;
constexpr std::size_t vector_length = 32;

std::uint32_t tokens_of(std::size_t bytes) {
    return static_cast<std::uint32_t>(bytes) / bytes_per_prompt_token + 1;
}

}  // namespace

std::string memory_embedding(const Input& input) {
    std::uint64_t seed = memory_hash("vector");
    if (const auto* text = std::get_if<std::string>(&input)) {
        seed = memory_hash(*text, seed);
    } else {
        for (const std::int32_t id : std::get<core::TokenIds>(input))
            seed = memory_mix(seed ^ static_cast<std::uint32_t>(id));
    }
    float values[vector_length];
    double square = 0.0;
    for (float& value : values) {
        seed = memory_mix(seed);
        value = static_cast<float>(seed % 2001) / 1000.0F - 1.0F;
        square += static_cast<double>(value) * static_cast<double>(value);
    }
    for (float& value : values)
        value = static_cast<float>(static_cast<double>(value) / std::sqrt(square));
    std::string bytes(sizeof values, '\0');
    std::memcpy(bytes.data(), values, sizeof values);
    return bytes;
}

std::string MemoryStream::open(const Generation& generation) {
    prompt_tokens = tokens_of(generation.request_json.size());
    if (generation.task == core::Task::embedding) {
        const auto request = read_request(generation.request_json, generation.task);
        if (!request)
            return request.error().message;
        prompt_tokens = 0;
        for (const Input& input : request->inputs) {
            const auto* text = std::get_if<std::string>(&input);
            prompt_tokens +=
                text != nullptr
                    ? tokens_of(text->size())
                    : static_cast<std::uint32_t>(std::get<core::TokenIds>(input).size());
            vectors.push_back(memory_embedding(input));
        }
        return {};
    }
    const MemoryAnswer whole = MemoryAnswer::to(generation.request_json, generation.task);
    answer = whole.resumed(generation.resume);
    position = std::min(generation.resume.tokens, whole.tokens());
    return whole.complaint();
}

std::uint32_t MemoryStream::next_tokens(std::uint32_t nameless_every) const {
    if (!vectors.empty())
        return 1;
    // What is held back until it is whole.
    if (position < answer.reasoning_tokens())
        return answer.reasoning_tokens() - position;
    if (position >= answer.text_end())
        return answer.tokens() - position;
    const std::uint32_t left = answer.text_end() - position;
    const bool nameless = nameless_every != 0 && (pieces + 1) % nameless_every == 0;
    return std::min(left, nameless ? 2 + pieces % 3 : 1);
}

void MemoryStream::say_next(std::uint32_t nameless_every, bool lying) {
    if (!vectors.empty()) {
        core::Embedding embedding;
        embedding.index = static_cast<std::uint32_t>(vectors_said);
        embedding.values = lying ? memory_embedding(vectors[vectors_said]) : vectors[vectors_said];
        ++vectors_said;
        said.emplace_back(std::move(embedding));
        return;
    }
    const std::uint32_t count = next_tokens(nameless_every);
    if (count == 0)
        return;
    const MemoryAnswer words = lying ? answer.astray(lie) : answer;
    core::Piece piece;
    piece.token_count = count;
    piece.prompt_tokens = prompt_tokens;
    if (position < answer.reasoning_tokens()) {
        piece.reasoning = words.reasoning();
    } else if (position >= answer.text_end()) {
        piece.tool_calls = words.calls();
    } else {
        piece.logprobs_json = words.logprobs(position, count);
        for (std::uint32_t i = position; i < position + count; ++i)
            piece.text += words.text(i);
        if (count == 1)
            piece.ids.push_back(words.id(position));
    }
    position += count;
    generated += count;
    ++pieces;
    // A call that was cut off says nothing.
    if (!piece.text.empty() || !piece.reasoning.empty() || !piece.tool_calls.empty())
        said.emplace_back(std::move(piece));
}

bool MemoryStream::over() const {
    return vectors.empty() ? position >= answer.tokens() : vectors_said == vectors.size();
}

core::Finished MemoryStream::finished() const {
    core::Finished result;
    result.prompt_tokens = prompt_tokens;
    if (!vectors.empty())
        return result;
    result.reason = answer.cut()             ? core::FinishReason::length
                    : answer.calls().empty() ? core::FinishReason::stop
                                             : core::FinishReason::tool_calls;
    result.generated_tokens = generated + (answer.cut() ? 0 : 1);
    return result;
}

}  // namespace idlewatt::engine
