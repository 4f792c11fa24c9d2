// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Brings one blob from an address into the store: in parts, going on where the bytes end, again and
// again with back-off until it is there. The way to the address is somebody else's (ByteSource).
//
// Lifecycle: construct to begin, destroy to stop; what has arrived stays in the store, pinned while
// this lives. Threads: the loop's; callbacks never run inside a call. Errors at the end: bad_input
// (what the address serves is not the blob, verification_attempts_max times), limit_exceeded and io
// (no room on the disk), else what failed last, after failures_max failures without a new byte.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/loop.hpp"
#include "base/prng.hpp"
#include "base/result.hpp"
#include "base/time.hpp"
#include "blobs/blobs.hpp"

namespace idlewatt::blobs {

// Asked for at a time: what can wait in memory for the disk is bounded by it.
inline constexpr std::uint64_t fetch_bytes_max = 8 * 1024 * 1024;
// Handed to the store at a time.
inline constexpr std::size_t fetch_part_bytes = 1024 * 1024;
inline constexpr base::Duration fetch_retry_min = base::milliseconds(500);
inline constexpr base::Duration fetch_retry_max = base::seconds(30);
inline constexpr int fetch_failures_max = 12;
inline constexpr int verification_attempts_max = 3;
// Progress is told at most this often.
inline constexpr base::Duration progress_period = base::milliseconds(250);

// Destroying it stops the transfer without a further callback; also inside its own on_end.
class Transfer {
public:
    virtual ~Transfer() = default;
};

struct ByteHandler {
    std::function<void(std::string_view bytes)> on_bytes;
    // Exactly once, after the last bytes; never inside get(). Success: the other side has sent all
    // that it wanted to send.
    std::function<void(base::Result<void>)> on_end;
};

// Where bytes come from: `world` builds one on an HTTP client. count is never zero.
class ByteSource {
public:
    virtual ~ByteSource() = default;
    [[nodiscard]] virtual std::unique_ptr<Transfer> get(const std::string& url,
                                                        std::uint64_t offset, std::uint64_t count,
                                                        ByteHandler handler) = 0;
};

struct FetchJob {
    std::string url;
    std::string sha256;
    std::uint64_t bytes = 0;
    std::uint64_t seed = 0;  // of the jitter
};

struct FetchHandler {
    std::function<void(std::uint64_t bytes_there)> on_progress{};
    // A try has failed and another one follows after `wait`; for logs.
    std::function<void(const base::Error& error, base::Duration wait)> on_retry{};
    // Exactly once.
    Callback<Blob> on_end;
};

class Fetcher {
public:
    Fetcher(base::Loop& loop, Blobs& blobs, ByteSource& source, FetchJob job, FetchHandler handler);
    ~Fetcher();

    Fetcher(const Fetcher&) = delete;
    Fetcher& operator=(const Fetcher&) = delete;

private:
    void ask();
    void take(std::string_view bytes);
    void hand_over();
    void written(const base::Result<Progress>& result);
    void ended(const base::Result<void>& result);
    void settle();
    void take_store_failure(const base::Error& error);
    void retry(const base::Error& error);
    void report_progress();
    void finish(const base::Result<Blob>& result);

    base::Loop& loop_;
    Blobs& blobs_;
    ByteSource& source_;
    FetchJob job_;
    FetchHandler handler_;
    Pin pin_;
    base::Prng prng_;

    std::unique_ptr<Transfer> transfer_;
    bool asking_ = false;       // a transfer runs
    std::uint64_t wanted_ = 0;  // still to come of what was asked for
    std::string waiting_;       // arrived, not yet handed to the store
    std::uint64_t offset_ = 0;  // where the next bytes for the store belong
    std::size_t writes_ = 0;    // handed to the store, not yet answered
    std::uint64_t bytes_there_ = 0;

    std::optional<base::Error> failure_;  // of the transfer
    std::optional<base::Error> store_failure_;
    int failures_ = 0;  // without a new byte
    int verifications_failed_ = 0;
    bool finished_ = false;
    base::Duration wait_ = fetch_retry_min;
    base::TimerId timer_{};
    base::Instant reported_at_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::blobs
