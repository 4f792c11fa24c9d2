// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Models as a cell's registry knows them, and which of them a car is to hold.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"

namespace idlewatt::core {

// 64 hexadecimal digits in lower case.
[[nodiscard]] bool is_sha256(std::string_view text);

struct Model {
    std::string name;
    std::string sha256;  // of the GGUF file: its name in every blob store
    std::uint64_t bytes = 0;
    std::string architecture;  // as the file says: "llama"
    std::string quantization;  // "F16", "Q8_0" …
    std::uint64_t parameters = 0;
    std::uint32_t context_tokens = 0;
    // At least this many cars are to hold it while there are cars.
    std::uint32_t replicas_min = 1;
    base::WallTime added_at;
    friend bool operator==(const Model&, const Model&) = default;
};
inline constexpr std::size_t models_max = 1024;

// What the coordinator wants one car to hold; the car keeps the last one it heard.
struct Assignment {
    std::uint64_t version = 0;   // an older one is ignored
    std::optional<Model> model;  // absent: none
    std::string blob_url;        // where its bytes are: http(s)://…/<sha256>
    bool paused = false;         // by the operator: hold it, but take no work
    bool draining = false;       // finish, take nothing new, until resumed
    friend bool operator==(const Assignment&, const Assignment&) = default;
};

// What a car can hold, said when it asks for its assignment.
struct Capacity {
    std::uint64_t memory_bytes = 0;
    std::uint64_t cache_bytes = 0;           // of its blob cache, in all
    std::vector<std::string> cached_sha256;  // complete blobs, at most cached_blobs_max
    friend bool operator==(const Capacity&, const Capacity&) = default;
};
inline constexpr std::size_t cached_blobs_max = 256;

// How much of one model a gateway was asked for lately.
struct ModelDemand {
    std::string model;
    std::uint32_t waiting = 0;
    std::uint32_t running = 0;
    double tokens_per_second = 0.0;
    friend bool operator==(const ModelDemand&, const ModelDemand&) = default;
};

}  // namespace idlewatt::core
