// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_checker.hpp"

#include <algorithm>
#include <utility>

namespace idlewatt::coordinator {

template <class F>
auto BatchChecker::guarded(F callback) {
    return [alive = std::weak_ptr(alive_), callback = std::move(callback)](const auto&... result) {
        if (!alive.expired())
            callback(result...);
    };
}

BatchChecker::BatchChecker(base::Loop& loop, store::Store& store, blobs::Blobs& blobs,
                           std::function<bool(const std::string& model)> knows_model, Done done)
    : loop_(loop),
      store_(store),
      blobs_(blobs),
      knows_model_(std::move(knows_model)),
      done_(std::move(done)) {}

void BatchChecker::check(Task task) {
    tasks_.push_back(std::move(task));
    if (!now_)
        begin();
}

void BatchChecker::begin() {
    if (tasks_.empty())
        return;
    now_ = std::make_unique<Reading>();
    now_->task = std::move(tasks_.front());
    tasks_.pop_front();
    if (now_->task.bytes == 0)
        fault("empty_file", "The file is empty. Each of its lines is a request.", "", false);
    look_soon();
}

void BatchChecker::read() {
    blobs_.read(now_->task.sha256, now_->offset, check_slice_bytes,
                guarded([this](const base::Result<std::string>& slice) {
                    if (!slice)
                        return end(tl::unexpected(slice.error()));
                    if (slice->empty()) {
                        return end(base::fail(base::ErrorKind::io,
                                              "blob " + now_->task.sha256 + " is too short"));
                    }
                    now_->offset += slice->size();
                    now_->held.erase(0, std::exchange(now_->looked, 0));
                    now_->held.append(*slice);
                    look_soon();
                }));
}

void BatchChecker::look_soon() {
    loop_.post(guarded([this] { look(); }));
}

void BatchChecker::look() {
    const std::uint64_t until = now_->held_at + check_bytes_per_task;
    while (!enough() && now_->held_at < until && take_line()) {
    }
    if (enough())
        return finish();
    if (now_->held_at >= until)
        return look_soon();
    if (now_->unwritten.size() >= check_lines_per_write)
        return write([this] { look_soon(); });
    if (!at_end())
        return read();
    finish();
}

// A line without an end counts only at the end of the file.
bool BatchChecker::take_line() {
    Reading& now = *now_;
    const std::string_view rest = std::string_view(now.held).substr(now.looked);
    if (rest.empty() || now.unwritten.size() >= check_lines_per_write)
        return false;
    const std::size_t newline = rest.find('\n');
    const bool ended = newline != std::string_view::npos || at_end();
    const bool too_long = !ended && rest.size() > wire::batch_line_bytes_max;
    if (!ended && !too_long)
        return false;
    const std::size_t bytes = std::min(newline, rest.size());
    if (!now.skipping) {
        if (++now.line > wire::batch_lines_max) {
            now.stopped = true;
            fault("too_many_lines", "A batch has at most 50000 lines.", "", false);
            return false;
        }
        check_line(rest.substr(0, bytes), now.held_at);
    }
    now.skipping = too_long;
    const std::size_t passed = std::min(bytes + 1, rest.size());
    now.looked += passed;
    now.held_at += passed;
    return true;
}

void BatchChecker::check_line(std::string_view text, std::uint64_t at) {
    Reading& now = *now_;
    auto read = wire::read_batch_line(text, now.task.endpoint, now.line);
    if (!read) {
        now.checked.faults.push_back(std::move(read.error()));
        return;
    }
    if (!now.custom_ids.insert(read->custom_id).second)
        return fault("duplicate_custom_id", "This 'custom_id' is used by an earlier line.",
                     "custom_id", true);
    if (!now.models.contains(read->model)) {
        if (!knows_model_(read->model)) {
            return fault("model_not_found", "No model of this name is served here.", "body.model",
                         true);
        }
        now.models.insert(read->model);
    }
    now.inputs += read->inputs;
    if (now.task.endpoint == wire::batch_endpoints[2] && now.inputs > batch_inputs_max &&
        now.inputs - read->inputs <= batch_inputs_max) {
        return fault("too_many_inputs", "A batch has at most 50000 inputs of embeddings.",
                     "body.input", true);
    }
    now.unwritten.push_back(
        {now.line, at, static_cast<std::uint32_t>(text.size()), std::move(read->custom_id)});
}

void BatchChecker::fault(std::string code, std::string message, std::string param, bool of_line) {
    wire::BatchFault fault{std::move(code), std::move(message), std::move(param), std::nullopt};
    if (of_line)
        fault.line = now_->line;
    now_->checked.faults.push_back(std::move(fault));
}

void BatchChecker::write(std::function<void()> then) {
    std::vector<store::BatchLine> lines = std::exchange(now_->unwritten, {});
    for (const store::BatchLine& line : lines)
        now_->checked.lines.push_back({line.line, line.offset, line.bytes, {}});
    store_.add_batch_lines(now_->task.batch, std::move(lines),
                           guarded([this, then = std::move(then)](const base::Result<void>& added) {
                               if (!added)
                                   return end(tl::unexpected(added.error()));
                               then();
                           }));
}

void BatchChecker::finish() {
    const auto tell = [this] {
        if (now_->models.size() == 1)
            now_->checked.model = *now_->models.begin();
        end(std::move(now_->checked));
    };
    if (!now_->checked.faults.empty()) {
        now_->checked.lines.clear();
        return tell();
    }
    if (now_->unwritten.empty())
        return tell();
    write(tell);
}

void BatchChecker::end(base::Result<Checked> result) {
    const std::string batch = now_->task.batch;
    now_.reset();
    done_(batch, std::move(result));
    if (!now_)
        begin();
}

}  // namespace idlewatt::coordinator
