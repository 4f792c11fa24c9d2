// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// /v1/files and /v1/batches: OpenAI's objects as JSON, and the order for a batch. Times are whole
// seconds. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "wire/api_error.hpp"
#include "wire/batch_lines.hpp"

namespace idlewatt::wire {

inline constexpr std::uint64_t file_bytes_max = 512ULL << 20;
inline constexpr std::uint64_t batch_file_bytes_max = 200ULL << 20;
inline constexpr std::size_t filename_bytes_max = 512;
inline constexpr std::array<std::string_view, 3> file_purposes{"batch", "fine-tune", "user_data"};
inline constexpr std::string_view output_purpose = "batch_output";
inline constexpr base::Duration expires_after_min = base::seconds(3600);
inline constexpr base::Duration expires_after_max = base::seconds(2'592'000);

struct FileObject {
    std::string id;
    std::uint64_t bytes = 0;
    base::WallTime created_at;
    std::optional<base::WallTime> expires_at{};
    std::string filename;
    std::string purpose;
};
[[nodiscard]] std::string file_body(const FileObject& file);
[[nodiscard]] std::string file_list_body(const std::vector<FileObject>& files, bool has_more);
[[nodiscard]] std::string file_deleted_body(std::string_view id);

inline constexpr std::size_t metadata_pairs_max = 16;
inline constexpr std::size_t metadata_key_bytes_max = 64 * 4;  // characters of at most four bytes
inline constexpr std::size_t metadata_value_bytes_max = 512 * 4;
inline constexpr base::Duration completion_window = base::minutes(24 * 60);

struct BatchOrder {
    std::string input_file_id;
    std::string endpoint;
    std::string metadata_json;               // an object; empty: none
    std::optional<base::WallTime> deadline;  // metadata.x_deadline, in seconds since 1970
    std::optional<base::Duration> output_expires_after;
};
[[nodiscard]] tl::expected<BatchOrder, ApiError> parse_batch_order(std::string_view body);

struct BatchObject {
    std::string id;
    std::string endpoint;
    std::string model;  // empty: more than one, or not known yet
    std::string input_file_id;
    std::string status;
    std::string output_file_id;  // empty: null, as in the next
    std::string error_file_id;
    std::string metadata_json;  // an object; empty: null
    std::string errors_json;    // of batch_faults_json(); empty: null
    base::WallTime created_at;
    base::WallTime expires_at;
    std::optional<base::WallTime> in_progress_at{};
    std::optional<base::WallTime> finalizing_at{};
    std::optional<base::WallTime> completed_at{};
    std::optional<base::WallTime> failed_at{};
    std::optional<base::WallTime> expired_at{};
    std::optional<base::WallTime> cancelling_at{};
    std::optional<base::WallTime> cancelled_at{};
    std::uint64_t total = 0;
    std::uint64_t completed = 0;
    std::uint64_t failed = 0;
    std::uint64_t input_tokens = 0;
    std::uint64_t cached_tokens = 0;
    std::uint64_t output_tokens = 0;
    std::uint64_t reasoning_tokens = 0;
};
[[nodiscard]] std::string batch_faults_json(const std::vector<BatchFault>& faults);
[[nodiscard]] std::string batch_body(const BatchObject& batch);
[[nodiscard]] std::string batch_list_body(const std::vector<BatchObject>& batches, bool has_more);

// ?after=…&limit=…&order=…&purpose=… of a list; percent-escapes are decoded.
struct ListQuery {
    std::string after;
    std::string purpose;
    std::size_t limit = 0;
    bool ascending = false;
};
[[nodiscard]] tl::expected<ListQuery, ApiError> parse_list_query(std::string_view target,
                                                                 std::size_t limit_max,
                                                                 std::size_t limit_default);

}  // namespace idlewatt::wire
