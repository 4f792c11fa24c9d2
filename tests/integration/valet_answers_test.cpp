// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The model of the demonstration, as it is committed, examined through the real engine on lessons
// that it was never taught.
#include <algorithm>
#include <cstdio>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/asio_loop.hpp"
#include "engine/guard.hpp"
#include "engine/llama_server_engine.hpp"
#include "engine/sandbox.hpp"
#include "lessons/lessons.hpp"

namespace idlewatt {
namespace {

constexpr std::size_t lessons_per_kind = 60;
constexpr std::uint32_t at_once = 4;
// Not the one of the examination that the trainer prints.
constexpr std::uint64_t seed = 20261122;
constexpr int answer_tokens_max = 64;
constexpr double share_right_min = 0.95;
constexpr std::uintmax_t model_bytes_max = 8'000'000;
// An engine runs when nothing else wants the processor: on a full machine it waits long.
constexpr auto patience = base::minutes(4);
const std::string model_path = IDLEWATT_SOURCE_DIR "/models/valet/valet.gguf";

std::string request_of(const lessons::Lesson& lesson) {
    nlohmann::json messages = nlohmann::json::array();
    for (std::size_t i = 0; i < lesson.turns.size(); ++i)
        messages.push_back(
            {{"role", i % 2 == 0 ? "user" : "assistant"}, {"content", lesson.turns[i]}});
    return nlohmann::json(
               {{"messages", messages}, {"temperature", 0}, {"max_tokens", answer_tokens_max}})
        .dump();
}

class Examination {
public:
    Examination() {
        std::string pattern = ::testing::TempDir() + "idlewatt_valet_XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        engine::LlamaServerOptions options;
        options.bundle_dir = engine::find_engine_bundle().value_or("");
        options.model_path = model_path;
        options.model_name = "valet";
        options.run_dir = folder_ + "/run";
        options.slots = at_once;
        options.guard_program = "/proc/self/exe";
        engine_ = engine::make_llama_server_engine(loop_, options);
    }
    ~Examination() {
        engine_.reset();
        std::filesystem::remove_all(folder_);
    }
    Examination(const Examination&) = delete;
    Examination& operator=(const Examination&) = delete;

    void ask(std::vector<lessons::Lesson> lessons) {
        std::ranges::move(lessons, std::back_inserter(open_));
    }

    // How many of each kind were answered right.
    std::map<lessons::Kind, std::size_t> run() {
        const std::size_t all = open_.size();
        engine_->on_status([this](const engine::Status& status) {
            if (status.condition != engine::Condition::ready || begun_)
                return;
            begun_ = true;
            for (std::uint32_t i = 0; i < at_once; ++i)
                ask_next();
        });
        engine_->start();
        const base::Instant end = loop_.now() + patience;
        while (ended_ < all && loop_.now() < end)
            loop_.run_for(base::milliseconds(5));
        EXPECT_EQ(ended_, all);
        return right_;
    }

private:
    void ask_next() {
        if (open_.empty())
            return;
        const auto lesson = std::make_shared<lessons::Lesson>(std::move(open_.front()));
        open_.pop_front();
        const auto answer = std::make_shared<std::string>();
        engine::StreamHandler handler;
        handler.on_piece = [answer](const core::Piece& piece) { *answer += piece.text; };
        handler.on_end = [this, lesson, answer](const engine::StreamEnd& end) {
            EXPECT_EQ(end.kind, engine::StreamEnd::Kind::finished) << end.failure;
            ++ended_;
            if (is_right(*lesson, *answer)) {
                ++right_[lesson->kind];
            } else {
                std::printf("%s: %s\n  expected: %s\n  answered: %s\n", name(lesson->kind).data(),
                            lesson->turns.back().c_str(), lesson->answer.c_str(), answer->c_str());
            }
            loop_.post([this] { ask_next(); });
        };
        engine::Generation generation;
        generation.request_json = request_of(*lesson);
        engine_->generate(generation, std::move(handler));
    }

    base::AsioLoop loop_;
    std::string folder_;
    std::unique_ptr<engine::Engine> engine_;
    std::deque<lessons::Lesson> open_;
    std::map<lessons::Kind, std::size_t> right_;
    std::size_t ended_ = 0;
    bool begun_ = false;
};

TEST(ValetAnswers, are_right_on_held_out_lessons_of_every_kind) {
    ASSERT_TRUE(std::filesystem::exists(model_path));
    EXPECT_LE(std::filesystem::file_size(model_path), model_bytes_max);
    Examination examination;
    base::Prng prng(seed);
    for (const lessons::Kind kind : lessons::kinds()) {
        std::vector<lessons::Lesson> held_out;
        while (held_out.size() < lessons_per_kind)
            held_out.push_back(lessons::make_lesson(kind, true, prng));
        examination.ask(std::move(held_out));
    }
    auto right = examination.run();
    for (const lessons::Kind kind : lessons::kinds()) {
        std::printf("%s: %zu of %zu\n", name(kind).data(), right[kind], lessons_per_kind);
        EXPECT_GE(static_cast<double>(right[kind]), share_right_min * lessons_per_kind)
            << name(kind);
    }
}

}  // namespace
}  // namespace idlewatt

// The test is its own guard of the engine.
int main(int argc, char** argv) {
    if (argc > 1 && std::strcmp(argv[1], "engine-guard") == 0)
        return idlewatt::engine::guard_main(argc, argv);
    ::testing::InitGoogleTest(&argc, argv);
    return RUN_ALL_TESTS();
}
