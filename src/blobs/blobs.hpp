// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Large files by the SHA-256 of their bytes: models on a coordinator's disk and in cars' caches.
// Bytes come in parts, whenever they come; a blob gets its name only when all are there, are on the
// disk and have the right hash. Whoever dies on the way goes on where the bytes end. Beyond its
// limit the store drops what was not used for longest, never what is pinned.
//
// Lifecycle: opened by folder_blobs.hpp or memory_blobs.hpp; destroying it drops what was not done
// yet, without a further callback. Threads: everything belongs to the loop given at opening;
// callbacks run in tasks of that loop, never inside a call. Files are touched by another thread.
// Errors: bad_input (not a SHA-256, an impossible size, or bytes that are not what their name says:
// they have been thrown away), limit_exceeded (no room: the limit, or a full disk; what was there
// stays), not_found, unavailable (pinned, or too much is under way), io (the disk refuses).
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.hpp"

namespace idlewatt::blobs {

inline constexpr std::uint64_t blob_bytes_max = std::uint64_t{1} << 40;
// Of one put() or read().
inline constexpr std::size_t part_bytes_max = 16 * 1024 * 1024;
// Given to put() and not yet on the disk; above it put() answers unavailable.
inline constexpr std::size_t unwritten_bytes_max = 64 * 1024 * 1024;

template <class T>
using Callback = std::function<void(base::Result<T>)>;

struct Blob {
    std::string sha256;  // 64 hexadecimal digits in lower case
    std::uint64_t bytes = 0;
    std::string path;  // of the file; empty where there are none
    friend bool operator==(const Blob&, const Blob&) = default;
};

// How far a blob has come.
struct Progress {
    std::uint64_t bytes = 0;  // there so far: the offset at which to go on
    bool complete = false;    // whole, verified and under its name
    friend bool operator==(const Progress&, const Progress&) = default;
};

// The bytes of a blob whose hash is known only at its end. Destroying it without finish() throws
// them away, and no callback comes any more; it may be destroyed in one. Gone before its store.
class Draft {
public:
    virtual ~Draft() = default;

    // The next bytes, at most part_bytes_max. The answer: how many are written in all. After an
    // error nothing more is taken.
    virtual void append(std::string bytes, Callback<std::uint64_t> done) = 0;
    // Once, as the last call: on the disk and under its name. Pin it in the callback, or it may go.
    virtual void finish(Callback<Blob> done) = 0;
};

class Blobs {
public:
    virtual ~Blobs() = default;

    // Complete ones only; the least recently used first.
    [[nodiscard]] virtual std::vector<Blob> list() const = 0;
    [[nodiscard]] virtual std::optional<Blob> find(std::string_view sha256) const = 0;
    // Nothing there is zero bytes.
    [[nodiscard]] virtual Progress progress(std::string_view sha256) const = 0;
    // Complete blobs, and parts with the whole size of what they will be.
    [[nodiscard]] virtual std::uint64_t bytes_used() const = 0;
    [[nodiscard]] virtual std::uint64_t bytes_limit() const = 0;

    // In use, whole or in part: not dropped to make room. Counted: each pin needs one unpin. Also
    // of a blob that is not there yet. A pin counts as a use.
    virtual void pin(std::string_view sha256) = 0;
    virtual void unpin(std::string_view sha256) = 0;

    // The bytes of a blob from offset on. Any other offset than progress().bytes writes nothing and
    // answers where to go on; so a part may be sent again. The last part verifies all of it; an
    // empty one behind the last byte does so too, after a life that ended just before. Calls for
    // one blob are done in their order; the answer is what holds after this one.
    virtual void put(std::string_view sha256, std::uint64_t bytes_total, std::uint64_t offset,
                     std::string bytes, Callback<Progress> done) = 0;
    // A new blob, of as many bytes as will come. They count as in use.
    [[nodiscard]] virtual std::unique_ptr<Draft> draft() = 0;
    // At most count bytes (part_bytes_max) of a complete blob; fewer only at its end.
    virtual void read(std::string_view sha256, std::uint64_t offset, std::size_t count,
                      Callback<std::string> done) = 0;
    // Runs the check on the file of a complete blob, away from the loop, and answers what it
    // answered; not where there are no files.
    virtual void examine(std::string_view sha256,
                         std::function<base::Result<void>(const std::string& path)> check,
                         Callback<void> done) = 0;
    // Whole or in part; unavailable while pinned. No effect when there is none.
    virtual void erase(std::string_view sha256, Callback<void> done) = 0;
};

// Pins for as long as it lives.
class Pin {
public:
    Pin() = default;
    Pin(Blobs& blobs, std::string sha256) : blobs_(&blobs), sha256_(std::move(sha256)) {
        blobs_->pin(sha256_);
    }
    Pin(Pin&& other) noexcept
        : blobs_(std::exchange(other.blobs_, nullptr)), sha256_(std::move(other.sha256_)) {}
    Pin& operator=(Pin&& other) noexcept {
        std::swap(blobs_, other.blobs_);
        std::swap(sha256_, other.sha256_);
        return *this;
    }
    ~Pin() {
        if (blobs_ != nullptr)
            blobs_->unpin(sha256_);
    }
    Pin(const Pin&) = delete;
    Pin& operator=(const Pin&) = delete;

    [[nodiscard]] const std::string& sha256() const { return sha256_; }

private:
    Blobs* blobs_ = nullptr;
    std::string sha256_;
};

}  // namespace idlewatt::blobs
