// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "valet/valet_file.hpp"

#include "engine/gguf_writer.hpp"
#include "engine/random_vocabulary.hpp"

namespace idlewatt::valet {

namespace {

engine::WeightType type_of(const trainer::Weights& weights, engine::WeightType matrices) {
    return weights.rows == 1 ? engine::WeightType::f32 : matrices;
}

engine::GgufHead head_of(const trainer::ModelShape& shape, const lessons::Vocabulary& vocabulary,
                         const std::vector<trainer::Weights>& weights, engine::WeightType type) {
    const auto number = [](std::size_t value) { return static_cast<std::uint32_t>(value); };
    engine::GgufHead head;
    head.add("general.architecture", std::string_view("llama"));
    head.add("general.name", std::string_view(model_name));
    head.add("general.license", std::string_view("apache-2.0"));
    head.add("general.file_type", type == engine::WeightType::f16 ? 1U : 0U);
    head.add("llama.context_length", model_context_tokens);
    head.add("llama.embedding_length", number(shape.width));
    head.add("llama.block_count", number(shape.layers));
    head.add("llama.feed_forward_length", number(shape.feed_forward));
    head.add("llama.attention.head_count", number(shape.heads));
    head.add("llama.attention.head_count_kv", number(shape.key_value_heads));
    head.add("llama.attention.layer_norm_rms_epsilon", shape.norm_epsilon);
    head.add("llama.rope.dimension_count", number(shape.width / shape.heads));
    head.add("llama.rope.freq_base", shape.rope_base);
    head.add("llama.vocab_size", number(vocabulary.size()));
    head.add("tokenizer.ggml.model", std::string_view("llama"));
    head.add("tokenizer.ggml.tokens", vocabulary.texts());
    head.add("tokenizer.ggml.scores", vocabulary.scores());
    head.add("tokenizer.ggml.token_type", vocabulary.types());
    head.add("tokenizer.ggml.bos_token_id", number(lessons::Vocabulary::begin_of_text));
    head.add("tokenizer.ggml.eos_token_id", number(lessons::Vocabulary::end_of_turn));
    head.add("tokenizer.ggml.unknown_token_id", number(lessons::Vocabulary::unknown));
    head.add("tokenizer.ggml.add_bos_token", true);
    head.add("tokenizer.ggml.add_eos_token", false);
    head.add("tokenizer.ggml.add_space_prefix", false);
    head.add("tokenizer.chat_template", std::string_view(engine::random_model_chat_template()));
    for (const trainer::Weights& w : weights)
        head.add_tensor(w.name, w.columns, w.rows, type_of(w, type));
    return head;
}

}  // namespace

std::string model_file(const trainer::ModelShape& shape, const lessons::Vocabulary& vocabulary,
                       const std::vector<trainer::Weights>& weights, engine::WeightType type) {
    std::string bytes = head_of(shape, vocabulary, weights, type).bytes();
    for (const trainer::Weights& w : weights) {
        const std::span<const float> values = w.values;
        for (std::size_t row = 0; row < w.rows; ++row)
            engine::encode_row(values.subspan(row * w.columns, w.columns), type_of(w, type), bytes);
        engine::pad_tensor(bytes, engine::tensor_bytes(w.columns, w.rows, type_of(w, type)));
    }
    return bytes;
}

}  // namespace idlewatt::valet
