// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The lines of batches: requests as clients write them into a file, answers as they get them back.
// Pure; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "wire/batch.hpp"

namespace idlewatt::wire {

inline constexpr std::size_t custom_id_bytes_max = 256;
// A line that is longer cannot hold a body of batch_body_bytes_max.
inline constexpr std::size_t batch_line_bytes_max = batch_body_bytes_max + 4096;

// What is wrong with a batch's file, or with one line of it.
struct BatchFault {
    std::string code;
    std::string message;
    std::string param{};                  // empty: null
    std::optional<std::uint32_t> line{};  // from 1
    friend bool operator==(const BatchFault&, const BatchFault&) = default;
};

struct BatchRequestLine {
    std::string custom_id;
    std::string body;          // JSON on one line, at most batch_body_bytes_max
    std::string model;         // empty: none is named
    std::uint32_t inputs = 1;  // of an embedding; else 1
};

// A line without its newline, for a batch of this endpoint. Faults: blank_line, line_too_long,
// invalid_json_line, missing_custom_id, invalid_custom_id, invalid_method, mismatched_url,
// missing_body, stream_not_supported, missing_model.
[[nodiscard]] tl::expected<BatchRequestLine, BatchFault> read_batch_line(std::string_view text,
                                                                         std::string_view endpoint,
                                                                         std::uint32_t line);

struct BatchUsage {
    std::uint32_t input_tokens = 0;
    std::uint32_t cached_tokens = 0;
    std::uint32_t output_tokens = 0;
    std::uint32_t reasoning_tokens = 0;
    friend bool operator==(const BatchUsage&, const BatchUsage&) = default;
};
// What an answer says of its tokens; nullopt: it is no JSON object.
[[nodiscard]] std::optional<BatchUsage> read_batch_usage(std::string_view body);
// The same JSON without line breaks; body must be JSON.
[[nodiscard]] std::string on_one_line(std::string body);

// Lines of output and error files, with their newline. id: batch_req_…
[[nodiscard]] std::string batch_answer_line(std::string_view id, std::string_view custom_id,
                                            std::uint32_t status_code, std::string_view request_id,
                                            std::string_view body);
[[nodiscard]] std::string batch_error_line(std::string_view id, std::string_view custom_id,
                                           std::string_view code, std::string_view message);

}  // namespace idlewatt::wire
