// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/fetcher.hpp"

#include <algorithm>
#include <utility>

#include "base/assert.hpp"

namespace idlewatt::blobs {

Fetcher::Fetcher(base::Loop& loop, Blobs& blobs, ByteSource& source, FetchJob job,
                 FetchHandler handler)
    : loop_(loop),
      blobs_(blobs),
      source_(source),
      job_(std::move(job)),
      handler_(std::move(handler)),
      pin_(blobs, job_.sha256),
      prng_(job_.seed),
      reported_at_(loop.now()) {
    timer_ = loop_.after(base::Duration{}, [this] { ask(); });
}

Fetcher::~Fetcher() {
    *alive_ = false;
    loop_.cancel(timer_);
}

// Asks for the next stretch of bytes behind those that are there.
void Fetcher::ask() {
    const Progress progress = blobs_.progress(job_.sha256);
    if (progress.complete)
        return finish(*blobs_.find(job_.sha256));
    IDLEWATT_ASSERT(!asking_ && writes_ == 0 && waiting_.empty());
    failure_.reset();
    store_failure_.reset();
    offset_ = progress.bytes;
    if (offset_ >= job_.bytes) {
        // Whole but never verified: a life ended just then.
        offset_ = job_.bytes;
        return hand_over();
    }
    wanted_ = std::min(fetch_bytes_max, job_.bytes - offset_);
    asking_ = true;
    ByteHandler handler;
    handler.on_bytes = [this, alive = alive_](std::string_view bytes) {
        if (*alive)
            take(bytes);
    };
    handler.on_end = [this, alive = alive_](const base::Result<void>& result) {
        if (*alive)
            ended(result);
    };
    transfer_ = source_.get(job_.url, offset_, wanted_, std::move(handler));
}

void Fetcher::take(std::string_view bytes) {
    if (!asking_)
        return;
    bytes = bytes.substr(0, std::min<std::uint64_t>(bytes.size(), wanted_));
    wanted_ -= bytes.size();
    waiting_ += bytes;
    if (waiting_.size() >= fetch_part_bytes)
        hand_over();
}

void Fetcher::hand_over() {
    const std::uint64_t offset = offset_;
    offset_ += waiting_.size();
    ++writes_;
    blobs_.put(job_.sha256, job_.bytes, offset, std::exchange(waiting_, {}),
               [this, alive = alive_](const base::Result<Progress>& result) {
                   if (*alive)
                       written(result);
               });
}

void Fetcher::written(const base::Result<Progress>& result) {
    --writes_;
    if (!result && !store_failure_)
        store_failure_ = result.error();
    if (result && result->bytes > bytes_there_) {
        bytes_there_ = result->bytes;
        failures_ = 0;
        wait_ = fetch_retry_min;
        report_progress();
    }
    settle();
}

void Fetcher::ended(const base::Result<void>& result) {
    asking_ = false;
    if (!result) {
        failure_ = result.error();
    } else if (wanted_ > 0) {
        failure_ = {base::ErrorKind::unavailable,
                    job_.url + " ended " + std::to_string(wanted_) + " bytes too early"};
    }
    if (!waiting_.empty())
        hand_over();
    settle();
}

// Goes on when everything that was asked for has come or failed, and is written.
void Fetcher::settle() {
    if (store_failure_ && asking_) {
        asking_ = false;
        waiting_.clear();
        transfer_.reset();
    }
    if (asking_ || writes_ > 0 || finished_)
        return;
    if (store_failure_)
        return take_store_failure(*store_failure_);
    if (blobs_.progress(job_.sha256).complete)
        return finish(*blobs_.find(job_.sha256));
    if (!failure_) {
        timer_ = loop_.after(base::Duration{}, [this] { ask(); });
        return;
    }
    if (++failures_ >= fetch_failures_max)
        return finish(tl::unexpected(*failure_));
    retry(*failure_);
}

void Fetcher::take_store_failure(const base::Error& error) {
    bytes_there_ = blobs_.progress(job_.sha256).bytes;
    const bool refused = error.kind == base::ErrorKind::bad_input;
    const bool hopeless =
        refused ? ++verifications_failed_ >= verification_attempts_max
                : error.kind != base::ErrorKind::unavailable || ++failures_ >= fetch_failures_max;
    if (hopeless)
        return finish(tl::unexpected(error));
    retry(error);
}

void Fetcher::retry(const base::Error& error) {
    // Half of it at least, so that many cars that were cut off together do not return together.
    const base::Duration wait{wait_.ns / 2 + static_cast<std::int64_t>(prng_.below(
                                                 static_cast<std::uint64_t>(wait_.ns / 2) + 1))};
    wait_ = std::min(wait_ * 2, fetch_retry_max);
    timer_ = loop_.after(wait, [this] { ask(); });
    if (handler_.on_retry)
        handler_.on_retry(error, wait);
}

void Fetcher::report_progress() {
    const base::Instant now = loop_.now();
    if (!handler_.on_progress || now - reported_at_ < progress_period)
        return;
    reported_at_ = now;
    handler_.on_progress(bytes_there_);
}

void Fetcher::finish(const base::Result<Blob>& result) {
    finished_ = true;
    const auto on_end = std::exchange(handler_.on_end, nullptr);
    on_end(result);
}

}  // namespace idlewatt::blobs
