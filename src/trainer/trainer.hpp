// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Learns models of llama architecture: gradient steps on this machine. Hides LibTorch.
//
// The model (as llama.cpp computes it): embedding; blocks of RMS norm, rotary positions in
// interleaved pairs, causal grouped-query attention, RMS norm and SwiGLU; RMS norm; output matrix.
// Optimiser: AdamW (Loshchilov, Hutter, "Decoupled weight decay regularization", 2019); the
// gradient is cut to norm one.
//
// Lifecycle: make → step… ; save and load at any time between steps: the same steps follow, to the
// bit on the same machine with the same number of threads. Threads: one at a time; a call blocks
// for as long as it computes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::trainer {

struct ModelShape {
    std::size_t vocabulary = 0;
    std::size_t layers = 4;
    std::size_t width = 128;  // a multiple of twice the heads
    std::size_t heads = 4;
    std::size_t key_value_heads = 2;  // divides the heads
    std::size_t feed_forward = 352;
    float norm_epsilon = 1e-5F;
    float rope_base = 10000.0F;
};

// Rows of equal length; row-major. A target of not_learnt is not asked for.
struct Batch {
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<std::int64_t> inputs;
    std::vector<std::int64_t> targets;
};
inline constexpr std::int64_t not_learnt = -1;

// A weight matrix (rows × columns, row-major, as GGUF has it) or a vector (rows 1).
struct Weights {
    std::string name;  // as in GGUF: blk.0.attn_q.weight
    std::size_t rows = 0;
    std::size_t columns = 0;
    std::vector<float> values;
};

class Trainer {
public:
    virtual ~Trainer() = default;

    // Mean loss per learnt target before the step, in nats.
    virtual double step(const Batch& batch, double learning_rate) = 0;
    // Of each position: positions × vocabulary.
    [[nodiscard]] virtual std::vector<float> logits(std::span<const std::int64_t> pieces) = 0;
    // The likeliest pieces that follow each of the beginnings (all of one length), until the piece
    // `end`, which is left out, or `pieces_max`.
    [[nodiscard]] virtual std::vector<std::vector<std::int64_t>> continuations(
        const std::vector<std::vector<std::int64_t>>& beginnings, std::int64_t end,
        std::size_t pieces_max) = 0;

    // In GGUF's order.
    [[nodiscard]] virtual std::vector<Weights> weights() const = 0;
    [[nodiscard]] virtual std::uint64_t steps() const = 0;

    // Model and optimiser; the file appears whole or not at all.
    [[nodiscard]] virtual base::Result<void> save(const std::string& path) const = 0;
    [[nodiscard]] virtual base::Result<void> load(const std::string& path) = 0;
};

// With random weights from the seed.
[[nodiscard]] base::Result<std::unique_ptr<Trainer>> make_torch_trainer(const ModelShape& shape,
                                                                        std::uint64_t seed,
                                                                        int threads);

}  // namespace idlewatt::trainer
