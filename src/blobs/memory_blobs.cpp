// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/memory_blobs.hpp"

#include <algorithm>
#include <utility>

#include "blobs/blob_index.hpp"
#include "blobs/sha256.hpp"
#include "core/model.hpp"

namespace idlewatt::blobs {

namespace {

class MemoryBlobs final : public Blobs {
public:
    MemoryBlobs(base::Loop& loop, std::shared_ptr<MemoryShelf> shelf, std::uint64_t bytes_limit)
        : loop_(loop), shelf_(std::move(shelf)), index_(bytes_limit) {
        std::map<std::uint64_t, const std::string*> by_use;
        for (const auto& [name, file] : shelf_->files)
            by_use[file.used] = &name;
        for (const auto& [used, name] : by_use) {
            const MemoryShelf::File& file = shelf_->files.at(*name);
            index_.found(*name, file.bytes.size(), file.complete);
        }
    }
    ~MemoryBlobs() override { *alive_ = false; }

    MemoryBlobs(const MemoryBlobs&) = delete;
    MemoryBlobs& operator=(const MemoryBlobs&) = delete;

    [[nodiscard]] std::vector<Blob> list() const override { return index_.complete(); }
    [[nodiscard]] std::optional<Blob> find(std::string_view sha256) const override;
    [[nodiscard]] Progress progress(std::string_view sha256) const override {
        return index_.progress(sha256);
    }
    [[nodiscard]] std::uint64_t bytes_used() const override { return index_.bytes_used(); }
    [[nodiscard]] std::uint64_t bytes_limit() const override { return index_.bytes_limit(); }
    void pin(std::string_view sha256) override;
    void unpin(std::string_view sha256) override { index_.unpin(sha256); }
    void put(std::string_view sha256, std::uint64_t bytes_total, std::uint64_t offset,
             std::string bytes, Callback<Progress> done) override;
    void read(std::string_view sha256, std::uint64_t offset, std::size_t count,
              Callback<std::string> done) override;
    void examine(std::string_view sha256,
                 std::function<base::Result<void>(const std::string& path)> check,
                 Callback<void> done) override;
    void erase(std::string_view sha256, Callback<void> done) override;
    [[nodiscard]] std::unique_ptr<Draft> draft() override;

private:
    friend class MemoryDraft;

    [[nodiscard]] std::uint64_t free_bytes() const;
    [[nodiscard]] base::Result<Progress> write(const std::string& name, std::uint64_t bytes_total,
                                               std::uint64_t offset, const std::string& bytes);
    template <class T>
    void answer(Callback<T> done, base::Result<T> result) {
        loop_.post([alive = alive_, done = std::move(done), result = std::move(result)] {
            if (*alive)
                done(result);
        });
    }

