// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/engine_traits.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

// Each family of templates has one of these.
constexpr std::array reasoning_marks = {"<think",      "enable_thinking",    "reasoning",
                                        "<|channel|>", "<|START_THINKING|>", "[THINK]",
                                        "thinking",    "<seed:think>"};

std::uint32_t positive_or(const Json& number, std::uint32_t fallback) {
    const std::uint32_t count = count_of(number);
    return count > 0 && count <= std::numeric_limits<std::int32_t>::max() ? count : fallback;
}

}  // namespace

std::optional<EngineTraits> read_properties(std::string_view props_json, const Ready& fallback) {
    const Json json = Json::parse(props_json, nullptr, false);
    if (!json.is_object())
        return std::nullopt;
    EngineTraits traits;
    const std::string alias = text_of(member(json, "model_alias"));
    traits.ready.model = alias.empty() ? fallback.model : alias;
    traits.ready.slots = positive_or(member(json, "total_slots"), fallback.slots);
    traits.ready.context_tokens = positive_or(
        member(member(json, "default_generation_settings"), "n_ctx"), fallback.context_tokens);
    traits.ready.image_input = member(member(json, "modalities"), "vision") == true;
    traits.build = text_of(member(json, "build_info"));
    traits.quantization = text_of(member(json, "model_ftype"));
    traits.chat_template = text_of(member(json, "chat_template"));
    traits.begin_mark = text_of(member(json, "bos_token"));
    traits.end_mark = text_of(member(json, "eos_token"));
    traits.reasoning = std::any_of(
        reasoning_marks.begin(), reasoning_marks.end(),
        [&](const char* mark) { return traits.chat_template.find(mark) != std::string::npos; });
    return traits;
}

}  // namespace idlewatt::engine
