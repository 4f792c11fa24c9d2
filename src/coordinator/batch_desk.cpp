// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_desk.hpp"

#include <utility>

#include "base/log.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

namespace {

constexpr base::Duration batch_retry = base::seconds(1);
constexpr base::Duration batch_load_wait = base::milliseconds(50);

store::File result_file(const store::Batch& batch, std::string id, const char* kind,
                        const blobs::Blob& blob, base::WallTime now) {
    store::File file{std::move(id),
                     batch.key,
                     batch.id + "_" + kind + ".jsonl",
                     std::string(wire::output_purpose),
                     blob.bytes,
                     blob.sha256,
                     now};
    if (batch.output_expires_after)
        file.expires_at = now + *batch.output_expires_after;
    return file;
}

}  // namespace

BatchDesk::BatchDesk(const BatchDeskParts& parts, const std::string& cell,
                     std::function<bool(const std::string& model)> knows_model)
    : loop_(parts.loop),
      bus_(parts.bus),
      store_(parts.store),
      files_(parts.files),
      door_(parts.door),
      core_(static_cast<std::uint64_t>(parts.loop.wall_now().us)),
      checker_(parts.loop, parts.store, parts.blobs, std::move(knows_model),
               [this](const std::string& batch, const base::Result<BatchChecker::Checked>& result) {
                   checked(batch, result);
               }),
      writer_(parts.store, parts.blobs,
              [this](const std::string& batch, base::Result<BatchWriter::Written> result) {
                  written(batch, std::move(result));
              }),
      intake_(parts.loop, parts.bus, parts.store, cell,
              [this](const BatchEvent& event) {
                  // All batches would be called unknown; it is sent again.
                  if (loaded_)
                      feed(event);
              }),
      hand_out_(
          parts.bus, parts.blobs,
          [this](std::vector<std::uint64_t> leases) { feed(LinesReturned{std::move(leases)}); }),
      partial_(parts.store, parts.door),
      subscription_(bus_.subscribe(wire::Subjects{cell}.all_batch_asks(),
                                   [this](const bus::Message& message) { on_asked(message); })) {
    files_.set_in_use([this](const std::string& file) { return uses_file(file); });
    started_at_ = loop_.now();
}

BatchDesk::~BatchDesk() {
    files_.set_in_use({});
    bus_.unsubscribe(subscription_);
    loop_.cancel(timer_);
    loop_.cancel(prune_timer_);
}

bool BatchDesk::uses_file(const std::string& file) const {
    // Until they are read from the store, any may be in use.
    return !loaded_ || core_.uses_file(file) || creating_.contains(file);
}

// ── the beginning ───────────────────────────────────────────────────────────────────────────────

void BatchDesk::start() {
    if (!files_.loaded()) {
        timer_ = loop_.after(batch_load_wait, [this] { start(); });
        return;
    }
    load();
}

void BatchDesk::load() {
    store_.open_batches(guarded([this](const base::Result<std::vector<store::Batch>>& batches) {
        if (batches)
            return load_states(*batches);
        base::log_warning("coordinator", batches.error().message);
        timer_ = loop_.after(batch_retry, [this] { load(); });
    }));
}

// All of them, or none.
void BatchDesk::load_states(const std::vector<store::Batch>& batches) {
    struct Loading {
        std::vector<BatchResumed> read;
        std::size_t left;
        bool failed = false;
    };
    auto loading = std::make_shared<Loading>(Loading{{}, batches.size() + 1});
    const auto step = [this, loading] {
        if (--loading->left > 0)
            return;
        if (loading->failed) {
            timer_ = loop_.after(batch_retry, [this] { load(); });
            return;
        }
        loaded_ = true;
        for (const BatchResumed& one : loading->read)
            feed(one);
        tick();
        prune();
    };
    for (const store::Batch& batch : batches) {
        store_.batch_state(batch.id, guarded([this, loading, step,
                                              batch](const base::Result<store::BatchState>& state) {
                               if (state) {
                                   loading->read.push_back({batch, *state});
                               } else {
                                   loading->failed = true;
                                   base::log_warning("coordinator", state.error().message);
                               }
                               step();
                           }));
    }
    step();
}

