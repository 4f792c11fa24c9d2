// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What happens to batches, and what the coordinator does about it. Values only.
#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "base/time.hpp"
#include "core/id.hpp"
#include "store/batch_rows.hpp"
#include "wire/batch.hpp"

namespace idlewatt::coordinator {

// Deadlines of leases are on the loop's clock, those of batches on the calendar.
struct BatchNow {
    base::Instant instant;
    base::WallTime wall;
};

// Who asked, for the answer.
using BatchQuestion = std::uint64_t;

// ── events ──────────────────────────────────────────────────────────────────────────────────────

struct BatchAdded {  // it is in the store
    store::Batch batch;
};
struct BatchResumed {  // found in the store at the start
    store::Batch batch;
    store::BatchState state;
};
struct BatchChecked {
    std::string batch;
    std::string faults_json;              // empty: none
    std::vector<store::BatchLine> lines;  // they are in the store; without their custom_id
    std::string model;                    // of all lines; empty: of some another
};
struct BatchSaved {
    std::string batch;
    store::BatchStatus status{};  // what the store has now
};
struct WorkAsked {
    BatchQuestion question = 0;
    core::GatewayId gateway;
    wire::BatchAsk ask;
};
struct LinesReturned {  // leased, but not given to anybody
    std::vector<std::uint64_t> leases;
};
struct ResultOffered {
    BatchQuestion question = 0;
    std::string batch;
    std::uint32_t line = 0;
};
struct ResultCommitted {
    BatchQuestion question = 0;
    std::string batch;
    std::uint32_t line = 0;
    bool committed = false;   // false: the store refused
    store::BatchTally tally;  // what this line adds
};
struct BatchCancelAsked {
    std::string batch;
};
struct BatchFilesWritten {
    std::string batch;
    bool written = false;
    std::string output_file{};  // empty: none, as the next
    std::string error_file{};
    store::BatchTally tally{};  // as in the files
};
struct BatchEnded {  // the store has it
    std::string batch;
};
struct BatchClock {};

using BatchEvent = std::variant<BatchAdded, BatchResumed, BatchChecked, BatchSaved, WorkAsked,
                                LinesReturned, ResultOffered, ResultCommitted, BatchCancelAsked,
                                BatchFilesWritten, BatchEnded, BatchClock>;

// ── effects ─────────────────────────────────────────────────────────────────────────────────────

struct CheckBatch {
    std::string batch;
};
struct SaveBatch {
    std::string batch;  // as the core has it then
};
struct LeasedLine {
    std::uint64_t lease = 0;
    std::string batch;
    store::BatchLine line;  // without its custom_id
};
struct HandOut {
    BatchQuestion question = 0;
    std::vector<LeasedLine> lines;
    std::vector<std::uint64_t> ended_leases;
};
struct CommitResult {
    BatchQuestion question = 0;
};
struct AnswerResult {
    BatchQuestion question = 0;
    wire::BatchResultState state{};
};
struct WriteBatchFiles {
    std::string batch;
    std::string unfinished_code;  // of lines without a result
};
struct EndBatch {
    store::Batch batch;
};

using BatchEffect = std::variant<CheckBatch, SaveBatch, HandOut, CommitResult, AnswerResult,
                                 WriteBatchFiles, EndBatch>;

}  // namespace idlewatt::coordinator
