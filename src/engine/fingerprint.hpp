// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What decides an answer beside the request, as one short name: two cars of the same fingerprint
// give the same answer to the same request with a seed. Any thread.
#pragma once

#include <string>

namespace idlewatt::engine {

struct Provenance {
    std::string build;         // of the engine, as it says itself
    std::string model;         // as announced
    std::string quantization;  // of its weights, as the engine calls it
    std::string hardware;      // see hardware_class()
};

// Ten hexadecimal digits; stable over versions, because clients compare it over months.
[[nodiscard]] std::string fingerprint(const Provenance& provenance);

// The processor's family and the widest vectors that it computes with: they decide the order in
// which sums are made, and so their last digits. "x86_64 avx2".
[[nodiscard]] std::string hardware_class();

}  // namespace idlewatt::engine
