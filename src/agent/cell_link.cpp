// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/cell_link.hpp"

#include "base/log.hpp"
#include "wire/cell.hpp"

namespace idlewatt::agent {

namespace {

// The last assignment, in the spool: the coordinator may be away when the car wakes up.
constexpr std::string_view assignment_key = "assignment";

std::string mib(std::uint64_t bytes) {
    return std::to_string(bytes >> 20U) + " MiB";
}

}  // namespace

CellLink::CellLink(base::Loop& loop, bus::Bus& bus, spool::Spool& spool, CellParts parts,
                   wire::Subjects subjects, core::VehicleId vehicle, std::uint64_t seed,
                   std::function<void(const Event&)> feed)
    : loop_(loop),
      bus_(bus),
      spool_(spool),
      parts_(std::move(parts)),
      subjects_(std::move(subjects)),
      vehicle_(std::move(vehicle)),
      seed_(seed),
      feed_(std::move(feed)) {}

CellLink::~CellLink() {
    *alive_ = false;
    for (const bus::SubscriptionId id : subscriptions_)
        bus_.unsubscribe(id);
}

void CellLink::start() {
    subscriptions_.push_back(bus_.subscribe(subjects_.assignment_order(vehicle_),
                                            [this, alive = alive_](const bus::Message&) {
                                                if (*alive)
                                                    feed_(Poked{});
                                            }));
    for (const spool::Record& record : spool_.records()) {
        if (record.key != assignment_key)
            continue;
        auto assignment = wire::decode_assignment(record.value);
        if (assignment) {
            loop_.post([this, alive = alive_, assignment = std::move(*assignment)] {
                if (*alive)
                    feed_(Remembered{assignment});
            });
        } else {
            base::log_warning("model",
                              "dropped an unreadable assignment: " + assignment.error().message);
        }
    }
}

core::Capacity CellLink::capacity() const {
    core::Capacity capacity;
    capacity.memory_bytes = parts_.memory_bytes;
    if (parts_.blobs == nullptr)
        return capacity;
    capacity.cache_bytes = parts_.blobs->bytes_limit();
    const std::vector<blobs::Blob> blobs = parts_.blobs->list();
    // The most recently used ones, if there are too many to tell of.
    for (auto blob = blobs.rbegin();
         blob != blobs.rend() && capacity.cached_sha256.size() < core::cached_blobs_max; ++blob) {
        capacity.cached_sha256.push_back(blob->sha256);
    }
    return capacity;
}

void CellLink::ask_assignment() {
    bus_.request(subjects_.assignment(vehicle_), wire::encode(capacity()),
                 coordinator_answer_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     Assigned event;
                     if (status == bus::ReplyStatus::answered) {
                         auto assignment = wire::decode_assignment(message.payload);
                         if (assignment)
                             event.assignment = std::move(*assignment);
                         else
                             base::log_warning("model",
                                               "the coordinator's assignment cannot be "
                                               "read: " +
                                                   assignment.error().message);
                     }
                     feed_(event);
                 });
}

void CellLink::keep(const core::Assignment& assignment) {
    auto kept = spool_.put(assignment_key, wire::encode(assignment));
    if (kept)
        kept = spool_.sync();
    if (!kept)
        base::log_error("model", kept.error().message);
}

void CellLink::fetch(const FetchModel& effect) {
    if (effect.drop_old) {
        in_use_ = {};
        former_ = {};
    }
    const std::string sha256 = effect.model.sha256;
    if (parts_.blobs == nullptr || parts_.source == nullptr) {
        loop_.post([this, alive = alive_, sha256] {
            if (*alive)
                fetched(sha256, base::fail(base::ErrorKind::bad_input,
                                           "this car has no cache for models; give it a state "
                                           "folder or a fixed --model"));
        });
        return;
    }
    base::log_info("model", "fetching " + effect.model.name + ", " + mib(effect.model.bytes) +
                                ", of which " + mib(parts_.blobs->progress(sha256).bytes) +
                                " are there");
    blobs::FetchHandler handler;
    handler.on_progress = [total = effect.model.bytes](std::uint64_t bytes) {
        base::log_debug("model", mib(bytes) + " of " + mib(total) + " are there");
    };
    handler.on_retry = [](const base::Error& error, base::Duration wait) {
        base::log_warning("model", error.message + "; trying again in " +
                                       std::to_string(wait.whole_milliseconds()) + " ms");
    };
    handler.on_end = [this, sha256](const base::Result<blobs::Blob>& result) {
        fetched(sha256, result);
    };
    fetcher_ = std::make_unique<blobs::Fetcher>(
        loop_, *parts_.blobs, *parts_.source,
        blobs::FetchJob{effect.url, sha256, effect.model.bytes, seed_++}, std::move(handler));
}

void CellLink::fetched(const std::string& sha256, const base::Result<blobs::Blob>& result) {
    if (result)
        fetched_ = blobs::Pin(*parts_.blobs, sha256);
    fetcher_.reset();
    if (result) {
        feed_(ModelFetched{sha256, result->path});
        return;
    }
    base::log_error("model", "cannot fetch it: " + result.error().message);
    feed_(ModelFetchFailed{sha256, result.error()});
}

void CellLink::use(const UseModel& effect) {
    if (former_.sha256() == effect.sha256) {
        in_use_ = std::move(former_);
        former_ = {};
    } else if (fetched_.sha256() == effect.sha256) {
        former_ = std::move(in_use_);
        in_use_ = std::move(fetched_);
    }
    fetched_ = {};
}

void CellLink::ask_renewal() {
    bus_.request(subjects_.renew(vehicle_), {}, coordinator_answer_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     auto renewal = status == bus::ReplyStatus::answered
                                        ? wire::decode_renewal(message.payload)
                                        : base::fail(base::ErrorKind::unavailable, "no answer");
                     auto kept = renewal && parts_.keep_renewal ? parts_.keep_renewal(*renewal)
                                                                : base::Result<void>{};
                     if (renewal && !kept)
                         renewal = tl::unexpected(kept.error());
                     if (!renewal) {
                         base::log_warning("credentials",
                                           "not renewed: " + renewal.error().message);
                         return feed_(Renewed{});
                     }
                     feed_(Renewed{std::move(*renewal)});
                 });
}

}  // namespace idlewatt::agent
