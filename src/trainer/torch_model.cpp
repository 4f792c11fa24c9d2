// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "trainer/torch_model.hpp"

#include <cmath>

#include <torch/nn/functional.h>

namespace idlewatt::trainer {

namespace {

constexpr double deviation_of_weights = 0.02;

std::int64_t whole(std::size_t value) {
    return static_cast<std::int64_t>(value);
}

// Names of parameters must not hold dots; GGUF's do.
std::string parameter_name(std::string name) {
    for (char& c : name)
        c = c == '.' ? '/' : c;
    return name;
}

// Pairs (0, 1), (2, 3)… of each head turn by position × base^(-2i/d).
torch::Tensor turned(const torch::Tensor& x, const torch::Tensor& angles) {
    const torch::Tensor cos = angles.cos();
    const torch::Tensor sin = angles.sin();
    const auto pairs = x.unflatten(-1, {-1, 2});
    const torch::Tensor even = pairs.select(-1, 0);
    const torch::Tensor odd = pairs.select(-1, 1);
    return torch::stack({even * cos - odd * sin, even * sin + odd * cos}, -1).flatten(-2);
}

}  // namespace

TorchModel::TorchModel(const ModelShape& shape) : shape_(shape) {
    const std::size_t narrow = shape.width / shape.heads * shape.key_value_heads;
    const double last = deviation_of_weights / std::sqrt(2.0 * static_cast<double>(shape.layers));
    embedding_ = matrix("token_embd.weight", shape.vocabulary, shape.width, deviation_of_weights);
    for (std::size_t layer = 0; layer < shape.layers; ++layer) {
        const std::string name = "blk." + std::to_string(layer) + ".";
        TorchBlock block;
        block.attention_norm = ones(name + "attn_norm.weight");
        block.query =
            matrix(name + "attn_q.weight", shape.width, shape.width, deviation_of_weights);
        block.key = matrix(name + "attn_k.weight", narrow, shape.width, deviation_of_weights);
        block.value = matrix(name + "attn_v.weight", narrow, shape.width, deviation_of_weights);
        block.attention_output =
            matrix(name + "attn_output.weight", shape.width, shape.width, last);
        block.feed_norm = ones(name + "ffn_norm.weight");
        block.gate =
            matrix(name + "ffn_gate.weight", shape.feed_forward, shape.width, deviation_of_weights);
        block.up =
            matrix(name + "ffn_up.weight", shape.feed_forward, shape.width, deviation_of_weights);
        block.down = matrix(name + "ffn_down.weight", shape.width, shape.feed_forward, last);
        blocks_.push_back(block);
    }
    output_norm_ = ones("output_norm.weight");
    output_ = matrix("output.weight", shape.vocabulary, shape.width, deviation_of_weights);
}

torch::Tensor TorchModel::matrix(const std::string& name, std::size_t rows, std::size_t columns,
                                 double deviation) {
    return register_parameter(parameter_name(name),
                              torch::randn({whole(rows), whole(columns)}) * deviation);
}

torch::Tensor TorchModel::ones(const std::string& name) {
    return register_parameter(parameter_name(name), torch::ones({whole(shape_.width)}));
}

torch::Tensor TorchModel::normed(const torch::Tensor& x, const torch::Tensor& weight) const {
    const torch::Tensor mean = x.pow(2).mean(-1, true);
    return x * (mean + static_cast<double>(shape_.norm_epsilon)).rsqrt() * weight;
}

torch::Tensor TorchModel::attend(const TorchBlock& block, const torch::Tensor& x,
                                 const torch::Tensor& angles) {
    const std::int64_t head = whole(shape_.width / shape_.heads);
    const std::int64_t group = whole(shape_.heads / shape_.key_value_heads);
    // rows × heads × columns × head
    const auto heads = [head](const torch::Tensor& y) {
        return y.unflatten(-1, {-1, head}).transpose(1, 2);
    };
    const torch::Tensor query = turned(heads(torch::linear(x, block.query)), angles);
    const torch::Tensor key =
        turned(heads(torch::linear(x, block.key)), angles).repeat_interleave(group, 1);
    const torch::Tensor value = heads(torch::linear(x, block.value)).repeat_interleave(group, 1);
    const std::int64_t columns = x.size(1);
    const torch::Tensor later = torch::ones({columns, columns}, torch::kBool).triu(1);
    const torch::Tensor scores =
        torch::matmul(query, key.transpose(-1, -2)) / std::sqrt(static_cast<double>(head));
    const torch::Tensor shares = scores.masked_fill(later, -1e30).softmax(-1);
    const torch::Tensor mixed = torch::matmul(shares, value).transpose(1, 2).flatten(-2);
    return torch::linear(mixed, block.attention_output);
}

torch::Tensor TorchModel::forward(const torch::Tensor& inputs) {
    const std::int64_t head = whole(shape_.width / shape_.heads);
    const torch::Tensor exponents = torch::arange(0, head, 2, torch::kFloat32) / head;
    const torch::Tensor speeds = torch::pow(static_cast<double>(shape_.rope_base), -exponents);
    const torch::Tensor angles =
        torch::outer(torch::arange(inputs.size(1), torch::kFloat32), speeds);
    torch::Tensor x = torch::embedding(embedding_, inputs);
    for (const TorchBlock& block : blocks_) {
        x = x + attend(block, normed(x, block.attention_norm), angles);
        const torch::Tensor y = normed(x, block.feed_norm);
        const torch::Tensor gated =
            torch::silu(torch::linear(y, block.gate)) * torch::linear(y, block.up);
        x = x + torch::linear(gated, block.down);
    }
    return torch::linear(normed(x, output_norm_), output_);
}

}  // namespace idlewatt::trainer
