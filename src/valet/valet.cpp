// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "valet/valet.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <numbers>

#include "base/prng.hpp"

namespace idlewatt::valet {

namespace {

using lessons::Kind;
using lessons::Lesson;
using lessons::Transcript;

constexpr std::size_t vocabulary_lessons = 20'000;
constexpr std::size_t joined_pieces = 400;
constexpr std::uint64_t steps_per_pool = 16;
constexpr std::size_t answer_pieces_max = 64;
constexpr std::uint64_t spread = 0x9e3779b97f4a7c15ULL;

// In how many of a hundred lessons: sums and comparisons need practice, names only to be seen.
struct Share {
    Kind kind;
    std::uint64_t percent;
};
constexpr std::array shares = {Share{Kind::sum, 25},   Share{Kind::charge, 15},
                               Share{Kind::ready, 20}, Share{Kind::reason, 15},
                               Share{Kind::talk, 10},  Share{Kind::unknown, 15}};

Lesson draw_lesson(base::Prng& prng) {
    std::uint64_t number = prng.below(100);
    for (const Share& share : shares) {
        if (number < share.percent)
            return lessons::make_lesson(share.kind, false, prng);
        number -= share.percent;
    }
    return lessons::make_lesson(Kind::sum, false, prng);
}

trainer::Batch batch_of(std::span<const Transcript> rows) {
    trainer::Batch batch;
    batch.rows = rows.size();
    for (const Transcript& row : rows)
        batch.columns = std::max(batch.columns, row.pieces.size() - 1);
    for (const Transcript& row : rows) {
        for (std::size_t i = 0; i < batch.columns; ++i) {
            const bool inside = i + 1 < row.pieces.size();
            batch.inputs.push_back(inside ? row.pieces[i] : lessons::Vocabulary::unknown);
            batch.targets.push_back(inside && i + 1 >= row.answer_begin ? row.pieces[i + 1]
                                                                        : trainer::not_learnt);
        }
    }
    return batch;
}

}  // namespace

lessons::Vocabulary course_vocabulary(const Course& course) {
    base::Prng prng(course.seed);
    std::vector<std::string> texts;
    for (std::size_t i = 0; i < vocabulary_lessons; ++i) {
        const Kind kind = lessons::kinds()[prng.below(lessons::kinds().size())];
        const Lesson lesson = lessons::make_lesson(kind, false, prng);
        for (std::size_t turn = 0; turn < lesson.turns.size(); ++turn)
            texts.push_back((turn % 2 == 0 ? "user\n" : "assistant\n") + lesson.turns[turn]);
        texts.push_back("assistant\n" + lesson.answer);
    }
    return lessons::Vocabulary::learn(texts, joined_pieces);
}

trainer::ModelShape course_shape(const lessons::Vocabulary& vocabulary) {
    trainer::ModelShape shape;
    shape.vocabulary = vocabulary.size();
    return shape;
}

CourseBatches::CourseBatches(const Course& course, const lessons::Vocabulary& vocabulary)
    : course_(course), vocabulary_(vocabulary) {}

void CourseBatches::draw_pool(std::uint64_t number) {
    base::Prng prng(course_.seed + spread * (1 + number));
    pool_.clear();
    for (std::size_t i = 0; i < course_.lessons_per_step * steps_per_pool; ++i)
        pool_.push_back(transcribe(draw_lesson(prng), vocabulary_));
    std::ranges::stable_sort(pool_, [](const Transcript& a, const Transcript& b) {
        return a.pieces.size() < b.pieces.size();
    });
    pool_number_ = number;
}

trainer::Batch CourseBatches::at(std::uint64_t step) {
    const std::uint64_t number = step / steps_per_pool;
    if (pool_number_ != number)
        draw_pool(number);
    // Short and long in turn, by an odd stride.
    const std::size_t place = step % steps_per_pool * 7 % steps_per_pool;
    return batch_of(
        std::span(pool_).subspan(place * course_.lessons_per_step, course_.lessons_per_step));
}

// Up in a line, down in half a cosine.
double course_learning_rate(const Course& course, std::uint64_t step) {
    if (step < course.warm_up_steps)
        return course.learning_rate * static_cast<double>(step + 1) /
               static_cast<double>(course.warm_up_steps);
    const double way = static_cast<double>(step - course.warm_up_steps) /
                       static_cast<double>(course.steps - course.warm_up_steps);
    return course.learning_rate_end + (course.learning_rate - course.learning_rate_end) * 0.5 *
                                          (1.0 + std::cos(std::numbers::pi * way));
}

std::vector<Mark> examine(trainer::Trainer& trainer, const lessons::Vocabulary& vocabulary,
                          std::size_t lessons_per_kind, std::uint64_t seed) {
    std::vector<Mark> marks;
    for (const Kind kind : lessons::kinds()) {
        base::Prng prng(seed);
        Mark mark{kind, lessons_per_kind, 0, {}};
        std::map<std::size_t, std::vector<Lesson>> by_length;
        for (std::size_t i = 0; i < lessons_per_kind; ++i) {
            Lesson lesson = lessons::make_lesson(kind, true, prng);
            by_length[transcribe(lesson, vocabulary).answer_begin].push_back(std::move(lesson));
        }
        for (const auto& [length, same] : by_length) {
            std::vector<std::vector<std::int64_t>> beginnings;
            for (const Lesson& lesson : same) {
                const Transcript transcript = transcribe(lesson, vocabulary);
                beginnings.emplace_back(
                    transcript.pieces.begin(),
                    transcript.pieces.begin() + static_cast<std::ptrdiff_t>(length));
            }
            const auto answers = trainer.continuations(beginnings, lessons::Vocabulary::end_of_turn,
                                                       answer_pieces_max);
            for (std::size_t i = 0; i < same.size(); ++i) {
                const std::vector<std::int32_t> pieces(answers[i].begin(), answers[i].end());
                const std::string answer = vocabulary.decode(pieces);
                if (is_right(same[i], answer)) {
                    ++mark.right;
                } else {
                    mark.wrong = same[i].turns.back() + " -> " + answer;
                }
            }
        }
        marks.push_back(std::move(mark));
    }
    return marks;
}

}  // namespace idlewatt::valet
