// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// An engine under the eyes of a checker: tells when it is asked to run or to end, and when it
// speaks after it was asked to end.
#pragma once

#include <functional>
#include <utility>

#include "engine/engine.hpp"

namespace idlewatt::simulator {

class WatchedEngine final : public engine::Engine {
public:
    WatchedEngine(engine::Engine& below, std::function<void()> on_change,
                  std::function<void()> on_late_word)
        : below_(below), on_change_(std::move(on_change)), on_late_word_(std::move(on_late_word)) {}

    // Asked to run and not yet asked to end.
    [[nodiscard]] bool wanted() const { return wanted_; }

    void on_status(std::function<void(const engine::Status&)> on_status) override {
        below_.on_status(std::move(on_status));
    }
    void use_model(engine::ModelFile model) override { below_.use_model(std::move(model)); }
    void start() override {
        wanted_ = true;
        below_.start();
        on_change_();
    }
    void kill(std::function<void()> gone) override {
        wanted_ = false;
        below_.kill(std::move(gone));
        on_change_();
    }
    engine::StreamId generate(const engine::Generation& generation,
                              engine::StreamHandler handler) override {
        const auto on_piece = std::move(handler.on_piece);
        handler.on_piece = [this, on_piece](core::Piece piece) {
            if (!wanted_)
                on_late_word_();
            on_piece(std::move(piece));
        };
        const auto on_embedding = std::move(handler.on_embedding);
        handler.on_embedding = [this, on_embedding](core::Embedding embedding) {
            if (!wanted_)
                on_late_word_();
            if (on_embedding)
                on_embedding(std::move(embedding));
        };
        return below_.generate(generation, std::move(handler));
    }
    void cancel(engine::StreamId stream) override { below_.cancel(stream); }
    void set_paused(engine::StreamId stream, bool paused) override {
        below_.set_paused(stream, paused);
    }
    [[nodiscard]] base::Duration cpu_time() const override { return below_.cpu_time(); }

private:
    engine::Engine& below_;
    std::function<void()> on_change_;
    std::function<void()> on_late_word_;
    bool wanted_ = false;
};

}  // namespace idlewatt::simulator
