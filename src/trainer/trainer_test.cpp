// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "trainer/trainer.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>

#include <unistd.h>

#include <gtest/gtest.h>

namespace idlewatt::trainer {
namespace {

constexpr std::uint64_t seed = 3;
constexpr double learning_rate = 3e-3;

ModelShape small_shape() {
    ModelShape shape;
    shape.vocabulary = 11;
    shape.layers = 2;
    shape.width = 24;
    shape.heads = 4;
    shape.key_value_heads = 2;
    shape.feed_forward = 32;
    return shape;
}

std::unique_ptr<Trainer> small_trainer(std::uint64_t from = seed, int threads = 1) {
    auto made = make_torch_trainer(small_shape(), from, threads);
    EXPECT_TRUE(made.has_value());
    return std::move(*made);
}

// Counts upwards from another number in each row; the first half is not asked for.
Batch counting(std::int64_t shift = 0) {
    Batch batch;
    batch.rows = 4;
    batch.columns = 8;
    for (std::int64_t row = 0; row < 4; ++row) {
        for (std::int64_t column = 0; column < 8; ++column) {
            batch.inputs.push_back((2 * row + column + shift) % 11);
            batch.targets.push_back(column < 4 ? not_learnt : (2 * row + column + 1 + shift) % 11);
        }
    }
    return batch;
}

struct StateFile {
    std::string path =
        ::testing::TempDir() + "idlewatt_trainer_" + std::to_string(::getpid()) + ".state";
    ~StateFile() { std::filesystem::remove(path); }
};

TEST(Trainer, learns_what_it_is_shown) {
    const auto trainer = small_trainer();
    const double first = trainer->step(counting(), learning_rate);
    EXPECT_NEAR(first, std::log(11.0), 0.3);  // it knows nothing yet
    double last = first;
    for (std::int64_t i = 0; i < 300; ++i)
        last = trainer->step(counting(i), learning_rate);
    EXPECT_LT(last, 0.05);
    EXPECT_EQ(trainer->steps(), 301U);
    const auto counted = trainer->continuations({{3, 4, 5, 6}, {0, 1, 2, 3}}, 10, 20);
    EXPECT_EQ(counted[0], (std::vector<std::int64_t>{7, 8, 9}));
    EXPECT_EQ(counted[1], (std::vector<std::int64_t>{4, 5, 6, 7, 8, 9}));
}

// More than there are rows, too.
TEST(Trainer, threads_change_nothing_but_the_time) {
    for (const int threads : {2, 3, 7}) {
        const auto alone = small_trainer();
        const auto together = small_trainer(seed, threads);
        for (std::int64_t i = 0; i < 5; ++i)
            EXPECT_NEAR(alone->step(counting(i), learning_rate),
                        together->step(counting(i), learning_rate), 1e-3)
                << threads << " threads, step " << i;
    }
}

TEST(Trainer, later_pieces_do_not_change_what_was_said_of_earlier_ones) {
    const auto trainer = small_trainer();
    const std::vector<std::int64_t> longer = {1, 5, 2, 9, 4, 7};
    const std::vector<float> all = trainer->logits(longer);
    const std::vector<float> some = trainer->logits(std::span(longer).first(3));
    ASSERT_EQ(all.size(), 6U * 11U);
    for (std::size_t i = 0; i < some.size(); ++i)
        EXPECT_NEAR(all[i], some[i], 1e-5F) << i;
}

TEST(Trainer, interrupted_it_goes_on_as_if_it_had_not_been) {
    const StateFile file;
    const auto whole = small_trainer();
    const auto first = small_trainer();
    for (std::int64_t i = 0; i < 5; ++i) {
        whole->step(counting(i), learning_rate);
        first->step(counting(i), learning_rate);
    }
    ASSERT_TRUE(first->save(file.path).has_value());
    const auto second = small_trainer(seed + 1);
    ASSERT_TRUE(second->load(file.path).has_value());
    EXPECT_EQ(second->steps(), 5U);
    for (std::int64_t i = 5; i < 10; ++i)
        EXPECT_EQ(whole->step(counting(i), learning_rate),
                  second->step(counting(i), learning_rate));
    const auto expected = whole->weights();
    const auto found = second->weights();
    ASSERT_EQ(expected.size(), found.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
        EXPECT_EQ(expected[i].name, found[i].name);
        EXPECT_EQ(expected[i].values, found[i].values) << expected[i].name;
    }
}

TEST(Trainer, a_state_that_is_none_is_refused_and_changes_nothing) {
    const StateFile file;
    const auto trainer = small_trainer();
    const auto before = trainer->weights();
    for (const std::string& bytes :
         {std::string(), std::string("no state"), std::string(5000, 'x')}) {
        std::ofstream(file.path, std::ios::binary | std::ios::trunc) << bytes;
        const auto loaded = trainer->load(file.path);
        ASSERT_FALSE(loaded.has_value());
        EXPECT_EQ(loaded.error().kind, base::ErrorKind::bad_input);
    }
    EXPECT_FALSE(trainer->load(file.path + ".none").has_value());
    EXPECT_EQ(trainer->weights().front().values, before.front().values);
    EXPECT_FALSE(trainer->save("/nowhere/at/all").has_value());
}

TEST(Trainer, weights_are_named_and_shaped_as_in_model_files) {
    const auto weights = small_trainer()->weights();
    ASSERT_EQ(weights.size(), 1U + 2U * 9U + 2U);
    EXPECT_EQ(weights.front().name, "token_embd.weight");
    EXPECT_EQ(weights[2].name, "blk.0.attn_q.weight");
    EXPECT_EQ(weights.back().name, "output.weight");
    for (const Weights& w : weights)
        EXPECT_EQ(w.values.size(), w.rows * w.columns) << w.name;
}

TEST(Trainer, a_shape_that_cannot_be_is_refused) {
    ModelShape shape = small_shape();
    shape.heads = 5;
    EXPECT_FALSE(make_torch_trainer(shape, seed, 1).has_value());
    shape = small_shape();
    shape.key_value_heads = 3;
    EXPECT_FALSE(make_torch_trainer(shape, seed, 1).has_value());
    shape = small_shape();
    shape.vocabulary = 0;
    EXPECT_FALSE(make_torch_trainer(shape, seed, 1).has_value());
}

}  // namespace
}  // namespace idlewatt::trainer