    base::Loop& loop_;
    std::shared_ptr<MemoryShelf> shelf_;
    BlobIndex index_;
    std::uint64_t drafts_made_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::optional<Blob> MemoryBlobs::find(std::string_view sha256) const {
    const Progress progress = index_.progress(sha256);
    if (!progress.complete)
        return std::nullopt;
    return Blob{std::string(sha256), progress.bytes, {}};
}

void MemoryBlobs::pin(std::string_view sha256) {
    index_.pin(sha256);
    const auto file = shelf_->files.find(sha256);
    if (file != shelf_->files.end())
        file->second.used = ++shelf_->uses;
}

std::uint64_t MemoryBlobs::free_bytes() const {
    std::uint64_t there = 0;
    for (const auto& [name, file] : shelf_->files)
        there += file.bytes.size();
    return shelf_->capacity_bytes - std::min(there, shelf_->capacity_bytes);
}

void MemoryBlobs::put(std::string_view sha256, std::uint64_t bytes_total, std::uint64_t offset,
                      std::string bytes, Callback<Progress> done) {
    if (auto fine = BlobIndex::check(sha256, bytes_total, offset, bytes.size()); !fine)
        return answer<Progress>(std::move(done), tl::unexpected(fine.error()));
    const std::string name(sha256);
    auto victims = index_.reserve(name, bytes_total, free_bytes());
    if (!victims)
        return answer<Progress>(std::move(done), tl::unexpected(victims.error()));
    for (const std::string& victim : *victims)
        shelf_->files.erase(victim);
    auto result = write(name, bytes_total, offset, bytes);
    if (result)
        index_.is_now(name, *result);
    else if (result.error().kind == base::ErrorKind::bad_input)
        index_.drop(name);
    answer<Progress>(std::move(done), std::move(result));
}

base::Result<Progress> MemoryBlobs::write(const std::string& name, std::uint64_t bytes_total,
                                          std::uint64_t offset, const std::string& bytes) {
    MemoryShelf::File& file = shelf_->files[name];
    file.used = ++shelf_->uses;
    if (file.complete)
        return Progress{file.bytes.size(), true};
    if (file.bytes.size() > bytes_total) {
        file.bytes.clear();
        return Progress{};
    }
    if (offset != file.bytes.size())
        return Progress{file.bytes.size(), false};
    if (bytes.size() > free_bytes()) {
        return base::fail(base::ErrorKind::limit_exceeded,
                          "blob " + name + ": no space left; free some space");
    }
    file.bytes += bytes;
    if (file.bytes.size() < bytes_total)
        return Progress{file.bytes.size(), false};
    const std::string digest = sha256_of(file.bytes);
    if (digest != name) {
        shelf_->files.erase(name);
        return base::fail(
            base::ErrorKind::bad_input,
            "blob " + name + ": its bytes have the SHA-256 " + digest +
                ", so some of them are wrong; they were thrown away, send them again");
    }
    file.complete = true;
    return Progress{bytes_total, true};
}

void MemoryBlobs::read(std::string_view sha256, std::uint64_t offset, std::size_t count,
                       Callback<std::string> done) {
    if (!index_.progress(sha256).complete) {
        return answer<std::string>(
            std::move(done),
            base::fail(base::ErrorKind::not_found, "blob " + std::string(sha256) + " is not here"));
    }
    index_.use(sha256);
    const std::string& bytes = shelf_->files.find(sha256)->second.bytes;
    const std::size_t from = std::min<std::size_t>(offset, bytes.size());
    answer<std::string>(std::move(done), bytes.substr(from, std::min(count, part_bytes_max)));
}

void MemoryBlobs::examine(std::string_view sha256,
                          std::function<base::Result<void>(const std::string& path)> /*check*/,
                          Callback<void> done) {
    answer<void>(std::move(done), index_.progress(sha256).complete
                                      ? base::Result<void>{}
                                      : base::fail(base::ErrorKind::not_found,
                                                   "blob " + std::string(sha256) + " is not here"));
}

void MemoryBlobs::erase(std::string_view sha256, Callback<void> done) {
    if (index_.pinned(sha256)) {
        return answer<void>(
            std::move(done),
            base::fail(base::ErrorKind::unavailable,
                       "blob " + std::string(sha256) + " is in use; try again when it is not"));
    }
    if (!core::is_sha256(sha256)) {
        return answer<void>(std::move(done),
                            base::fail(base::ErrorKind::bad_input, "not the name of a blob"));
    }
    index_.drop(sha256);
    const auto file = shelf_->files.find(sha256);
    if (file != shelf_->files.end())
        shelf_->files.erase(file);
    answer<void>(std::move(done), {});
}

class MemoryDraft final : public Draft {
public:
    MemoryDraft(MemoryBlobs& blobs, std::string name) : blobs_(blobs), name_(std::move(name)) {
        blobs_.index_.pin(name_);
    }
    ~MemoryDraft() override {
        blobs_.index_.unpin(name_);
        blobs_.index_.drop(name_);
    }
    MemoryDraft(const MemoryDraft&) = delete;
    MemoryDraft& operator=(const MemoryDraft&) = delete;

    void append(std::string bytes, Callback<std::uint64_t> done) override {
        const std::uint64_t free = blobs_.free_bytes();
        auto victims = blobs_.index_.reserve(name_, bytes_.size() + bytes.size(),
                                             free - std::min<std::uint64_t>(bytes_.size(), free));
        if (!victims)
            return answer<std::uint64_t>(std::move(done), tl::unexpected(victims.error()));
        for (const std::string& victim : *victims)
            blobs_.shelf_->files.erase(victim);
        bytes_ += bytes;
        blobs_.index_.is_now(name_, {bytes_.size(), false});
        answer<std::uint64_t>(std::move(done), bytes_.size());
    }

    void finish(Callback<Blob> done) override {
        const Blob blob{sha256_of(bytes_), bytes_.size(), {}};
        blobs_.index_.drop(name_);
        blobs_.index_.found(blob.sha256, blob.bytes, true);
        blobs_.shelf_->files[blob.sha256] = {std::move(bytes_), true, ++blobs_.shelf_->uses};
        answer<Blob>(std::move(done), blob);
    }

private:
    template <class T>
    void answer(Callback<T> done, base::Result<T> result) {
        blobs_.answer<T>(
            [alive = std::weak_ptr(alive_), done = std::move(done)](base::Result<T> late) {
                if (!alive.expired())
                    done(std::move(late));
            },
            std::move(result));
    }

    MemoryBlobs& blobs_;
    std::string name_;
    std::string bytes_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<Draft> MemoryBlobs::draft() {
    return std::make_unique<MemoryDraft>(*this, "draft." + std::to_string(++drafts_made_));
}

}  // namespace

std::unique_ptr<Blobs> open_memory_blobs(base::Loop& loop, std::shared_ptr<MemoryShelf> shelf,
                                         std::uint64_t bytes_limit) {
    return std::make_unique<MemoryBlobs>(loop, std::move(shelf), bytes_limit);
}

}  // namespace idlewatt::blobs
