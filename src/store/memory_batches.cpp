// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/memory_batches.hpp"

#include <algorithm>

namespace idlewatt::store {

namespace {

void erase_lines(MemoryDatabase& database, const std::string& batch) {
    std::erase_if(database.lines, [&](const auto& one) { return one.first.first == batch; });
}

}  // namespace

BatchPage memory_batch_page(const MemoryDatabase& database, const core::KeyId& key,
                            const std::string& after, std::size_t limit) {
    BatchPage page;
    for (auto one = database.batches.rbegin(); one != database.batches.rend(); ++one) {
        if (one->second.key != key || (!after.empty() && one->first >= after))
            continue;
        if (page.batches.size() == limit) {
            page.more = true;
            break;
        }
        page.batches.push_back(one->second);
    }
    return page;
}

void memory_add_lines(MemoryDatabase& database, const std::string& batch,
                      const std::vector<BatchLine>& lines) {
    if (lines.empty() || lines.front().line == 1)
        erase_lines(database, batch);
    for (const BatchLine& line : lines)
        database.lines.emplace(std::pair{batch, line.line}, BatchItem{line, std::nullopt});
}

BatchState memory_batch_state(const MemoryDatabase& database, const std::string& batch) {
    BatchState state;
    for (auto one = database.lines.lower_bound({batch, 0});
         one != database.lines.end() && one->first.first == batch; ++one) {
        const auto& [line, result] = one->second;
        if (!result) {
            state.open.push_back({line.line, line.offset, line.bytes, {}});
            continue;
        }
        (result->succeeded ? state.tally.completed : state.tally.failed) += 1;
        state.tally.input_tokens += result->input_tokens;
        state.tally.cached_tokens += result->cached_tokens;
        state.tally.output_tokens += result->output_tokens;
        state.tally.reasoning_tokens += result->reasoning_tokens;
    }
    return state;
}

std::size_t memory_add_results(MemoryDatabase& database, const std::vector<BatchResult>& results) {
    std::size_t added = 0;
    for (const BatchResult& result : results) {
        const auto found = database.lines.find({result.batch, result.line});
        if (found == database.lines.end() || found->second.result)
            continue;
        found->second.result = result;
        ++added;
    }
    return added;
}

BatchItemPage memory_batch_items(const MemoryDatabase& database, const std::string& batch,
                                 std::uint32_t after, std::size_t limit, std::size_t bytes_max) {
    BatchItemPage page;
    std::size_t bytes = 0;
    for (auto one = database.lines.upper_bound({batch, after});
         one != database.lines.end() && one->first.first == batch; ++one) {
        bytes += one->second.result ? one->second.result->body.size() : 0;
        if (!page.items.empty() && (page.items.size() == limit || bytes > bytes_max)) {
            page.more = true;
            break;
        }
        page.items.push_back(one->second);
    }
    return page;
}

void memory_end_batch(MemoryDatabase& database, const Batch& batch,
                      const std::vector<File>& files) {
    for (const File& file : files)
        database.files.emplace(file.id, file);
    database.batches[batch.id] = batch;
    erase_lines(database, batch.id);
}

std::vector<Batch> memory_ended_batches(const MemoryDatabase& database, base::WallTime before,
                                        std::size_t limit) {
    std::vector<Batch> all;
    for (const auto& [id, batch] : database.batches) {
        if (is_terminal(batch.status) && batch.ended_at && *batch.ended_at < before)
            all.push_back(batch);
    }
    std::ranges::sort(all, {}, [](const Batch& batch) { return batch.ended_at->us; });
    all.resize(std::min(all.size(), limit));
    return all;
}

}  // namespace idlewatt::store
