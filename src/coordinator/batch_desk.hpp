// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Batches of clients: over HTTP, in the store, and towards gateways, which run their lines. What is
// decided is decided by batch_core.hpp. Who asks is checked before; a key sees its own only.
//
//   POST /v1/batches
//   GET  /v1/batches                  ?after&limit
//   GET  /v1/batches/ID
//   POST /v1/batches/ID/cancel
//   GET  /v1/batches/ID/x-partial     what has ended so far, as lines
//
// Threads: the loop's.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/loop.hpp"
#include "blobs/blobs.hpp"
#include "bus/bus.hpp"
#include "coordinator/batch_checker.hpp"
#include "coordinator/batch_core.hpp"
#include "coordinator/batch_hand_out.hpp"
#include "coordinator/batch_intake.hpp"
#include "coordinator/batch_partial.hpp"
#include "coordinator/batch_writer.hpp"
#include "coordinator/client_door.hpp"
#include "coordinator/file_desk.hpp"
#include "store/store.hpp"
#include "wire/batch_object.hpp"

namespace idlewatt::coordinator {

inline constexpr std::string_view batches_path = "/v1/batches";
// After a start cars are heard one after the other; until then no model is called unknown.
inline constexpr base::Duration listening_before_checks = base::seconds(3);
// Deadlines are looked at so often.
inline constexpr base::Duration batch_clock_period = base::seconds(1);
// What has ended is kept for so long, with the files of its results, unless its client has said
// how long those are kept. Input files are their client's.
inline constexpr base::Duration ended_batch_kept = base::minutes(30LL * 24 * 60);
// Older ones are looked for so often, and so many at a time; if there may be more, soon again.
inline constexpr base::Duration batch_prune_period = base::minutes(10);
inline constexpr base::Duration batch_prune_soon = base::seconds(1);
inline constexpr std::size_t batches_pruned_at_once = 50;

struct BatchDeskParts {
    base::Loop& loop;
    bus::Bus& bus;
    store::Store& store;
    blobs::Blobs& blobs;
    FileDesk& files;
    ClientDoor& door;
};

class BatchDesk {
public:
    // knows_model: whether somebody serves it, or will.
    BatchDesk(const BatchDeskParts& parts, const std::string& cell,
              std::function<bool(const std::string& model)> knows_model);
    ~BatchDesk();

    BatchDesk(const BatchDesk&) = delete;
    BatchDesk& operator=(const BatchDesk&) = delete;

    // Reads the batches that run, once the files are known, until it succeeds.
    void start();
    [[nodiscard]] bool uses_file(const std::string& file) const;

    void serve(const http::Request& request, const core::KeyId& key);
    void on_written(http::RequestId request, std::uint64_t bytes) {
        partial_.on_written(request, bytes);
    }
    void on_gone(http::RequestId request) { partial_.on_gone(request); }

private:
    using Id = http::RequestId;

    void load();
    void load_states(const std::vector<store::Batch>& batches);
    void tick();
    void prune();
    void prune(const store::Batch& batch);
    void on_asked(const bus::Message& message);

    // batch_desk_http.cpp
    void create(const http::Request& request, const core::KeyId& key);
    void list(const http::Request& request, const core::KeyId& key);
    void find(Id request, const std::string& batch, const core::KeyId& key,
              std::function<void(const store::Batch&)> then);
    void cancel(Id request, const store::Batch& batch);
    void show(Id request, const store::Batch& batch);

    void feed(const BatchEvent& event);
    void run(const CheckBatch& effect);
    void run(const SaveBatch& effect);
    void run(const HandOut& effect);
    void run(const CommitResult& effect) { intake_.commit(effect.question); }
    void run(const AnswerResult& effect) { intake_.answer(effect.question, effect.state); }
    void run(const WriteBatchFiles& effect);
    void run(const EndBatch& effect);

    void checked(const std::string& batch, const base::Result<BatchChecker::Checked>& checked);
    void check_failed(const std::string& batch, const wire::BatchFault& fault);
    void save(const std::string& batch, std::function<void(base::Result<void>)> then);
    void written(const std::string& batch, base::Result<BatchWriter::Written> written);
    void end(const store::Batch& batch);
    template <class F>
    auto guarded(F callback);

    struct Ending {
        std::vector<store::File> files{};
        std::vector<blobs::Pin> pins{};  // of each file
    };

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    FileDesk& files_;
    ClientDoor& door_;
    BatchCore core_;
    BatchChecker checker_;
    BatchWriter writer_;
    BatchIntake intake_;
    BatchHandOut hand_out_;
    BatchPartial partial_;
    bus::SubscriptionId subscription_{};
    std::map<BatchQuestion, bus::Message> asked_;  // without their payload
    BatchQuestion next_question_ = 1;
    std::map<std::string, Ending> endings_;  // by batch: its last row is on its way
    // Batches on their way into the store: their input files, and whose they are.
    std::multimap<std::string, core::KeyId> creating_;
    base::Instant started_at_{};
    bool loaded_ = false;
    base::TimerId timer_{};
    base::TimerId prune_timer_{};
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

template <class F>
auto BatchDesk::guarded(F callback) {
    return [alive = std::weak_ptr(alive_), callback = std::move(callback)](const auto&... result) {
        if (!alive.expired())
            callback(result...);
    };
}

}  // namespace idlewatt::coordinator