void BatchDesk::tick() {
    timer_ = loop_.after(batch_clock_period, [this] { tick(); });
    feed(BatchClock{});
}

void BatchDesk::prune() {
    store_.ended_batches(
        loop_.wall_now() + base::Duration{-ended_batch_kept.ns}, batches_pruned_at_once,
        guarded([this](const base::Result<std::vector<store::Batch>>& old) {
            const bool more = old && old->size() == batches_pruned_at_once;
            prune_timer_ =
                loop_.after(more ? batch_prune_soon : batch_prune_period, [this] { prune(); });
            if (!old)
                return base::log_warning("coordinator", old.error().message);
            for (const store::Batch& batch : *old)
                prune(batch);
        }));
}

// Files first: the row goes when it is seen that they have gone.
void BatchDesk::prune(const store::Batch& batch) {
    bool has_files = false;
    for (const std::string& id : {batch.output_file, batch.error_file}) {
        const store::File* const file = files_.book().find(id);
        if (file == nullptr || file->expires_at)
            continue;
        has_files = true;
        files_.drop(store::File(*file));
    }
    if (has_files)
        return;
    store_.erase_batch(batch.id, guarded([](const base::Result<void>& erased) {
                           if (!erased)
                               base::log_warning("coordinator", erased.error().message);
                       }));
}

// ── the core ────────────────────────────────────────────────────────────────────────────────────

void BatchDesk::feed(const BatchEvent& event) {
    for (const BatchEffect& effect : core_.handle(event, {loop_.now(), loop_.wall_now()}))
        std::visit([this](const auto& one) { run(one); }, effect);
}

// Not before the batches are known: all leases would be called ended.
void BatchDesk::on_asked(const bus::Message& message) {
    const auto gateway = wire::parse_gateway(message.subject);
    if (!gateway || message.reply.empty() || !loaded_)
        return;
    const auto ask = wire::decode_batch_ask(message.payload);
    if (!ask) {
        base::log_warning("coordinator", "gateway " + gateway->value + ": " + ask.error().message);
        return;
    }
    const BatchQuestion question = next_question_++;
    asked_[question] = {message.subject, message.reply, {}};
    feed(WorkAsked{question, *gateway, *ask});
}

void BatchDesk::run(const HandOut& effect) {
    const auto asked = asked_.extract(effect.question);
    if (!asked)
        return;
    std::map<std::string, BatchHandOut::Source> sources;
    for (const LeasedLine& line : effect.lines) {
        const store::Batch* const batch = core_.find(line.batch);
        const store::File* const file =
            batch == nullptr ? nullptr : files_.book().find(batch->input_file);
        if (file != nullptr)
            sources.try_emplace(line.batch, BatchHandOut::Source{*batch, file->sha256});
    }
    hand_out_.answer(asked.mapped(), effect, [&](const std::string& batch) {
        const auto found = sources.find(batch);
        return found == sources.end() ? nullptr : &found->second;
    });
}

void BatchDesk::run(const CheckBatch& effect) {
    const store::Batch* const batch = core_.find(effect.batch);
    if (batch == nullptr)
        return;
    const store::File* const file = files_.book().find(batch->input_file);
    if (file == nullptr)
        return check_failed(effect.batch, {"file_not_found", "The input file is gone.",
                                           "input_file_id", std::nullopt});
    if (file->purpose != wire::file_purposes[0]) {
        return check_failed(effect.batch, {"invalid_file_purpose",
                                           "The input file must have the purpose 'batch', not '" +
                                               file->purpose + "'.",
                                           "input_file_id", std::nullopt});
    }
    const base::Duration heard = loop_.now() - started_at_;
    if (heard < listening_before_checks) {
        loop_.after(listening_before_checks - heard,
                    guarded([this, again = effect] { run(again); }));
        return;
    }
    checker_.check({effect.batch, batch->endpoint, file->sha256, file->bytes});
}

