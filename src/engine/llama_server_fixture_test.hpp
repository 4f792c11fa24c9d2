// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A real engine with a tiny random model in a temporary folder, and a proof after each use that no
// process was left over. Without an engine bundle these tests fail; they are never skipped.
#pragma once

#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>

#include "base/asio_loop.hpp"
#include "core/resume_point.hpp"
#include "engine/llama_server_engine.hpp"
#include "engine/random_model.hpp"

namespace idlewatt::engine {

inline std::string greedy_request(std::uint32_t max_tokens) {
    return R"({"messages":[{"role":"system","content":"Speak."},)"
           R"({"role":"user","content":"where is the car"}],)"
           R"("temperature":0,"ignore_eos":true,"max_tokens":)" +
           std::to_string(max_tokens) + "}";
}

// Everything that was said to one generate().
struct Answer {
    std::vector<core::Piece> pieces;
    core::ResumePoint resume;
    std::string text;
    std::vector<core::ToolCall> calls;
    std::vector<core::Embedding> vectors;
    std::optional<StreamEnd> end;
    // After each piece or vector: a test that acts later may come behind the whole answer.
    std::function<void()> delivered;

    StreamHandler handler() {
        StreamHandler result;
        result.on_piece = [this](core::Piece piece) {
            EXPECT_FALSE(end.has_value());
            EXPECT_TRUE(piece.ids.empty() || piece.ids.size() == piece.token_count);
            EXPECT_TRUE(calls.empty()) << "a piece after the calls";
            EXPECT_TRUE(piece.reasoning.empty() || text.empty()) << "thoughts after text";
            resume.append(piece.ids, piece.text, piece.token_count);
            resume.reasoning += piece.reasoning;
            text += piece.text;
            calls = piece.tool_calls;
            pieces.push_back(std::move(piece));
            if (delivered)
                delivered();
        };
        result.on_embedding = [this](core::Embedding vector) {
            EXPECT_FALSE(end.has_value());
            EXPECT_EQ(vector.index, vectors.size());
            vectors.push_back(std::move(vector));
            if (delivered)
                delivered();
        };
        result.on_end = [this](StreamEnd ended) {
            EXPECT_FALSE(end.has_value());
            end = std::move(ended);
        };
        return result;
    }
};

// An ended process that only waits for its parent to look.
inline bool has_ended(int pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
    const std::string text{std::istreambuf_iterator<char>(file), {}};
    const std::size_t name_end = text.rfind(") ");
    return name_end == std::string::npos || text[name_end + 2] == 'Z';
}

// Processes below this one (orphans come to us, see main): engines, guards, sandboxes.
inline std::vector<int> processes_below() {
    std::vector<int> found;
    std::error_code error;
    for (const auto& task : std::filesystem::directory_iterator("/proc/self/task", error)) {
        std::ifstream children(task.path() / "children");
        int pid = 0;
        while (children >> pid) {
            if (!has_ended(pid))
                found.push_back(pid);
        }
    }
    return found;
}

inline std::string model_file(WeightType type, std::uint64_t seed = 1,
                              RandomSyntax syntax = RandomSyntax::plain) {
    const std::string path = ::testing::TempDir() + "idlewatt_random_" +
                             std::to_string(static_cast<int>(type)) + "_" + std::to_string(seed) +
                             (syntax == RandomSyntax::plain ? "_" : "_thinking_") +
                             std::to_string(::getpid()) + ".gguf";
    if (!std::filesystem::exists(path)) {
        RandomModelShape shape;
        shape.weights = type;
        shape.syntax = syntax;
        const auto written = write_random_model(path, shape, seed);
        EXPECT_TRUE(written) << (written ? "" : written.error().message);
    }
    return path;
}

class LlamaServerFixture {
public:
    explicit LlamaServerFixture(const std::function<void(LlamaServerOptions&)>& change = nullptr) {
        std::string pattern = ::testing::TempDir() + "idlewatt_engine_XXXXXX";
        folder = ::mkdtemp(pattern.data());
        const auto bundle = find_engine_bundle();
        EXPECT_TRUE(bundle) << (bundle ? "" : bundle.error().message);
        options.bundle_dir = bundle.value_or("");
        options.model_path = model_file(WeightType::f32);
        options.model_name = "random";
        options.run_dir = folder + "/run";
        options.guard_program = "/proc/self/exe";
        options.tap_path = folder + "/tap";
        if (change)
            change(options);
        engine = make_llama_server_engine(loop, options);
    }

    ~LlamaServerFixture() {
        engine.reset();
        EXPECT_EQ(processes_below(), std::vector<int>{}) << "a process was left over";
        EXPECT_FALSE(std::filesystem::exists(pid_file()));
        std::filesystem::remove_all(folder);
    }

    LlamaServerFixture(const LlamaServerFixture&) = delete;
    LlamaServerFixture& operator=(const LlamaServerFixture&) = delete;

    bool run_until(const std::function<bool()>& condition, base::Duration limit) {
        const base::Instant end = loop.now() + limit;
        while (!condition()) {
            if (loop.now() >= end)
                return false;
            loop.run_for(base::milliseconds(1));
        }
        return true;
    }

    [[nodiscard]] std::string pid_file() const { return options.run_dir + "/engine.pid"; }
    [[nodiscard]] int engine_pid() const {
        std::ifstream file(pid_file());
        int pid = 0;
        file >> pid;
        return pid;
    }

    base::AsioLoop loop;
    std::string folder;
    LlamaServerOptions options;
    std::unique_ptr<Engine> engine;
};

}  // namespace idlewatt::engine
