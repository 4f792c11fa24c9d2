// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What LibTorch computes and what llama.cpp computes for the same weights and the same text.
#include "valet/valet.hpp"

#include <cmath>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"
#include "engine/connection.hpp"
#include "engine/guard.hpp"
#include "engine/llama_server_engine.hpp"
#include "engine/sandbox.hpp"
#include "lessons/lessons.hpp"
#include "valet/valet_file.hpp"

namespace idlewatt::valet {
namespace {

using Json = nlohmann::json;

constexpr double tolerance = 1e-4;
// An engine runs when nothing else wants the processor: on a full machine it waits long.
constexpr auto patience = base::minutes(4);
constexpr int texts = 20;
constexpr std::uint64_t steps_taught = 40;

// A llama-server with this model, asked in its own words.
class RawEngine {
public:
    explicit RawEngine(const std::string& folder, const std::string& model) : folder_(folder) {
        engine::LlamaServerOptions options;
        options.bundle_dir = engine::find_engine_bundle().value_or("");
        options.model_path = model;
        options.model_name = "valet";
        options.run_dir = folder + "/run";
        options.guard_program = "/proc/self/exe";
        engine_ = engine::make_llama_server_engine(loop_, options);
        bool ready = false;
        engine_->on_status([&](const engine::Status& status) {
            ready = status.condition == engine::Condition::ready;
        });
        engine_->start();
        EXPECT_TRUE(run_until([&] { return ready; }));
    }

    Json post(const std::string& path, const Json& body) {
        std::string answer;
        bool over = false;
        const auto connection = engine::Connection::open(
            loop_, folder_ + "/run/socket/" + engine::engine_socket_name,
            engine::post_request(path, body.dump()),
            {.on_body = [&](std::uint32_t, std::string_view bytes) { answer += bytes; },
             .on_end =
                 [&](const base::Result<std::uint32_t>& status) {
                     over = true;
                     EXPECT_EQ(status.value_or(0), 200U);
                 },
             .on_bytes = nullptr});
        EXPECT_TRUE(run_until([&] { return over; }));
        return Json::parse(answer, nullptr, false);
    }

private:
    bool run_until(const std::function<bool()>& condition) {
        const base::Instant end = loop_.now() + patience;
        while (!condition() && loop_.now() < end)
            loop_.run_for(base::milliseconds(1));
        return condition();
    }

    base::AsioLoop loop_;
    std::string folder_;
    std::unique_ptr<engine::Engine> engine_;
};

struct Folder {
    std::string path = ::testing::TempDir() + "idlewatt_valet_" + std::to_string(::getpid());
    Folder() { std::filesystem::create_directory(path); }
    ~Folder() { std::filesystem::remove_all(path); }
};

lessons::Lesson some_lesson(base::Prng& prng) {
    return lessons::make_lesson(lessons::kinds()[prng.below(lessons::kinds().size())], prng);
}

// The engine's log-probability of each piece behind these.
std::map<std::int64_t, double> engine_says(RawEngine& engine,
                                           const std::vector<std::int64_t>& pieces,
                                           std::size_t vocabulary) {
    const Json answer = engine.post("/completion", {{"prompt", pieces},
                                                    {"n_predict", 1},
                                                    {"n_probs", vocabulary},
                                                    {"temperature", 0},
                                                    {"cache_prompt", false}});
    std::map<std::int64_t, double> found;
    for (const Json& row : answer.at("completion_probabilities").at(0).at("top_logprobs"))
        found[row.at("id")] = row.at("logprob");
    return found;
}

std::vector<double> log_shares(std::span<const float> logits) {
    double sum = 0.0;
    for (const float logit : logits)
        sum += std::exp(static_cast<double>(logit));
    std::vector<double> shares;
    for (const float logit : logits)
        shares.push_back(static_cast<double>(logit) - std::log(sum));
    return shares;
}

TEST(Valet, llama_cpp_reads_and_computes_what_was_learnt) {
    const Folder folder;
    const Course course{.steps = steps_taught, .lessons_per_step = 8, .warm_up_steps = 1};
    const lessons::Vocabulary vocabulary = course_vocabulary(course);
    const trainer::ModelShape shape = course_shape(vocabulary);
    const auto made = trainer::make_torch_trainer(shape, course.seed, 1);
    ASSERT_TRUE(made.has_value());
    trainer::Trainer& trainer = **made;
    // Far enough that its opinions differ.
    CourseBatches batches(course, vocabulary);
    for (std::uint64_t step = 0; step < course.steps; ++step)
        trainer.step(batches.at(step), course_learning_rate(course, step));
    const std::string model = folder.path + "/valet.gguf";
    std::ofstream(model, std::ios::binary)
        << model_file(shape, vocabulary, trainer.weights(), engine::WeightType::f32);
    RawEngine engine(folder.path, model);
    base::Prng prng(course.seed);
    double worst = 0.0;
    for (int i = 0; i < texts; ++i) {
        const lessons::Lesson lesson = some_lesson(prng);
        for (const std::string& text : {lesson.answer, lesson.turns.back()}) {
            const Json tokens = engine.post("/tokenize", {{"content", text}});
            EXPECT_EQ(tokens.at("tokens").get<std::vector<std::int32_t>>(), vocabulary.encode(text))
                << text;
        }
        const auto transcript = transcribe(lesson, vocabulary);
        const auto end = transcript.pieces.begin() +
                         static_cast<std::ptrdiff_t>(1 + prng.below(transcript.pieces.size()));
        const std::vector<std::int64_t> pieces(transcript.pieces.begin(), end);
        const std::vector<float> logits = trainer.logits(pieces);
        const auto expected = log_shares(std::span(logits).last(vocabulary.size()));
        const auto found = engine_says(engine, pieces, vocabulary.size());
        ASSERT_EQ(found.size(), vocabulary.size());
        for (const auto& [piece, share] : found)
            worst = std::max(worst, std::abs(share - expected.at(static_cast<std::size_t>(piece))));
    }
    std::printf("log-probabilities of %zu pieces at %d places differ by %.2e at most\n",
                vocabulary.size(), texts, worst);
    EXPECT_LE(worst, tolerance);
}

}  // namespace
}  // namespace idlewatt::valet

// The test is its own guard of the engine.
int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "engine-guard") == 0)
        return idlewatt::engine::guard_main(argc, argv);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
