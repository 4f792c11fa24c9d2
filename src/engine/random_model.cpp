// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Two tricks make random weights speak. The first hidden dimension is a constant: large in every
// embedding, read and written by no block, so the output matrix can use it as a bias that keeps
// broken bytes away. And attention is sharp, so that the next token depends on particular earlier
// ones: greedy answers wander instead of repeating one word.
#include "engine/random_model.hpp"

#include <cerrno>
#include <cmath>
#include <functional>
#include <vector>

#include <fcntl.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/prng.hpp"
#include "engine/gguf_writer.hpp"
#include "engine/random_vocabulary.hpp"

namespace idlewatt::engine {

namespace {

constexpr float logit_deviation = 4.0F;
constexpr float attention_deviation = 1.6F;  // of queries and keys; squared for a score
constexpr std::uint32_t layers_max = 512;
constexpr std::uint32_t width_max = 1U << 17;
constexpr std::size_t write_bytes = 1U << 20;

// Nearly normal with variance one, from four uniform numbers: exact in any arithmetic, so that the
// bytes do not depend on a machine's mathematical library.
float deviate(base::Prng& prng) {
    const std::uint64_t bits = prng.next();
    float sum = 0.0F;
    for (int i = 0; i < 4; ++i) {
        sum += static_cast<float>((bits >> (16 * i)) & 0xffffU) + 0.5F;
    }
    return (sum / 65536.0F - 2.0F) * 1.7320508F;
}

struct Tensor {
    std::string name;
    std::uint64_t columns = 0;
    std::uint64_t rows = 0;
    WeightType type = WeightType::f32;
    std::function<void(std::uint64_t row, std::vector<float>& values)> fill;
};

// llama.cpp's number for files whose weights are mostly of this type.
std::uint32_t file_type(WeightType weights) {
    switch (weights) {
        case WeightType::f32:
            return 0;
        case WeightType::f16:
            return 1;
        case WeightType::q8_0:
            return 7;
    }
    base::assertion_failed("closed enum WeightType", __FILE__, __LINE__);
}

class Model {
public:
    Model(const RandomModelShape& shape, std::uint64_t seed)
        : shape_(shape), prng_(seed), vocabulary_(random_vocabulary(shape.syntax)) {
        const std::uint64_t d = shape_.width;
        const std::uint64_t tokens = vocabulary_.texts.size();
        // Blocks add about one unit of variance each; the constant has as much as all in the end.
        constant_ = std::sqrt(static_cast<float>(d) * variance(shape_.layers));
        matrix("token_embd.weight", d, tokens, [this](std::uint64_t, std::vector<float>& row) {
            for (float& value : row)
                value = deviate(prng_);
            row[0] = constant_;
        });
        for (std::uint32_t layer = 0; layer < shape_.layers; ++layer)
            add_block(layer);
        ones("output_norm.weight");
        // After the last norm the constant is sqrt(d / 2) and the others have variance one half.
        const float spread = logit_deviation / std::sqrt(static_cast<float>(d) / 2.0F);
        matrix("output.weight", d, tokens,
               [this, spread](std::uint64_t token, std::vector<float>& row) {
                   for (float& value : row)
                       value = spread * deviate(prng_);
                   row[0] = spread * vocabulary_.biases[token];
               });
    }

    [[nodiscard]] const std::vector<Tensor>& tensors() const { return tensors_; }

