// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which model the car is to hold, and what is to be done for it: ask the coordinator, fetch the
// file, let the old one end, load the new one. A value that only its methods change.
//
//   assigned ──fetch──▶ file there ──old one drained──▶ loaded
//
// A car goes on with its old model while the new one is fetched, and goes back to it when the
// engine cannot load the new one. A car with a fixed model asks nobody and fetches nothing.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "agent/event.hpp"
#include "base/prng.hpp"
#include "base/time.hpp"
#include "core/core.hpp"

namespace idlewatt::agent {

// Beside these, whenever the coordinator pokes it and whenever the bus is back.
inline constexpr base::Duration assignment_period = base::seconds(30);
inline constexpr base::Duration assignment_retry_min = base::seconds(2);
// A file that could not be fetched is tried again then, or when the assignment changes.
inline constexpr base::Duration fetch_again_min = base::seconds(30);
inline constexpr base::Duration fetch_again_max = base::minutes(30);
// An engine that has failed so often with a new model, and not been ready once, cannot load it.
inline constexpr int model_loads_max = 3;

class ModelPlan {
public:
    // A fixed model is loaded by whoever made the engine; empty: the coordinator says which.
    ModelPlan(const std::string& fixed_model, std::uint64_t seed);

    // ── what happens ──
    void ask_now(base::Instant now);
    void answered(const std::optional<core::Assignment>& assignment, base::Instant now,
                  Effects& effects);
    void remember(const core::Assignment& assignment);
    void fetched(const ModelFetched& event);
    void fetch_failed(const ModelFetchFailed& event, base::Instant now);
    // Called at every tick and change; nothing is fetched while the owner does not want work.
    void steer(base::Instant now, bool may_work, bool connected, Effects& effects);
    // The engine is about to start; it is told its model if that is another than the last one.
    void load(Effects& effects);
    // The engine is gone.
    void unloaded() { loaded_.reset(); }
    void engine_ready(Effects& effects);
    // True: it goes back to the model before, which hold() makes room for.
    [[nodiscard]] bool engine_failed(const std::string& failure, Effects& effects);

    // ── what holds ──
    // Why the car takes no work although its owner allows it; nullopt: nothing is against it.
    [[nodiscard]] std::optional<core::Reason> hold() const;
    [[nodiscard]] bool can_load() const { return to_load().has_value(); }
    [[nodiscard]] bool loaded() const { return loaded_.has_value(); }
    // As it is announced; empty: none.
    [[nodiscard]] const std::string& loaded_name() const;

private:
    struct File {
        std::string name;
        std::string sha256;
        std::string path;
        friend bool operator==(const File&, const File&) = default;
    };
    struct Fetch {
        std::string sha256;
        std::string url;
        friend bool operator==(const Fetch&, const Fetch&) = default;
    };
    // False: it is not news.
    bool take(const core::Assignment& assignment);
    [[nodiscard]] std::optional<Fetch> wanted_fetch() const;
    [[nodiscard]] std::optional<File> to_load() const;

    bool fixed_;
    base::Prng prng_;

    std::optional<core::Assignment> assignment_;
    bool asking_ = false;
    bool ask_again_ = false;  // poked while asking
    base::Instant ask_at_{};
    base::Duration ask_retry_ = assignment_retry_min;

    std::optional<Fetch> fetching_;
    base::Instant fetch_at_{};
    base::Duration fetch_retry_ = fetch_again_min;
    bool old_must_go_ = false;  // there is no room for two
    bool old_serves_ = false;   // until the new one is there; not one that was taken away

    std::optional<File> file_;    // on the disk, whole
    std::optional<File> told_;    // what the engine loads when it starts
    std::optional<File> loaded_;  // while the engine runs
    std::optional<File> worked_;  // the last one with which the engine was ready
    int loads_failed_ = 0;        // with what is told, in a row
    std::string unfit_sha256_;    // of what is assigned: the engine cannot load it
};

}  // namespace idlewatt::agent
