// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The model in LibTorch's terms. Internal to the module.
#pragma once

#include <vector>

#include <torch/nn.h>
#include <torch/types.h>

#include "trainer/trainer.hpp"

namespace idlewatt::trainer {

struct TorchBlock {
    torch::Tensor attention_norm, query, key, value, attention_output;
    torch::Tensor feed_norm, gate, up, down;
};

class TorchModel : public torch::nn::Module {
public:
    explicit TorchModel(const ModelShape& shape);

    // inputs: rows × columns; gives rows × columns × vocabulary.
    torch::Tensor forward(const torch::Tensor& inputs);

private:
    torch::Tensor attend(const TorchBlock& block, const torch::Tensor& x,
                         const torch::Tensor& angles);
    [[nodiscard]] torch::Tensor normed(const torch::Tensor& x, const torch::Tensor& weight) const;
    torch::Tensor matrix(const std::string& name, std::size_t rows, std::size_t columns,
                         double deviation);
    torch::Tensor ones(const std::string& name);

    const ModelShape shape_;
    torch::Tensor embedding_;
    std::vector<TorchBlock> blocks_;
    torch::Tensor output_norm_;
    torch::Tensor output_;
};

}  // namespace idlewatt::trainer