    [[nodiscard]] GgufHead head() const {
        GgufHead head;
        head.add("general.architecture", std::string_view("llama"));
        head.add("general.name", std::string_view(shape_.name));
        head.add("general.file_type", file_type(shape_.weights));
        head.add("llama.context_length", shape_.context_tokens);
        head.add("llama.embedding_length", shape_.width);
        head.add("llama.block_count", shape_.layers);
        head.add("llama.feed_forward_length", shape_.feed_forward);
        head.add("llama.attention.head_count", shape_.heads);
        head.add("llama.attention.head_count_kv", shape_.key_value_heads);
        head.add("llama.attention.layer_norm_rms_epsilon", 1e-5F);
        head.add("llama.rope.dimension_count", shape_.width / shape_.heads);
        head.add("llama.rope.freq_base", 10000.0F);
        head.add("llama.vocab_size", static_cast<std::uint32_t>(vocabulary_.texts.size()));
        head.add("tokenizer.ggml.model", std::string_view("llama"));
        head.add("tokenizer.ggml.tokens", vocabulary_.texts);
        head.add("tokenizer.ggml.scores", vocabulary_.scores);
        head.add("tokenizer.ggml.token_type", vocabulary_.types);
        head.add("tokenizer.ggml.bos_token_id", vocabulary_.begin_of_text);
        head.add("tokenizer.ggml.eos_token_id", vocabulary_.end_of_turn);
        head.add("tokenizer.ggml.unknown_token_id", vocabulary_.unknown);
        head.add("tokenizer.ggml.add_bos_token", true);
        head.add("tokenizer.ggml.add_eos_token", false);
        head.add("tokenizer.ggml.add_space_prefix", false);
        head.add("tokenizer.chat_template",
                 std::string_view(random_model_chat_template(shape_.syntax)));
        for (const Tensor& tensor : tensors_) {
            head.add_tensor(tensor.name, tensor.columns, tensor.rows, tensor.type);
        }
        return head;
    }

private:
    // Of a hidden dimension before block number `layer`: the embedding and two additions a block.
    static float variance(std::uint32_t layer) { return 1.0F + 2.0F * static_cast<float>(layer); }

    void add_block(std::uint32_t layer) {
        const std::string block = "blk." + std::to_string(layer) + ".";
        const std::uint64_t d = shape_.width;
        const std::uint64_t head = d / shape_.heads;
        const std::uint64_t narrow = head * shape_.key_value_heads;
        // What the norm leaves of the other dimensions beside the constant.
        const float share = variance(layer) / (variance(layer) + variance(shape_.layers));
        const float read = 1.0F / std::sqrt(static_cast<float>(d) * share);
        ones(block + "attn_norm.weight");
        reader(block + "attn_q.weight", d, attention_deviation * read);
        reader(block + "attn_k.weight", narrow, attention_deviation * read);
        reader(block + "attn_v.weight", narrow, read);
        writer(block + "attn_output.weight", d, 1.4F / std::sqrt(static_cast<float>(d)));
        ones(block + "ffn_norm.weight");
        reader(block + "ffn_gate.weight", shape_.feed_forward, read);
        reader(block + "ffn_up.weight", shape_.feed_forward, read);
        writer(block + "ffn_down.weight", shape_.feed_forward,
               1.7F / std::sqrt(static_cast<float>(shape_.feed_forward)));
    }

    void reader(const std::string& name, std::uint64_t rows, float deviation) {
        matrix(name, shape_.width, rows, [this, deviation](std::uint64_t, std::vector<float>& row) {
            for (float& value : row)
                value = deviation * deviate(prng_);
            row[0] = 0.0F;
        });
    }

    void writer(const std::string& name, std::uint64_t columns, float deviation) {
        matrix(name, columns, shape_.width,
               [this, deviation](std::uint64_t dimension, std::vector<float>& row) {
                   for (float& value : row) {
                       value = dimension == 0 ? 0.0F : deviation * deviate(prng_);
                   }
               });
    }

    void matrix(std::string name, std::uint64_t columns, std::uint64_t rows,
                std::function<void(std::uint64_t, std::vector<float>&)> fill) {
        tensors_.push_back({std::move(name), columns, rows, shape_.weights, std::move(fill)});
    }

    void ones(std::string name) {
        tensors_.push_back({std::move(name), shape_.width, 1, WeightType::f32,
                            [](std::uint64_t, std::vector<float>& row) {
                                for (float& value : row)
                                    value = 1.0F;
                            }});
    }

