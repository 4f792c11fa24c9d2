// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a cell's store keeps of files that clients sent and of batches made of them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "core/api_key.hpp"

namespace idlewatt::store {

// The bytes are a blob.
struct File {
    std::string id;   // file-…
    core::KeyId key;  // whose file it is
    std::string filename;
    std::string purpose;
    std::uint64_t bytes = 0;
    std::string sha256;
    base::WallTime created_at;
    std::optional<base::WallTime> expires_at{};
    friend bool operator==(const File&, const File&) = default;
};

enum class BatchStatus {
    validating,
    failed,
    in_progress,
    finalizing,
    completed,
    expired,
    cancelling,
    cancelled,
};
[[nodiscard]] std::string_view name(BatchStatus status);
[[nodiscard]] std::optional<BatchStatus> batch_status(std::string_view name);
[[nodiscard]] bool is_terminal(BatchStatus status);

// What the lines that have ended come to.
struct BatchTally {
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t input_tokens = 0;
    std::uint64_t cached_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::uint64_t reasoning_tokens = 0;
    friend bool operator==(const BatchTally&, const BatchTally&) = default;
};

struct Batch {
    std::string id;   // batch_…
    core::KeyId key;  // who pays
    std::string endpoint;
    std::string input_file;
    BatchStatus status = BatchStatus::validating;
    std::string model{};          // of its lines, if they name one only
    std::string metadata_json{};  // an object; empty: null
    std::string errors_json{};    // an array of validation's errors; empty: none
    std::string output_file{};    // empty: none
    std::string error_file{};     // empty: none
    std::optional<base::Duration> output_expires_after{};
    base::WallTime created_at{};
    base::WallTime expires_at{};
    std::optional<base::WallTime> in_progress_at{};
    std::optional<base::WallTime> finalizing_at{};
    std::optional<base::WallTime> cancelling_at{};
    std::optional<base::WallTime> ended_at{};  // of a terminal status, whichever it is
    std::uint64_t total = 0;
    BatchTally tally{};  // while it runs, that of its lines counts
    friend bool operator==(const Batch&, const Batch&) = default;
};

struct BatchPage {
    std::vector<Batch> batches{};  // the newest first
    bool more = false;
    friend bool operator==(const BatchPage&, const BatchPage&) = default;
};

// Where a line stands in the input file.
struct BatchLine {
    std::uint32_t line = 0;  // from 1
    std::uint64_t offset = 0;
    std::uint32_t bytes = 0;
    std::string custom_id;
    friend bool operator==(const BatchLine&, const BatchLine&) = default;
};

// How a line ended.
struct BatchResult {
    std::string batch;
    std::uint32_t line = 0;
    bool succeeded = false;
    std::uint32_t status_code = 0;  // 0: it was never executed, and error_code says why
    std::string error_code{};
    std::string request_id{};
    std::string body{};  // JSON on one line; empty when it was never executed
    std::uint32_t input_tokens = 0;
    std::uint32_t cached_tokens = 0;
    std::uint32_t output_tokens = 0;
    std::uint32_t reasoning_tokens = 0;
    friend bool operator==(const BatchResult&, const BatchResult&) = default;
};

struct BatchItem {
    BatchLine line;
    std::optional<BatchResult> result;  // none: it has not ended
    friend bool operator==(const BatchItem&, const BatchItem&) = default;
};

struct BatchItemPage {
    std::vector<BatchItem> items{};  // in the order of their lines
    bool more = false;
    friend bool operator==(const BatchItemPage&, const BatchItemPage&) = default;
};

struct BatchState {
    std::vector<BatchLine> open{};  // lines without a result, without their custom_id
    BatchTally tally{};
    friend bool operator==(const BatchState&, const BatchState&) = default;
};

}  // namespace idlewatt::store
