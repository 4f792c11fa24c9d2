// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Writes the output and error files of batches that end, one batch after the other, page by page
// from the store into drafts of blobs. Every line of a batch comes into exactly one of the two.
//
// Lifecycle: destroying it drops what was not done. Threads: the loop's.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "blobs/blobs.hpp"
#include "store/store.hpp"

namespace idlewatt::coordinator {

inline constexpr std::size_t items_per_page = 256;
inline constexpr std::size_t item_bytes_per_page = 4 * 1024 * 1024;

// The line of a file for an item, with its newline. unfinished_code: of one without a result.
[[nodiscard]] std::string batch_file_line(const store::BatchItem& item, const std::string& batch,
                                          const std::string& unfinished_code);

class BatchWriter {
public:
    struct Task {
        std::string batch;
        std::string unfinished_code;
    };
    struct Written {
        std::optional<blobs::Blob> output{};  // none: nothing succeeded
        std::optional<blobs::Blob> errors{};  // none: nothing failed
        blobs::Pin output_pin{};
        blobs::Pin error_pin{};
        store::BatchTally tally{};
    };
    using Done = std::function<void(const std::string& batch, base::Result<Written>)>;

    BatchWriter(store::Store& store, blobs::Blobs& blobs, Done done);

    BatchWriter(const BatchWriter&) = delete;
    BatchWriter& operator=(const BatchWriter&) = delete;

    void write(Task task);

private:
    struct Writing {
        Task task;
        std::uint32_t after = 0;
        bool more = true;
        std::size_t appends = 0;  // under way
        std::unique_ptr<blobs::Draft> output{};
        std::unique_ptr<blobs::Draft> errors{};
        Written written{};
    };

    void begin();
    void next_page();
    void take_page(const store::BatchItemPage& page);
    void append(std::unique_ptr<blobs::Draft>& draft, std::string text);
    void finish_output();
    void finish_errors();
    void finish(blobs::Draft& draft, std::function<void(const blobs::Blob&)> then);
    void end(base::Result<Written> result);
    template <class F>
    auto guarded(F callback);

    store::Store& store_;
    blobs::Blobs& blobs_;
    Done done_;
    std::deque<Task> tasks_;
    std::unique_ptr<Writing> now_;
    std::uint64_t run_ = 0;  // callbacks of an earlier one do not count
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
