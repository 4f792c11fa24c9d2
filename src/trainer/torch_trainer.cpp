// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>
#include <cstdio>
#include <exception>
#include <thread>
#include <utility>

#include <unistd.h>

#include <dlfcn.h>
#include <torch/optim/adamw.h>
#include <torch/serialize.h>
#include <torch/utils.h>

#include "base/assert.hpp"
#include "trainer/torch_model.hpp"
#include "trainer/trainer.hpp"

namespace idlewatt::trainer {

namespace {

constexpr double weight_decay = 0.1;
constexpr double beta_1 = 0.9;
constexpr double beta_2 = 0.95;
constexpr double gradient_norm_max = 1.0;

torch::Tensor tensor_of(std::span<const std::int64_t> values, std::size_t rows,
                        std::size_t columns) {
    IDLEWATT_ASSERT(values.size() == rows * columns);
    return torch::tensor(at::ArrayRef<std::int64_t>(values.data(), values.size()), torch::kInt64)
        .reshape({static_cast<std::int64_t>(rows), static_cast<std::int64_t>(columns)});
}

// Norms and other vectors do not decay.
torch::optim::AdamW make_optimiser(const TorchModel& model) {
    std::vector<torch::Tensor> matrices;
    std::vector<torch::Tensor> vectors;
    for (const torch::Tensor& parameter : model.parameters())
        (parameter.dim() > 1 ? matrices : vectors).push_back(parameter);
    const auto options = [](double decay) {
        return std::make_unique<torch::optim::AdamWOptions>(
            torch::optim::AdamWOptions().betas({beta_1, beta_2}).weight_decay(decay));
    };
    return torch::optim::AdamW({{matrices, options(weight_decay)}, {vectors, options(0.0)}},
                               torch::optim::AdamWOptions());
}

// Threads of LibTorch and of OpenBLAS (which LibTorch does not rule) gain nothing on matrices this
// small, and would fight ours.
void leave_threads_to_us() {
    at::set_num_threads(1);
    if (void* found = ::dlsym(RTLD_DEFAULT, "openblas_set_num_threads"))
        reinterpret_cast<void (*)(int)>(found)(1);
}

// As many parts of about equally many rows. The last ones may be empty, the first is not.
std::vector<Batch> shared_out(const Batch& batch, std::size_t parts) {
    std::vector<Batch> shares(parts);
    std::size_t begin = 0;
    for (std::size_t i = 0; i < parts; ++i) {
        const std::size_t end = (batch.rows * (i + 1) + parts - 1) / parts;
        const auto first = static_cast<std::ptrdiff_t>(begin * batch.columns);
        const auto last = static_cast<std::ptrdiff_t>(end * batch.columns);
        shares[i] = {end - begin,
                     batch.columns,
                     {batch.inputs.begin() + first, batch.inputs.begin() + last},
                     {batch.targets.begin() + first, batch.targets.begin() + last}};
        begin = end;
    }
    return shares;
}

// Each thread has a share of the rows and its own gradients; all read the same weights.
class TorchTrainer final : public Trainer {
public:
    TorchTrainer(const ModelShape& shape, std::size_t threads)
        : shape_(shape),
          model_(std::make_shared<TorchModel>(shape)),
          optimiser_(make_optimiser(*model_)),
          replicas_({model_}) {
        while (replicas_.size() < threads)
            replicas_.push_back(std::make_shared<TorchModel>(shape));
        share_weights();
    }

    double step(const Batch& batch, double learning_rate) override {
        for (auto& group : optimiser_.param_groups())
            group.options().set_lr(learning_rate);
        const std::vector<Batch> shares = shared_out(batch, replicas_.size());
        const auto learnt = static_cast<double>(batch.targets.size()) -
                            static_cast<double>(std::ranges::count(batch.targets, not_learnt));
        std::vector<double> losses(replicas_.size(), 0.0);
        const auto learn = [&](std::size_t i) {
            losses[i] = accumulate_gradients(*replicas_[i], shares[i], learnt);
        };
        {
            std::vector<std::jthread> helpers;
            for (std::size_t i = 1; i < replicas_.size(); ++i)
                helpers.emplace_back(learn, i);
            learn(0);
        }
        double loss = 0.0;
        for (std::size_t i = 0; i < replicas_.size(); ++i) {
            loss += losses[i];
            if (i > 0 && shares[i].rows > 0)
                add_gradients(*replicas_[i]);
        }
        torch::nn::utils::clip_grad_norm_(model_->parameters(), gradient_norm_max);
        optimiser_.step();
        ++steps_;
        return loss;
    }

    std::vector<float> logits(std::span<const std::int64_t> pieces) override {
        const torch::NoGradGuard no_gradient;
        return floats_of(model_->forward(tensor_of(pieces, 1, pieces.size())));
    }

    std::vector<std::vector<std::int64_t>> continuations(
        const std::vector<std::vector<std::int64_t>>& beginnings, std::int64_t end,
        std::size_t pieces_max) override {
        const torch::NoGradGuard no_gradient;
        std::vector<std::vector<std::int64_t>> rows = beginnings;
        std::vector<std::vector<std::int64_t>> found(rows.size());
        std::vector<bool> over(rows.size(), false);
        for (std::size_t i = 0; i < pieces_max; ++i) {
            std::vector<std::int64_t> flat;
            for (const auto& row : rows)
                flat.insert(flat.end(), row.begin(), row.end());
            const torch::Tensor all =
                model_->forward(tensor_of(flat, rows.size(), rows.front().size()));
            const torch::Tensor next = all.select(1, all.size(1) - 1).argmax(-1).contiguous();
            for (std::size_t row = 0; row < rows.size(); ++row) {
                const std::int64_t piece = next.data_ptr<std::int64_t>()[row];
                over[row] = over[row] || piece == end;
                if (!over[row])
                    found[row].push_back(piece);
                rows[row].push_back(piece);
            }
            if (std::ranges::all_of(over, [](bool ended) { return ended; }))
                break;
        }
        return found;
    }

