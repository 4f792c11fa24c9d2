// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The program that learns. Today it teaches the demonstration's own model, Valet, on this machine;
// interrupted at any moment, it goes on from its last state.
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>

#include <unistd.h>

#include <CLI/CLI.hpp>

#include "base/asio_loop.hpp"
#include "valet/valet.hpp"
#include "valet/valet_file.hpp"

namespace {

using namespace idlewatt;

constexpr std::uint64_t steps_per_state = 500;
constexpr std::size_t lessons_per_kind = 200;
constexpr std::uint64_t examination_seed = 2026;
constexpr base::Duration period_on_terminal = base::milliseconds(200);
constexpr base::Duration period_elsewhere = base::seconds(10);

struct Options {
    std::string model;
    std::string state;
    std::uint64_t steps = valet::Course{}.steps;
    int threads = 1;
};

int fail(const base::Error& error) {
    std::cerr << "idlewatt-trainer: " << error.message << '\n';
    return 1;
}

class Progress {
public:
    Progress(std::uint64_t steps, std::uint64_t done)
        : steps_(steps), first_(done), begin_(loop_.now()), last_(begin_) {}

    void show(std::uint64_t done, double loss) {
        smooth_ = smooth_ == 0.0 ? loss : 0.98 * smooth_ + 0.02 * loss;
        const bool terminal = ::isatty(2) != 0;
        const base::Instant now = loop_.now();
        if (done < steps_ && now - last_ < (terminal ? period_on_terminal : period_elsewhere))
            return;
        last_ = now;
        const double minutes = static_cast<double>((now - begin_).whole_milliseconds()) / 60'000.0;
        const double left =
            minutes / static_cast<double>(done - first_) * static_cast<double>(steps_ - done);
        std::fprintf(stderr, "%sstep %llu of %llu, loss %.4f, %.0f min left%s",
                     terminal ? "\r" : "", static_cast<unsigned long long>(done),
                     static_cast<unsigned long long>(steps_), smooth_, left,
                     terminal && done < steps_ ? "   " : "\n");
    }

private:
    const std::uint64_t steps_;
    const std::uint64_t first_;
    base::AsioLoop loop_;  // for its clock
    const base::Instant begin_;
    base::Instant last_;
    double smooth_ = 0.0;
};

void print(const std::vector<valet::Mark>& marks) {
    std::size_t asked = 0;
    std::size_t right = 0;
    for (const valet::Mark& mark : marks) {
        std::cout << name(mark.kind) << ": " << mark.right << " of " << mark.asked
                  << (mark.wrong.empty() ? "" : "   wrong, for one: " + mark.wrong) << '\n';
        asked += mark.asked;
        right += mark.right;
    }
    std::cout << "together: " << right << " of " << asked << " held-out lessons right\n";
}

// It appears whole or not at all.
base::Result<void> write_file(const std::string& path, const std::string& bytes) {
    const std::string partial = path + ".partial." + std::to_string(::getpid());
    std::ofstream file(partial, std::ios::binary | std::ios::trunc);
    file << bytes;
    file.close();
    std::error_code error;
    if (file)
        std::filesystem::rename(partial, path, error);
    if (!file || error)
        return base::fail(base::ErrorKind::io, "cannot write the model to '" + path + "'");
    return {};
}

int teach(const Options& options) {
    valet::Course course;
    course.steps = options.steps;
    const lessons::Vocabulary vocabulary = valet::course_vocabulary(course);
    const trainer::ModelShape shape = valet::course_shape(vocabulary);
    auto trainer = trainer::make_torch_trainer(shape, course.seed, options.threads);
    if (!trainer)
        return fail(trainer.error());
    if (std::filesystem::exists(options.state)) {
        if (const auto loaded = (*trainer)->load(options.state); !loaded)
            return fail(loaded.error());
        std::cerr << "going on behind step " << (*trainer)->steps() << " of " << options.state
                  << '\n';
    }
    valet::CourseBatches batches(course, vocabulary);
    Progress progress(course.steps, (*trainer)->steps());
    while ((*trainer)->steps() < course.steps) {
        const std::uint64_t step = (*trainer)->steps();
        const double loss =
            (*trainer)->step(batches.at(step), valet::course_learning_rate(course, step));
        progress.show(step + 1, loss);
        if ((step + 1) % steps_per_state != 0 && step + 1 != course.steps)
            continue;
        if (const auto saved = (*trainer)->save(options.state); !saved)
            return fail(saved.error());
    }
    print(valet::examine(**trainer, vocabulary, lessons_per_kind, examination_seed));
    const auto written = write_file(
        options.model,
        valet::model_file(shape, vocabulary, (*trainer)->weights(), engine::WeightType::f16));
    return written ? 0 : fail(written.error());
}

}  // namespace

int main(int argc, char** argv) {
    CLI::App app("Teaches Valet, the demonstration's own model, on this machine.");
    Options options;
    app.add_option("--model", options.model, "the GGUF file to write")->required();
    app.add_option("--state", options.state,
                   "kept every 500 steps; where it is there, it is gone on from")
        ->required();
    app.add_option("--steps", options.steps, "how long the course is")
        ->check(CLI::Range(1, 1'000'000));
    app.add_option("--threads", options.threads, "of the computation")->check(CLI::Range(1, 64));
    CLI11_PARSE(app, argc, argv);
    return teach(options);
}
