// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages by which gateways run the lines of batches, as bytes and back. A gateway pulls: it asks
// for lines, names the leases that it holds, and sends one result for each. The rules of wire.hpp
// hold: decoding checks every bound. Pure; any thread.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"
#include "core/api_key.hpp"

namespace idlewatt::wire {

inline constexpr std::uint32_t batch_lines_max = 50'000;
inline constexpr std::uint32_t batch_items_max = 256;  // of one answer
inline constexpr std::size_t batch_leases_max = 4096;  // of one gateway
inline constexpr std::size_t batch_work_bytes_max = 900 * 1024;
inline constexpr std::size_t batch_body_bytes_max = 512 * 1024;
inline constexpr std::size_t batch_part_bytes_max = 512 * 1024;
inline constexpr std::uint32_t batch_parts_max = 16;
inline constexpr std::size_t batch_result_bytes_max = batch_parts_max * batch_part_bytes_max;
inline constexpr std::size_t batch_request_id_bytes_max = 128;
// A lease that no ask has named for so long is given to somebody else.
inline constexpr base::Duration batch_lease_life = base::seconds(60);

inline constexpr std::array<std::string_view, 3> batch_endpoints{
    "/v1/chat/completions", "/v1/completions", "/v1/embeddings"};

struct BatchAsk {
    std::uint32_t items_max = 0;  // 0: none, only keep the leases
    std::vector<std::uint64_t> running_leases;
    // Whose lines it cannot run: those of keys that the coordinator has made, or those of the key
    // that programs are given at their start (its id is "static").
    bool lacks_key_book = false;
    bool lacks_static_key = false;
    friend bool operator==(const BatchAsk&, const BatchAsk&) = default;
};
[[nodiscard]] std::string encode(const BatchAsk& ask);
[[nodiscard]] base::Result<BatchAsk> decode_batch_ask(std::string_view bytes);

struct BatchItem {
    std::uint64_t lease = 0;
    std::string batch_id;
    std::uint32_t line = 0;  // from 1
    core::KeyId key;         // limits and data class are those of this key
    std::string endpoint;    // one of batch_endpoints
    std::string body;        // JSON, as the client wrote it
    friend bool operator==(const BatchItem&, const BatchItem&) = default;
};
struct BatchWork {
    std::vector<BatchItem> items;
    std::vector<std::uint64_t> ended_leases;  // of those named: nobody waits for their result
    friend bool operator==(const BatchWork&, const BatchWork&) = default;
};
[[nodiscard]] std::string encode(const BatchWork& work);
[[nodiscard]] base::Result<BatchWork> decode_batch_work(std::string_view bytes);

struct BatchResult {
    std::uint64_t lease = 0;
    std::string batch_id;
    std::uint32_t line = 0;
    std::uint32_t status_code = 0;  // HTTP, 200 to 599; 0: it could not be executed in time
    std::string request_id;
    std::uint32_t part = 0;   // of the body; sent in their order
    std::uint32_t parts = 1;  // at most batch_parts_max
    std::string body;         // JSON; an error object when status_code says so
    friend bool operator==(const BatchResult&, const BatchResult&) = default;
};
[[nodiscard]] std::string encode(const BatchResult& result);
[[nodiscard]] base::Result<BatchResult> decode_batch_result(std::string_view bytes);

enum class BatchResultState {
    part_taken,  // go on with the next part
    committed,   // this line has its one result, from whomever it came: forget it
    send_again,  // from part 0: a part is missing
    refused,     // for good: there is no such line, or nobody waits for it: forget it
};
struct BatchResultAnswer {
    BatchResultState state = BatchResultState::refused;
    friend bool operator==(const BatchResultAnswer&, const BatchResultAnswer&) = default;
};
[[nodiscard]] std::string encode(const BatchResultAnswer& answer);
[[nodiscard]] base::Result<BatchResultAnswer> decode_batch_result_answer(std::string_view bytes);

}  // namespace idlewatt::wire
