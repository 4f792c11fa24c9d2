// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files of clients, and batches as a whole.
#include "base/assert.hpp"
#include "core/id.hpp"
#include "store/row.hpp"

namespace idlewatt::store {

namespace {

struct FileRow {
    static constexpr const char* table = "api_file";
    std::string id, api_key, filename, purpose, sha256;
    long long bytes = 0;
    long long created_at_us = 0;
    long long expires_at_us = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("api_key", api_key), f("filename", filename), f("purpose", purpose);
        f("bytes", bytes), f("sha256", sha256), f("created_at_us", created_at_us);
        f("expires_at_us", expires_at_us);
    }
};

FileRow file_to_row(const File& file) {
    FileRow row;
    row.id = file.id;
    row.api_key = file.key.value;
    row.filename = file.filename;
    row.purpose = file.purpose;
    row.sha256 = file.sha256;
    row.bytes = static_cast<long long>(file.bytes);
    row.created_at_us = file.created_at.us;
    row.expires_at_us = us_or_zero(file.expires_at);
    return row;
}

struct BatchRow {
    static constexpr const char* table = "batch";
    std::string id, api_key, endpoint, input_file, status, model, metadata_json, errors_json,
        output_file, error_file;
    long long has_ended = 0;
    long long output_expires_after_ns = 0;
    long long created_at_us = 0;
    long long expires_at_us = 0;
    long long in_progress_at_us = 0;
    long long finalizing_at_us = 0;
    long long cancelling_at_us = 0;
    long long ended_at_us = 0;
    long long total = 0;
    long long completed = 0;
    long long failed = 0;
    long long input_tokens = 0;
    long long cached_tokens = 0;
    long long output_tokens = 0;
    long long reasoning_tokens = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("api_key", api_key), f("endpoint", endpoint), f("input_file", input_file);
        f("status", status), f("has_ended", has_ended), f("model", model);
        f("metadata_json", metadata_json), f("errors_json", errors_json);
        f("output_file", output_file), f("error_file", error_file);
        f("output_expires_after_ns", output_expires_after_ns);
        f("created_at_us", created_at_us), f("expires_at_us", expires_at_us);
        f("in_progress_at_us", in_progress_at_us), f("finalizing_at_us", finalizing_at_us);
        f("cancelling_at_us", cancelling_at_us), f("ended_at_us", ended_at_us);
        f("total", total), f("completed", completed), f("failed", failed);
        f("input_tokens", input_tokens), f("cached_tokens", cached_tokens);
        f("output_tokens", output_tokens), f("reasoning_tokens", reasoning_tokens);
    }
};

BatchRow batch_to_row(const Batch& batch) {
    BatchRow row;
    row.id = batch.id;
    row.api_key = batch.key.value;
    row.endpoint = batch.endpoint;
    row.input_file = batch.input_file;
    row.status = name(batch.status);
    row.has_ended = is_terminal(batch.status) ? 1 : 0;
    row.model = batch.model;
    row.metadata_json = batch.metadata_json;
    row.errors_json = batch.errors_json;
    row.output_file = batch.output_file;
    row.error_file = batch.error_file;
    row.output_expires_after_ns = batch.output_expires_after.value_or(base::Duration{}).ns;
    row.created_at_us = batch.created_at.us;
    row.expires_at_us = batch.expires_at.us;
    row.in_progress_at_us = us_or_zero(batch.in_progress_at);
    row.finalizing_at_us = us_or_zero(batch.finalizing_at);
    row.cancelling_at_us = us_or_zero(batch.cancelling_at);
    row.ended_at_us = us_or_zero(batch.ended_at);
    row.total = static_cast<long long>(batch.total);
    row.completed = static_cast<long long>(batch.tally.completed);
    row.failed = static_cast<long long>(batch.tally.failed);
    row.input_tokens = static_cast<long long>(batch.tally.input_tokens);
    row.cached_tokens = static_cast<long long>(batch.tally.cached_tokens);
    row.output_tokens = static_cast<long long>(batch.tally.output_tokens);
    row.reasoning_tokens = static_cast<long long>(batch.tally.reasoning_tokens);
    return row;
}