    [[nodiscard]] std::vector<Weights> weights() const override {
        std::vector<Weights> all;
        for (const auto& item : model_->named_parameters()) {
            Weights weights;
            weights.name = item.key();
            std::ranges::replace(weights.name, '/', '.');
            const torch::Tensor& value = item.value();
            weights.rows = value.dim() > 1 ? static_cast<std::size_t>(value.size(0)) : 1;
            weights.columns = static_cast<std::size_t>(value.size(-1));
            weights.values = floats_of(value);
            all.push_back(std::move(weights));
        }
        return all;
    }

    [[nodiscard]] std::uint64_t steps() const override { return steps_; }

    [[nodiscard]] base::Result<void> save(const std::string& path) const override {
        const std::string partial = path + ".partial." + std::to_string(::getpid());
        try {
            torch::serialize::OutputArchive archive;
            torch::serialize::OutputArchive model;
            torch::serialize::OutputArchive optimiser;
            model_->save(model);
            optimiser_.save(optimiser);
            archive.write("model", model);
            archive.write("optimiser", optimiser);
            archive.write("steps", torch::tensor(static_cast<std::int64_t>(steps_)));
            archive.save_to(partial);
        } catch (const std::exception& error) {
            ::unlink(partial.c_str());
            return base::fail(base::ErrorKind::io, "cannot write the state of the training to '" +
                                                       path + "': " + first_line(error));
        }
        if (::rename(partial.c_str(), path.c_str()) != 0)
            return base::fail_errno("cannot put the state of the training at '" + path + "'");
        return {};
    }

    [[nodiscard]] base::Result<void> load(const std::string& path) override {
        try {
            torch::serialize::InputArchive archive;
            archive.load_from(path);
            torch::serialize::InputArchive model;
            torch::serialize::InputArchive optimiser;
            torch::Tensor steps;
            archive.read("model", model);
            archive.read("optimiser", optimiser);
            archive.read("steps", steps);
            model_->load(model);
            optimiser_.load(optimiser);
            share_weights();
            steps_ = static_cast<std::uint64_t>(steps.item<std::int64_t>());
        } catch (const std::exception& error) {
            return base::fail(base::ErrorKind::bad_input,
                              "'" + path + "' is no state of a training of this shape (" +
                                  first_line(error) + "); remove it to begin anew");
        }
        return {};
    }

private:
    static std::string first_line(const std::exception& error) {
        const std::string text = error.what();
        return text.substr(0, text.find('\n'));
    }

    static std::vector<float> floats_of(const torch::Tensor& tensor) {
        const torch::Tensor flat = tensor.detach().contiguous();
        const float* begin = flat.data_ptr<float>();
        return {begin, begin + flat.numel()};
    }

    // The share's part of the mean over all that is learnt.
    static double accumulate_gradients(TorchModel& model, const Batch& share, double learnt) {
        model.zero_grad();
        if (share.rows == 0)
            return 0.0;
        const torch::Tensor logits =
            model.forward(tensor_of(share.inputs, share.rows, share.columns));
        const torch::Tensor targets = tensor_of(share.targets, share.rows, share.columns);
        const torch::Tensor loss =
            torch::nn::functional::cross_entropy(logits.flatten(0, 1), targets.flatten(),
                                                 torch::nn::functional::CrossEntropyFuncOptions()
                                                     .ignore_index(not_learnt)
                                                     .reduction(torch::kSum)) /
            learnt;
        loss.backward();
        return loss.item<double>();
    }

    void add_gradients(const TorchModel& replica) {
        const std::vector<torch::Tensor> all = model_->parameters();
        const std::vector<torch::Tensor> more = replica.parameters();
        for (std::size_t i = 0; i < all.size(); ++i)
            all[i].grad().add_(more[i].grad());
    }

    void share_weights() {
        const std::vector<torch::Tensor> own = model_->parameters();
        for (const auto& replica : replicas_) {
            std::vector<torch::Tensor> others = replica->parameters();
            for (std::size_t i = 0; i < own.size(); ++i)
                others[i].set_data(own[i].data());
        }
    }

    const ModelShape shape_;
    std::shared_ptr<TorchModel> model_;
    torch::optim::AdamW optimiser_;
    std::vector<std::shared_ptr<TorchModel>> replicas_;  // the model first
    std::uint64_t steps_ = 0;
};

}  // namespace

base::Result<std::unique_ptr<Trainer>> make_torch_trainer(const ModelShape& shape,
                                                          std::uint64_t seed, int threads) {
    if (shape.vocabulary == 0 || shape.layers == 0 || shape.heads == 0 ||
        shape.width % (2 * shape.heads) != 0 || shape.key_value_heads == 0 ||
        shape.heads % shape.key_value_heads != 0 || shape.feed_forward == 0) {
        return base::fail(
            base::ErrorKind::bad_input,
            "a model of this shape cannot be: the width must be a multiple of twice the "
            "heads, the key-value heads must divide the heads, and nothing may be zero");
    }
    leave_threads_to_us();
    torch::manual_seed(seed);
    return std::make_unique<TorchTrainer>(shape, static_cast<std::size_t>(threads));
}

}  // namespace idlewatt::trainer
