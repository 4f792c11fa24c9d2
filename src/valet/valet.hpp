// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The course of the demonstration's own model, Valet: its shape, what it is taught in which order,
// and its examination. The same seed gives the same course, wherever it is interrupted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "lessons/lessons.hpp"
#include "lessons/vocabulary.hpp"
#include "trainer/trainer.hpp"

namespace idlewatt::valet {

struct Course {
    std::uint64_t seed = 1;
    std::uint64_t steps = 8'000;
    std::size_t lessons_per_step = 32;
    double learning_rate = 2e-3;  // at its highest
    double learning_rate_end = 1e-4;
    std::uint64_t warm_up_steps = 200;
};

[[nodiscard]] lessons::Vocabulary course_vocabulary(const Course& course);
[[nodiscard]] trainer::ModelShape course_shape(const lessons::Vocabulary& vocabulary);

// What is learnt in each step. Lessons are drawn for many steps together and shared out by length,
// so that few rows are padded; at() gives the same whatever was asked for before, quickest in
// order.
class CourseBatches {
public:
    // Both stay valid for the object's life.
    CourseBatches(const Course& course, const lessons::Vocabulary& vocabulary);
    [[nodiscard]] trainer::Batch at(std::uint64_t step);

private:
    void draw_pool(std::uint64_t number);

    const Course& course_;
    const lessons::Vocabulary& vocabulary_;
    std::optional<std::uint64_t> pool_number_;
    std::vector<lessons::Transcript> pool_;
};
[[nodiscard]] double course_learning_rate(const Course& course, std::uint64_t step);

struct Mark {
    lessons::Kind kind = lessons::Kind::sum;
    std::size_t asked = 0;
    std::size_t right = 0;
    std::string wrong;  // one question and what was answered to it
};

// On lessons that are held out.
[[nodiscard]] std::vector<Mark> examine(trainer::Trainer& trainer,
                                        const lessons::Vocabulary& vocabulary,
                                        std::size_t lessons_per_kind, std::uint64_t seed);

}  // namespace idlewatt::valet
