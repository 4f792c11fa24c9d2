// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_writer.hpp"

#include <utility>

#include "wire/batch_lines.hpp"

namespace idlewatt::coordinator {

namespace {

std::string_view message_of(std::string_view code) {
    if (code == "batch_expired")
        return "This request could not be executed before the completion window expired.";
    if (code == "batch_cancelled")
        return "This request was not executed because the batch was cancelled.";
    return "This request could not be executed in time.";
}

void add_to(store::BatchTally& tally, const store::BatchItem& item) {
    const bool succeeded = item.result && item.result->succeeded;
    (succeeded ? tally.completed : tally.failed) += 1;
    if (!item.result)
        return;
    tally.input_tokens += item.result->input_tokens;
    tally.cached_tokens += item.result->cached_tokens;
    tally.output_tokens += item.result->output_tokens;
    tally.reasoning_tokens += item.result->reasoning_tokens;
}

}  // namespace

std::string batch_file_line(const store::BatchItem& item, const std::string& batch,
                            const std::string& unfinished_code) {
    constexpr std::string_view prefix = "batch_";
    const std::string id = "batch_req_" +
                           batch.substr(batch.starts_with(prefix) ? prefix.size() : 0) + "_" +
                           std::to_string(item.line.line);
    const std::string& custom_id = item.line.custom_id;
    if (item.result && item.result->status_code != 0) {
        return wire::batch_answer_line(id, custom_id, item.result->status_code,
                                       item.result->request_id, item.result->body);
    }
    const std::string& code = item.result ? item.result->error_code : unfinished_code;
    return wire::batch_error_line(id, custom_id, code, message_of(code));
}

template <class F>
auto BatchWriter::guarded(F callback) {
    return [this, alive = std::weak_ptr(alive_), run = run_,
            callback = std::move(callback)](const auto& result) {
        if (!alive.expired() && run == run_)
            callback(result);
    };
}

BatchWriter::BatchWriter(store::Store& store, blobs::Blobs& blobs, Done done)
    : store_(store), blobs_(blobs), done_(std::move(done)) {}

void BatchWriter::write(Task task) {
    tasks_.push_back(std::move(task));
    if (!now_)
        begin();
}

void BatchWriter::begin() {
    if (tasks_.empty())
        return;
    now_ = std::make_unique<Writing>();
    now_->task = std::move(tasks_.front());
    tasks_.pop_front();
    next_page();
}

void BatchWriter::next_page() {
    store_.batch_items(now_->task.batch, now_->after, items_per_page, item_bytes_per_page,
                       guarded([this](const base::Result<store::BatchItemPage>& page) {
                           if (!page)
                               return end(tl::unexpected(page.error()));
                           take_page(*page);
                       }));
}

void BatchWriter::take_page(const store::BatchItemPage& page) {
    std::string output;
    std::string errors;
    for (const store::BatchItem& item : page.items) {
        const bool succeeded = item.result && item.result->succeeded;
        (succeeded ? output : errors) +=
            batch_file_line(item, now_->task.batch, now_->task.unfinished_code);
        add_to(now_->written.tally, item);
        now_->after = item.line.line;
    }
    now_->more = page.more;
    append(now_->output, std::move(output));
    append(now_->errors, std::move(errors));
    if (now_->appends == 0)
        finish_output();  // a batch without lines
}

void BatchWriter::append(std::unique_ptr<blobs::Draft>& draft, std::string text) {
    if (text.empty())
        return;
    if (!draft)
        draft = blobs_.draft();
    ++now_->appends;
    draft->append(std::move(text), guarded([this](const base::Result<std::uint64_t>& written) {
                      if (!written)
                          return end(tl::unexpected(written.error()));
                      if (--now_->appends > 0)
                          return;
                      if (now_->more)
                          next_page();
                      else
                          finish_output();
                  }));
}

void BatchWriter::finish_output() {
    if (!now_->output)
        return finish_errors();
    finish(*now_->output, [this](const blobs::Blob& blob) {
        now_->written.output = blob;
        now_->written.output_pin = blobs::Pin(blobs_, blob.sha256);
        finish_errors();
    });
}

void BatchWriter::finish_errors() {
    if (!now_->errors)
        return end(std::move(now_->written));
    finish(*now_->errors, [this](const blobs::Blob& blob) {
        now_->written.errors = blob;
        now_->written.error_pin = blobs::Pin(blobs_, blob.sha256);
        end(std::move(now_->written));
    });
}

void BatchWriter::finish(blobs::Draft& draft, std::function<void(const blobs::Blob&)> then) {
    draft.finish(guarded([this, then = std::move(then)](const base::Result<blobs::Blob>& blob) {
        if (!blob)
            return end(tl::unexpected(blob.error()));
        then(*blob);
    }));
}

void BatchWriter::end(base::Result<Written> result) {
    const std::string batch = now_->task.batch;
    ++run_;
    now_.reset();
    done_(batch, std::move(result));
    if (!now_)
        begin();
}

}  // namespace idlewatt::coordinator
