// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The four forms of a prompt (completions) or input (embeddings): a text, texts, token ids, lists
// of token ids. Only for the sources of this module.
#pragma once

#include <vector>

#include "wire/request_checks.hpp"

namespace idlewatt::wire {

// Each item is a text or a list of token ids, taken out of the document's member of this name.
// Refused: nothing at all, empty lists, numbers that are no token ids, more than items_max.
[[nodiscard]] tl::expected<std::vector<RequestJson>, ApiError> take_prompts(RequestJson& document,
                                                                            const char* name,
                                                                            std::size_t items_max);

}  // namespace idlewatt::wire
