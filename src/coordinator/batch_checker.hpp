// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Checks the input files of batches, one after the other, and puts their lines into the store.
// A file is read in slices, and no task of the loop looks at more than check_bytes_per_task.
//
// Lifecycle: destroying it drops what was not done. Threads: the loop's.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <unordered_set>
#include <vector>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "store/store.hpp"
#include "wire/batch_lines.hpp"

namespace idlewatt::coordinator {

inline constexpr std::size_t check_slice_bytes = 1024 * 1024;
inline constexpr std::size_t check_bytes_per_task = 64 * 1024;
inline constexpr std::size_t check_lines_per_write = 1000;
// Told of one file; then it is not read on.
inline constexpr std::size_t batch_faults_max = 100;
// Of all lines of embeddings together.
inline constexpr std::uint64_t batch_inputs_max = 50'000;

class BatchChecker {
public:
    struct Task {
        std::string batch;
        std::string endpoint;
        std::string sha256;
        std::uint64_t bytes = 0;
    };
    struct Checked {
        std::vector<wire::BatchFault> faults{};
        std::vector<store::BatchLine> lines{};  // in the store; here without their custom_id
        std::string model{};                    // empty: several
    };
    // An error: the store or the disk refused, and nothing is known.
    using Done = std::function<void(const std::string& batch, base::Result<Checked>)>;

    BatchChecker(base::Loop& loop, store::Store& store, blobs::Blobs& blobs,
                 std::function<bool(const std::string& model)> knows_model, Done done);

    BatchChecker(const BatchChecker&) = delete;
    BatchChecker& operator=(const BatchChecker&) = delete;

    void check(Task task);

private:
    struct Reading {
        Task task;
        Checked checked{};
        std::uint64_t offset = 0;   // of the next slice
        std::string held{};         // read
        std::size_t looked = 0;     // at so much of it
        std::uint64_t held_at = 0;  // in the file, what stands there
        std::uint32_t line = 0;
        bool skipping = false;  // the rest of a line that is too long
        std::vector<store::BatchLine> unwritten{};
        std::unordered_set<std::string> custom_ids{};
        std::set<std::string> models{};  // known ones
        std::uint64_t inputs = 0;
        bool stopped = false;  // what follows is of no use
    };

    void begin();
    void read();
    void look_soon();
    void look();
    // False: more bytes are needed.
    bool take_line();
    void check_line(std::string_view text, std::uint64_t at);
    void fault(std::string code, std::string message, std::string param, bool of_line);
    void write(std::function<void()> then);
    void finish();
    void end(base::Result<Checked> result);
    [[nodiscard]] bool at_end() const { return now_->offset >= now_->task.bytes; }
    [[nodiscard]] bool enough() const {
        return now_->stopped || now_->checked.faults.size() >= batch_faults_max;
    }
    template <class F>
    auto guarded(F callback);

    base::Loop& loop_;
    store::Store& store_;
    blobs::Blobs& blobs_;
    std::function<bool(const std::string&)> knows_model_;
    Done done_;
    std::deque<Task> tasks_;
    std::unique_ptr<Reading> now_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