    RandomModelShape shape_;
    base::Prng prng_;
    RandomVocabulary vocabulary_;
    float constant_ = 0.0F;
    std::vector<Tensor> tensors_;
};

base::Result<void> write_all(int fd, std::string& buffer, const std::string& path) {
    std::string_view rest = buffer;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd, rest.data(), rest.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0)
            return base::fail_errno("cannot write the model to '" + path + "'");
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
    buffer.clear();
    return {};
}

base::Result<void> write_model(int fd, const Model& model, const std::string& path) {
    std::string buffer = model.head().bytes();
    std::vector<float> row;
    for (const Tensor& tensor : model.tensors()) {
        row.assign(tensor.columns, 0.0F);
        for (std::uint64_t index = 0; index < tensor.rows; ++index) {
            tensor.fill(index, row);
            encode_row(row, tensor.type, buffer);
            if (buffer.size() < write_bytes)
                continue;
            if (auto written = write_all(fd, buffer, path); !written)
                return written;
        }
        pad_tensor(buffer, tensor_bytes(tensor.columns, tensor.rows, tensor.type));
    }
    if (auto written = write_all(fd, buffer, path); !written)
        return written;
    if (::fsync(fd) != 0)
        return base::fail_errno("cannot write the model to '" + path + "'");
    return {};
}

base::Result<void> check(const RandomModelShape& shape) {
    const auto refuse = [](const std::string& what) {
        return base::fail(base::ErrorKind::bad_input,
                          "a random model of this shape cannot be: " + what);
    };
    if (shape.layers < 1 || shape.layers > layers_max) {
        return refuse("layers must be 1 to " + std::to_string(layers_max));
    }
    if (shape.heads < 1 || shape.width % shape.heads != 0 || (shape.width / shape.heads) % 2 != 0 ||
        shape.width > width_max) {
        return refuse("the width must be a multiple of twice the heads, at most " +
                      std::to_string(width_max));
    }
    if (shape.key_value_heads < 1 || shape.heads % shape.key_value_heads != 0) {
        return refuse("the key-value heads must divide the heads");
    }
    if (shape.feed_forward < 1 || shape.feed_forward > width_max * 8) {
        return refuse("the feed-forward width must be 1 to " + std::to_string(width_max * 8));
    }
    if (shape.context_tokens < random_model_context_tokens_min) {
        return refuse("the context must be at least " +
                      std::to_string(random_model_context_tokens_min) + " tokens");
    }
    if (shape.weights == WeightType::q8_0 &&
        (shape.width % 32 != 0 || shape.feed_forward % 32 != 0)) {
        return refuse("with q8_0 the width and the feed-forward width must be multiples of 32");
    }
    return {};
}

}  // namespace

base::Result<WeightType> weight_type_named(std::string_view name) {
    if (name == "f32" || name == "F32")
        return WeightType::f32;
    if (name == "f16" || name == "F16")
        return WeightType::f16;
    if (name == "q8_0" || name == "Q8_0")
        return WeightType::q8_0;
    return base::fail(base::ErrorKind::bad_input,
                      "weight type '" + std::string(name) + "' is unknown; use f32, f16 or q8_0");
}

base::Result<void> write_random_model(const std::string& path, const RandomModelShape& shape,
                                      std::uint64_t seed) {
    if (auto fine = check(shape); !fine)
        return fine;
    const std::string partial = path + ".partial." + std::to_string(::getpid());
    const int fd = ::open(partial.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    if (fd < 0)
        return base::fail_errno("cannot create the model file '" + partial + "'");
    auto written = write_model(fd, Model(shape, seed), path);
    if (::close(fd) != 0 && written) {
        written = base::fail_errno("cannot write the model to '" + path + "'");
    }
    if (written && ::rename(partial.c_str(), path.c_str()) != 0) {
        written = base::fail_errno("cannot put the model at '" + path + "'");
    }
    if (!written)
        ::unlink(partial.c_str());
    return written;
}

}  // namespace idlewatt::engine