// A status that this program does not know is none with which it could go on.
Batch batch_of(const BatchRow& row) {
    Batch batch;
    batch.id = row.id;
    batch.key = core::KeyId(row.api_key);
    batch.endpoint = row.endpoint;
    batch.input_file = row.input_file;
    batch.status = batch_status(row.status).value_or(BatchStatus::failed);
    batch.model = row.model;
    batch.metadata_json = row.metadata_json;
    batch.errors_json = row.errors_json;
    batch.output_file = row.output_file;
    batch.error_file = row.error_file;
    if (row.output_expires_after_ns != 0)
        batch.output_expires_after = base::Duration{row.output_expires_after_ns};
    batch.created_at = base::WallTime{row.created_at_us};
    batch.expires_at = base::WallTime{row.expires_at_us};
    batch.in_progress_at = time_or_none(row.in_progress_at_us);
    batch.finalizing_at = time_or_none(row.finalizing_at_us);
    batch.cancelling_at = time_or_none(row.cancelling_at_us);
    batch.ended_at = time_or_none(row.ended_at_us);
    batch.total = static_cast<std::uint64_t>(row.total);
    batch.tally = {static_cast<std::uint64_t>(row.completed),
                   static_cast<std::uint64_t>(row.failed),
                   static_cast<std::uint64_t>(row.input_tokens),
                   static_cast<std::uint64_t>(row.cached_tokens),
                   static_cast<std::uint64_t>(row.output_tokens),
                   static_cast<std::uint64_t>(row.reasoning_tokens)};
    return batch;
}

}  // namespace

base::Result<void> Database::add_file(const File& file) {
    return guarded("write a file's row", [&] { insert(*session_, file_to_row(file), or_nothing); });
}

base::Result<void> Database::erase_file(const std::string& id) {
    return guarded("erase a file's row", [&]() -> base::Result<void> {
        if (change(*session_, "DELETE FROM api_file WHERE id = :id", soci::use(id, "id")) == 0)
            return base::fail(base::ErrorKind::not_found, "no file has this id");
        return {};
    });
}

base::Result<std::vector<File>> Database::list_files() {
    return guarded("list the files", [&] {
        std::vector<File> all;
        for (const FileRow& row : select<FileRow>(*session_, "ORDER BY id")) {
            all.push_back({row.id, core::KeyId(row.api_key), row.filename, row.purpose,
                           static_cast<std::uint64_t>(row.bytes), row.sha256,
                           base::WallTime{row.created_at_us}, time_or_none(row.expires_at_us)});
        }
        return all;
    });
}

base::Result<void> Database::put_batch(const Batch& batch) {
    return guarded("write a batch",
                   [&] { insert(*session_, batch_to_row(batch), or_replace<BatchRow>()); });
}

base::Result<std::optional<Batch>> Database::find_batch(const std::string& id) {
    return guarded("look for a batch", [&] {
        std::optional<Batch> found;
        for (const BatchRow& row : select<BatchRow>(*session_, "WHERE id = :value", id))
            found = batch_of(row);
        return found;
    });
}

base::Result<BatchPage> Database::batch_page(const core::KeyId& key, const std::string& after,
                                             std::size_t limit) {
    IDLEWATT_ASSERT(limit > 0);
    // The text stands in the statement: an id has no quotes.
    IDLEWATT_ASSERT(after.empty() || core::is_id(after));
    return guarded("list the batches", [&] {
        const std::string before = after.empty() ? "" : "AND id < '" + after + "' ";
        const auto rows =
            select<BatchRow>(*session_,
                             "WHERE api_key = :value " + before + "ORDER BY id DESC LIMIT " +
                                 std::to_string(limit + 1),
                             key.value);
        BatchPage page;
        for (const BatchRow& row : rows) {
            page.more = page.batches.size() == limit;
            if (!page.more)
                page.batches.push_back(batch_of(row));
        }
        return page;
    });
}

base::Result<std::vector<Batch>> Database::open_batches() {
    return guarded("list the batches that run", [&] {
        std::vector<Batch> all;
        for (const BatchRow& row : select<BatchRow>(*session_, "WHERE has_ended = 0 ORDER BY id"))
            all.push_back(batch_of(row));
        return all;
    });
}

base::Result<void> Database::end_batch(const Batch& batch, const std::vector<File>& files) {
    return guarded("end a batch", [&] {
        soci::transaction transaction(*session_);
        for (const File& file : files)
            insert(*session_, file_to_row(file), or_nothing);
        insert(*session_, batch_to_row(batch), or_replace<BatchRow>());
        change(*session_, "DELETE FROM batch_line WHERE batch = :id", soci::use(batch.id, "id"));
        transaction.commit();
    });
}

base::Result<std::vector<Batch>> Database::ended_batches(base::WallTime before, std::size_t limit) {
    return guarded("list the batches that have ended", [&] {
        std::vector<Batch> all;
        const std::string which = "WHERE has_ended = 1 AND ended_at_us < " +
                                  std::to_string(before.us) + " ORDER BY ended_at_us LIMIT " +
                                  std::to_string(limit);
        for (const BatchRow& row : select<BatchRow>(*session_, which))
            all.push_back(batch_of(row));
        return all;
    });
}

base::Result<void> Database::erase_batch(const std::string& id) {
    return guarded("erase a batch", [&] {
        change(*session_, "DELETE FROM batch WHERE id = :id AND has_ended = 1",
               soci::use(id, "id"));
    });
}

}  // namespace idlewatt::store
