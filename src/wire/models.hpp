// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// /v1/models: OpenAI's fields, and what is known beyond them. Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::wire {

struct ModelRow {
    std::string id;
    base::WallTime created;            // in whole seconds
    std::uint32_t context_tokens = 0;  // 0: unknown
    bool embeddings = false;
    bool image_input = false;
    std::uint32_t vehicles_ready = 0;
    double tokens_per_second = 0.0;  // of all of them together, lately
    std::string quantization{};      // empty: unknown
    std::uint64_t parameters = 0;    // 0: unknown
    std::uint64_t bytes = 0;         // 0: unknown
    friend bool operator==(const ModelRow&, const ModelRow&) = default;
};

[[nodiscard]] std::string model_body(const ModelRow& row);
[[nodiscard]] std::string models_body(std::span<const ModelRow> rows);
// Plain lists of OpenAI's four fields are read too.
[[nodiscard]] base::Result<std::vector<ModelRow>> parse_models_body(std::string_view body);
[[nodiscard]] std::string model_deleted_body(std::string_view id);

// The model of /v1/models/<here>, where / and : may be escaped or not. nullopt: no model's name.
[[nodiscard]] std::optional<std::string> model_of_path(std::string_view escaped);

}  // namespace idlewatt::wire
