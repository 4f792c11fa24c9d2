// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files and batches of the in-memory twin. Only for the sources of this module.
#pragma once

#include <string>
#include <vector>

#include "store/memory_store.hpp"

namespace idlewatt::store {

[[nodiscard]] BatchPage memory_batch_page(const MemoryDatabase& database, const core::KeyId& key,
                                          const std::string& after, std::size_t limit);
void memory_add_lines(MemoryDatabase& database, const std::string& batch,
                      const std::vector<BatchLine>& lines);
[[nodiscard]] BatchState memory_batch_state(const MemoryDatabase& database,
                                            const std::string& batch);
[[nodiscard]] std::size_t memory_add_results(MemoryDatabase& database,
                                             const std::vector<BatchResult>& results);
[[nodiscard]] BatchItemPage memory_batch_items(const MemoryDatabase& database,
                                               const std::string& batch, std::uint32_t after,
                                               std::size_t limit, std::size_t bytes_max);
void memory_end_batch(MemoryDatabase& database, const Batch& batch, const std::vector<File>& files);
[[nodiscard]] std::vector<Batch> memory_ended_batches(const MemoryDatabase& database,
                                                      base::WallTime before, std::size_t limit);

}  // namespace idlewatt::store
