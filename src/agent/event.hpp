// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Everything that can happen to an agent, and everything that it can cause. The core maps one to
// the other; the shell (agent.hpp) turns callbacks of edges into events and effects into calls.
#pragma once

#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/core.hpp"
#include "engine/engine.hpp"
#include "wire/cell.hpp"

namespace idlewatt::agent {

// How long a car's credentials hold.
struct CredentialsLife {
    base::WallTime issued_at;
    base::WallTime expires_at;
};

// ── events ──────────────────────────────────────────────────────────────────────────────────────

struct SignalRead {
    core::SignalId signal;
    core::SignalReading reading;
};
struct EngineChanged {
    engine::Status status;
};
struct EngineGone {};  // after KillEngine: the process no longer exists
struct Heard {
    core::AttemptId attempt;
    core::ToCar message;
};
// A whole request, decoded by the shell after the core asked for it; nullopt: it was garbage.
struct WorkDecoded {
    core::AttemptId attempt;
    std::optional<core::Work> work;
};
struct PieceMade {
    core::AttemptId attempt;
    core::Piece piece;
};
struct EmbeddingMade {
    core::AttemptId attempt;
    core::Embedding embedding;
};
struct StreamEnded {
    core::AttemptId attempt;
    engine::StreamEnd end;
};
struct BusChanged {
    bool connected = false;
};
// The coordinator wants this car to ask for its assignment.
struct Poked {};
// The answer to AskAssignment; nullopt: there was none.
struct Assigned {
    std::optional<core::Assignment> assignment;
};
// What a former life was assigned.
struct Remembered {
    core::Assignment assignment;
};
struct ModelFetched {
    std::string sha256;
    std::string path;
};
struct ModelFetchFailed {
    std::string sha256;
    base::Error error;
};
// The answer to AskRenewal: the next credentials are on the disk; nullopt: there are none.
struct Renewed {
    std::optional<wire::Renewal> renewal;
};
struct Tick {};         // every tick_period
struct Terminating {};  // the process was asked to end: hand over everything now

using Event = std::variant<SignalRead, EngineChanged, EngineGone, Heard, WorkDecoded, PieceMade,
                           EmbeddingMade, StreamEnded, BusChanged, Poked, Assigned, Remembered,
                           ModelFetched, ModelFetchFailed, Renewed, Tick, Terminating>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct StartEngine {};
struct KillEngine {};
struct DecodeWork {
    core::AttemptId attempt;
    std::string bytes;
};
struct Generate {
    core::AttemptId attempt;
    engine::Generation generation;
};
struct CancelStream {
    core::AttemptId attempt;
};
struct PauseStream {
    core::AttemptId attempt;
    bool paused = false;
};
struct Say {
    core::GatewayId gateway;
    core::AttemptId attempt;
    core::FromCar message;
};
struct Announce {
    core::Announcement announcement;
};
// Keep what is known of an attempt, so that a killed agent can still account for it.
struct KeepDraft {
    core::Receipt draft;
};
// The attempt is over: complete with energy, sign, keep, deliver.
struct CloseReceipt {
    core::Receipt receipt;
};
// A recall has ended the engine: how long after the signal had arrived.
struct ReportRecall {
    core::Reason reason;
    base::Duration took;
};
struct ReportVerdict {
    core::Verdict verdict;
    core::Reason announced;
};

// What the coordinator wants this car to hold: answered by Assigned.
struct AskAssignment {};
struct KeepAssignment {
    core::Assignment assignment;
};
// Answered by ModelFetched or ModelFetchFailed, unless StopFetch comes first.
struct FetchModel {
    core::Model model;
    std::string url;
    // The model that was in use is not needed any more, so its room may be taken.
    bool drop_old = false;
};
struct StopFetch {};
// Before StartEngine: what it loads from now on.
struct UseModel {
    std::string sha256;
    engine::ModelFile file;
};
// The engine has become ready with the model: the file of the one before is not needed any more.
struct DropFormerModel {};
// The engine cannot load what is assigned.
struct ReportUnfitModel {
    std::string name;
    std::string goes_on_with;
    std::string failure;
};
// Answered by Renewed.
struct AskRenewal {};
// Begin to use the renewed credentials.
struct Reauthenticate {};

using Effect =
    std::variant<StartEngine, KillEngine, DecodeWork, Generate, CancelStream, PauseStream, Say,
                 Announce, KeepDraft, CloseReceipt, ReportRecall, ReportVerdict, AskAssignment,
                 KeepAssignment, FetchModel, StopFetch, UseModel, DropFormerModel, ReportUnfitModel,
                 AskRenewal, Reauthenticate>;
using Effects = std::vector<Effect>;

}  // namespace idlewatt::agent
