// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/model_header.hpp"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "engine/gguf_reader.hpp"

namespace idlewatt::engine {

namespace {

// llama.cpp's LLAMA_FTYPE_*.
constexpr std::array<std::pair<std::uint32_t, std::string_view>, 32> file_types{
    {{0, "F32"},      {1, "F16"},      {2, "Q4_0"},    {3, "Q4_1"},    {7, "Q8_0"},
     {8, "Q5_0"},     {9, "Q5_1"},     {10, "Q2_K"},   {11, "Q3_K_S"}, {12, "Q3_K_M"},
     {13, "Q3_K_L"},  {14, "Q4_K_S"},  {15, "Q4_K_M"}, {16, "Q5_K_S"}, {17, "Q5_K_M"},
     {18, "Q6_K"},    {19, "IQ2_XXS"}, {20, "IQ2_XS"}, {21, "Q2_K_S"}, {22, "IQ3_XS"},
     {23, "IQ3_XXS"}, {24, "IQ1_S"},   {25, "IQ4_NL"}, {26, "IQ3_S"},  {27, "IQ3_M"},
     {28, "IQ2_S"},   {29, "IQ2_M"},   {30, "IQ4_XS"}, {31, "IQ1_M"},  {32, "BF16"},
     {36, "TQ1_0"},   {38, "MXFP4"}}};

// Bytes of a stranger's made fit for names and terminals.
std::string plain(std::string text) {
    std::erase_if(text, [](char c) { return c < 0x20 || c == 0x7f; });
    return text;
}

}  // namespace

base::Result<ModelHeader> read_model_header(const std::string& path) {
    ModelHeader header;
    GgufVisitor visitor;
    visitor.on_entry = [&](const std::string& key, std::uint32_t type, GgufReader& reader) {
        const bool is_text = type == gguf_type_string;
        if (is_text && (key == "general.name" || key == "general.architecture")) {
            std::string& place = key == "general.name" ? header.name : header.architecture;
            place = plain(reader.text(model_word_bytes_max));
            return GgufStep::read;
        }
        if (type != gguf_type_u32)
            return GgufStep::skip;
        if (key == "general.file_type") {
            const std::uint32_t number = reader.u32();
            const auto* found =
                std::ranges::find(file_types, number, &decltype(file_types)::value_type::first);
            if (found != file_types.end())
                header.quantization = found->second;
            return GgufStep::read;
        }
        if (key == header.architecture + ".context_length") {
            header.context_tokens = reader.u32();
            return GgufStep::read;
        }
        return GgufStep::skip;
    };
    visitor.on_tensor = [&](std::uint64_t values) {
        if (__builtin_add_overflow(header.parameters, values, &header.parameters))
            header.parameters = UINT64_MAX;
    };
    const auto walked = walk_gguf(path, visitor);
    if (!walked)
        return tl::unexpected(walked.error());
    if (header.architecture.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "'" + path + "' names no architecture; expected a model in GGUF format");
    }
    return header;
}

}  // namespace idlewatt::engine