// Later: the core is in the middle of its effects.
void BatchDesk::check_failed(const std::string& batch, const wire::BatchFault& fault) {
    loop_.post(guarded([this, batch, faults = wire::batch_faults_json({fault})] {
        feed(BatchChecked{batch, faults, {}, {}});
    }));
}

void BatchDesk::checked(const std::string& batch,
                        const base::Result<BatchChecker::Checked>& checked) {
    if (!checked) {
        base::log_warning("coordinator", batch + ": " + checked.error().message);
        if (checked.error().kind == base::ErrorKind::not_found)
            return check_failed(batch, {"file_not_found", "The bytes of the input file are gone.",
                                        "input_file_id", std::nullopt});
        loop_.after(batch_retry, guarded([this, batch] { run(CheckBatch{batch}); }));
        return;
    }
    const std::string faults =
        checked->faults.empty() ? std::string() : wire::batch_faults_json(checked->faults);
    feed(BatchChecked{batch, faults, checked->lines, checked->model});
}

void BatchDesk::run(const SaveBatch& effect) {
    save(effect.batch, [](const base::Result<void>&) {});
}

void BatchDesk::save(const std::string& batch, std::function<void(base::Result<void>)> then) {
    const store::Batch* const row = core_.find(batch);
    // A row that ends it is on its way, and this one must not come behind.
    if (row == nullptr || endings_.contains(batch))
        return then({});
    store_.put_batch(*row, guarded([this, batch, status = row->status,
                                    then = std::move(then)](const base::Result<void>& saved) {
        if (saved) {
            feed(BatchSaved{batch, status});
        } else {
            base::log_warning("coordinator", saved.error().message);
            loop_.after(batch_retry, guarded([this, batch] { run(SaveBatch{batch}); }));
        }
        then(saved);
    }));
}

// ── the end ─────────────────────────────────────────────────────────────────────────────────────

void BatchDesk::run(const WriteBatchFiles& effect) {
    writer_.write({effect.batch, effect.unfinished_code});
}

void BatchDesk::written(const std::string& batch, base::Result<BatchWriter::Written> written) {
    const store::Batch* const row = core_.find(batch);
    if (row == nullptr)
        return;
    if (!written) {
        base::log_warning("coordinator", batch + ": " + written.error().message);
        return feed(BatchFilesWritten{batch});
    }
    BatchFilesWritten told{batch, true, {}, {}, written->tally};
    Ending ending;
    const auto add = [&](const std::optional<blobs::Blob>& blob, blobs::Pin& pin, const char* kind,
                         std::string& id) {
        if (!blob)
            return;
        id = door_.fresh_id("file-");
        ending.files.push_back(result_file(*row, id, kind, *blob, loop_.wall_now()));
        ending.pins.push_back(std::move(pin));
    };
    add(written->output, written->output_pin, "output", told.output_file);
    add(written->errors, written->error_pin, "error", told.error_file);
    endings_[batch] = std::move(ending);
    feed(told);
}

void BatchDesk::run(const EndBatch& effect) {
    endings_.try_emplace(effect.batch.id);
    end(effect.batch);
}

// The same again until it is there: it may have been carried out though an error was told, and
// then the lines are gone.
void BatchDesk::end(const store::Batch& batch) {
    store_.end_batch(batch, endings_[batch.id].files,
                     guarded([this, batch](const base::Result<void>& ended) {
                         if (!ended) {
                             base::log_warning("coordinator", ended.error().message);
                             loop_.after(batch_retry, guarded([this, batch] { end(batch); }));
                             return;
                         }
                         const auto ending = endings_.extract(batch.id);
                         Ending& files = ending.mapped();
                         for (std::size_t i = 0; i < files.files.size(); ++i)
                             files_.adopt(files.files[i], std::move(files.pins[i]));
                         feed(BatchEnded{batch.id});
                     }));
}

}  // namespace idlewatt::coordinator
