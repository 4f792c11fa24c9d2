// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Asks a ready engine whether it can what Idlewatt needs, by doing it: engines move on, and their
// version says little. Takes about two seconds with a tiny model, and slots meanwhile; so it is
// for "idlewatt-agent check-engine" and tests; a LlamaServerEngine that serves only watches its
// streams for names_ids and counts_tokens.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/loop.hpp"
#include "engine/engine.hpp"

namespace idlewatt::engine {

struct CapabilityCheck {
    std::string capability;  // see the constants below
    bool ok = false;
    bool required = false;  // without it the engine cannot serve; else it serves less well
    std::string message;    // what was seen, and what follows from it
};

struct ContractReport {
    std::vector<CapabilityCheck> checks;

    [[nodiscard]] bool usable() const;
};

inline constexpr const char* capability_streams = "streams";              // text arrives in pieces
inline constexpr const char* capability_counts_tokens = "counts_tokens";  // exactly
inline constexpr const char* capability_names_ids = "names_ids";          // of streamed tokens
inline constexpr const char* capability_continues = "continues";  // greedy, from ids, exactly
inline constexpr const char* capability_continues_text = "continues_text";  // from text
inline constexpr const char* capability_cancels = "cancels";                // a slot is free again
inline constexpr const char* capability_keeps_form = "keeps_form";          // a schema, after a cut
inline constexpr const char* capability_calls = "calls";            // takes functions to call
inline constexpr const char* capability_embeddings = "embeddings";  // vectors of inputs

// The report comes once, on the loop, even from an engine that does not answer. The engine must
// outlive it; its model should be F32, else equality is not to be expected.
void check_engine_contract(base::Loop& loop, Engine& engine,
                           std::function<void(ContractReport)> done);

}  // namespace idlewatt::engine
