// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/folder_blobs.hpp"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "base/descriptor.hpp"
#include "base/log.hpp"
#include "blobs/blob_index.hpp"
#include "blobs/draft_file.hpp"
#include "blobs/part_writer.hpp"
#include "blobs/worker.hpp"
#include "core/model.hpp"

namespace idlewatt::blobs {

namespace {

base::Result<std::string> read_part(const std::string& path, std::uint64_t offset,
                                    std::size_t count) {
    const base::Descriptor fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
    if (fd.get() < 0 && errno == ENOENT)
        return base::fail(base::ErrorKind::not_found, "blobs " + path + ": not there any more");
    if (fd.get() < 0)
        return base::fail_errno("blobs " + path + ": cannot open");
    std::string bytes(count, '\0');
    std::size_t there = 0;
    while (there < count) {
        const ssize_t read = ::pread(fd.get(), bytes.data() + there, count - there,
                                     static_cast<off_t>(offset + there));
        if (read < 0 && errno == EINTR)
            continue;
        if (read < 0)
            return base::fail_errno("blobs " + path + ": cannot read");
        if (read == 0)
            break;
        there += static_cast<std::size_t>(read);
    }
    bytes.resize(there);
    return bytes;
}

class FolderBlobs final : public Blobs {
public:
    FolderBlobs(base::Loop& loop, const FolderOptions& options)
        : loop_(loop), folder_(options.path), index_(options.bytes_limit), writer_(folder_) {}
    ~FolderBlobs() override {
        alive_.reset();
        writer_.stop();
    }

    FolderBlobs(const FolderBlobs&) = delete;
    FolderBlobs& operator=(const FolderBlobs&) = delete;

    base::Result<void> open();

    [[nodiscard]] std::vector<Blob> list() const override;
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
    friend class FolderDraft;

    void append(const std::shared_ptr<DraftFile>& file, const std::string& name,
                std::uint64_t bytes_before, std::string bytes, Callback<std::uint64_t> done);
    void finish(const std::shared_ptr<DraftFile>& file, const std::string& name,
                Callback<Blob> done);
    [[nodiscard]] bool in_use(std::string_view sha256) const {
        return index_.pinned(sha256) || finishing_ > 0;
    }
    void drop(std::shared_ptr<DraftFile> file, const std::string& name);
    void make_room(std::vector<std::string> victims);
    void finished();
    [[nodiscard]] std::string path(std::string_view sha256) const {
        return folder_ + "/" + std::string(sha256);
    }
    [[nodiscard]] std::uint64_t free_bytes() const;
    void take_note(const std::string& sha256, const base::Result<Progress>& result);
    // From any thread: runs the task on the loop while this is alive.
    void on_loop(std::function<void()> task);

    base::Loop& loop_;
    std::string folder_;
    base::Descriptor lock_;
    BlobIndex index_;
    std::size_t unwritten_bytes_ = 0;
    std::uint64_t drafts_made_ = 0;
    std::size_t finishing_ = 0;         // drafts: any of them may become the blob that is erased
    std::vector<std::string> victims_;  // that wait for the drafts
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
    std::weak_ptr<bool> alive_mark_ = alive_;
    PartWriter writer_;
    Worker reading_;
    Worker writing_;
};

base::Result<void> FolderBlobs::open() {
    if (::mkdir(folder_.c_str(), 0700) != 0 && errno != EEXIST)
        return base::fail_errno("blobs " + folder_ + ": cannot make the folder");
    const std::string lock = folder_ + "/lock";
    lock_ = base::Descriptor(::open(lock.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (lock_.get() < 0)
        return base::fail_errno("blobs " + lock + ": cannot open");
    if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
        return base::fail(base::ErrorKind::unavailable,
                          "blobs " + folder_ + ": another process uses this folder; stop it first");
    }
    struct Found {
        std::filesystem::file_time_type used;
        std::string sha256;
        std::uint64_t bytes;
        bool complete;
    };
    std::vector<Found> files;
    std::error_code error;
    for (std::filesystem::directory_iterator entry(folder_, error), end; !error && entry != end;
         entry.increment(error)) {
        std::string name = entry->path().filename();
        if (name.starts_with(draft_prefix)) {
            ::unlink(entry->path().c_str());  // of a life that ended in the middle of it
            continue;
        }
        const bool complete = !name.ends_with(part_suffix);
        if (!complete)
            name.resize(name.size() - part_suffix.size());
        std::error_code unreadable;
        if (!core::is_sha256(name) || !entry->is_regular_file(unreadable))
            continue;
        const std::uint64_t bytes = entry->file_size(unreadable);
        const auto used = entry->last_write_time(unreadable);
        if (!unreadable)
            files.push_back({used, name, bytes, complete});
    }
    if (error)
        return base::fail(base::ErrorKind::io,
                          "blobs " + folder_ + ": cannot read: " + error.message());
    std::ranges::sort(files, {}, &Found::used);
    for (const Found& file : files) {
        if (file.complete)
            index_.found(file.sha256, file.bytes, true);
    }
    for (const Found& file : files) {
        if (file.complete)
            continue;
        if (index_.progress(file.sha256).complete)
            ::unlink((path(file.sha256) + std::string(part_suffix)).c_str());
        else
            index_.found(file.sha256, file.bytes, false);
    }
    return {};
}

std::vector<Blob> FolderBlobs::list() const {
    std::vector<Blob> blobs = index_.complete();
    for (Blob& blob : blobs)
        blob.path = path(blob.sha256);
    return blobs;
}

std::optional<Blob> FolderBlobs::find(std::string_view sha256) const {
    const Progress progress = index_.progress(sha256);
    if (!progress.complete)
        return std::nullopt;
    return Blob{std::string(sha256), progress.bytes, path(sha256)};
}

void FolderBlobs::pin(std::string_view sha256) {
    index_.pin(sha256);
    if (!index_.progress(sha256).complete)
        return;
    // Remembered for the order after a restart; a lost touch loses no more than that.
    reading_.do_later([file = path(sha256)] {
        if (::utimensat(AT_FDCWD, file.c_str(), nullptr, AT_SYMLINK_NOFOLLOW) != 0)
            base::log_debug("blobs", "cannot touch " + file);
    });
}

std::uint64_t FolderBlobs::free_bytes() const {
    struct statvfs disk {};
    if (::statvfs(folder_.c_str(), &disk) != 0)
        return UINT64_MAX;
    return std::uint64_t{disk.f_bavail} * disk.f_frsize;
}

void FolderBlobs::put(std::string_view sha256, std::uint64_t bytes_total, std::uint64_t offset,
                      std::string bytes, Callback<Progress> done) {
    const auto refuse = [&](base::Error error) {
        on_loop(
            [done = std::move(done), error = std::move(error)] { done(tl::unexpected(error)); });
    };
    if (auto fine = BlobIndex::check(sha256, bytes_total, offset, bytes.size()); !fine)
        return refuse(fine.error());
    if (unwritten_bytes_ + bytes.size() > unwritten_bytes_max) {
        return refuse({base::ErrorKind::unavailable,
                       "blobs: " + std::to_string(unwritten_bytes_) +
                           " bytes wait for the disk already; try again later"});
    }
    const std::string name(sha256);
    auto victims = index_.reserve(name, bytes_total, free_bytes());
    if (!victims)
        return refuse(victims.error());
    make_room(*victims);
    const std::size_t count = bytes.size();
    unwritten_bytes_ += count;
    writing_.do_later(
        [this, name, bytes_total, offset, count, bytes = std::move(bytes), done = std::move(done)] {
            auto result = writer_.put(name, bytes_total, offset, bytes);
            on_loop([this, name, count, done, result = std::move(result)] {
                unwritten_bytes_ -= count;
                take_note(name, result);
                done(result);
            });
        });
}

// A draft that is being finished may become the same blob: then it would be erased behind it.
void FolderBlobs::make_room(std::vector<std::string> victims) {
    if (finishing_ > 0) {
        victims_.insert(victims_.end(), victims.begin(), victims.end());
        return;
    }
    for (const std::string& victim : victims) {
        base::log_info("blobs", "dropping " + victim + " to make room");
        writing_.do_later([this, victim] {
            if (auto erased = writer_.erase(victim); !erased)
                base::log_warning("blobs", erased.error().message);
        });
    }
}

void FolderBlobs::take_note(const std::string& sha256, const base::Result<Progress>& result) {
    if (result)
        index_.is_now(sha256, *result);
    else if (result.error().kind == base::ErrorKind::bad_input)
        index_.drop(sha256);
}

void FolderBlobs::read(std::string_view sha256, std::uint64_t offset, std::size_t count,
                       Callback<std::string> done) {
    if (!index_.progress(sha256).complete) {
        on_loop([done = std::move(done), name = std::string(sha256)] {
            done(base::fail(base::ErrorKind::not_found, "blob " + name + " is not here"));
        });
        return;
    }
    index_.use(sha256);
    reading_.do_later([this, file = path(sha256), offset, count = std::min(count, part_bytes_max),
                       done = std::move(done)] {
        on_loop(
            [done, bytes = read_part(file, offset, count)]() mutable { done(std::move(bytes)); });
    });
}

void FolderBlobs::examine(std::string_view sha256,
                          std::function<base::Result<void>(const std::string& path)> check,
                          Callback<void> done) {
    if (!index_.progress(sha256).complete) {
        on_loop([done = std::move(done), name = std::string(sha256)] {
            done(base::fail(base::ErrorKind::not_found, "blob " + name + " is not here"));
        });
        return;
    }
    index_.use(sha256);
    reading_.do_later(
        [this, file = path(sha256), check = std::move(check), done = std::move(done)] {
            on_loop([done, result = check(file)] { done(result); });
        });
}

void FolderBlobs::erase(std::string_view sha256, Callback<void> done) {
    if (in_use(sha256) || !core::is_sha256(sha256)) {
        const bool pinned = in_use(sha256);
        on_loop([done = std::move(done), pinned, name = std::string(sha256)] {
            done(pinned ? base::fail(base::ErrorKind::unavailable,
                                     "blob " + name + " is in use; try again when it is not")
                        : base::fail(base::ErrorKind::bad_input, "not the name of a blob"));
        });
        return;
    }
    index_.drop(sha256);
    writing_.do_later([this, name = std::string(sha256), done = std::move(done)] {
        on_loop([done, erased = writer_.erase(name)] { done(erased); });
    });
}

// ── drafts ──────────────────────────────────────────────────────────────────────────────────────

class FolderDraft final : public Draft {
public:
    FolderDraft(FolderBlobs& blobs, std::string name, std::shared_ptr<DraftFile> file)
        : blobs_(blobs), name_(std::move(name)), file_(std::move(file)) {
        blobs_.index_.pin(name_);
    }
    ~FolderDraft() override {
        blobs_.index_.unpin(name_);
        blobs_.drop(std::move(file_), name_);
    }
    FolderDraft(const FolderDraft&) = delete;
    FolderDraft& operator=(const FolderDraft&) = delete;

    void append(std::string bytes, Callback<std::uint64_t> done) override {
        const std::uint64_t before = bytes_;
        bytes_ += bytes.size();
        blobs_.append(file_, name_, before, std::move(bytes), guarded(std::move(done)));
    }
    void finish(Callback<Blob> done) override {
        blobs_.finish(file_, name_, guarded(std::move(done)));
    }

private:
    template <class T>
    Callback<T> guarded(Callback<T> done) {
        return [alive = std::weak_ptr(alive_), done = std::move(done)](base::Result<T> result) {
            if (!alive.expired())
                done(std::move(result));
        };
    }

    FolderBlobs& blobs_;
    std::string name_;
    std::shared_ptr<DraftFile> file_;  // touched by the writing worker alone
    std::uint64_t bytes_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

std::unique_ptr<Draft> FolderBlobs::draft() {
    const std::string name = std::string(draft_prefix) + std::to_string(++drafts_made_);
    return std::make_unique<FolderDraft>(*this, name, std::make_shared<DraftFile>(path(name)));
}

void FolderBlobs::append(const std::shared_ptr<DraftFile>& file, const std::string& name,
                         std::uint64_t bytes_before, std::string bytes,
                         Callback<std::uint64_t> done) {
    const auto refuse = [&](base::Error error) {
        on_loop(
            [done = std::move(done), error = std::move(error)] { done(tl::unexpected(error)); });
    };
    if (unwritten_bytes_ + bytes.size() > unwritten_bytes_max) {
        return refuse({base::ErrorKind::unavailable,
                       "blobs: " + std::to_string(unwritten_bytes_) +
                           " bytes wait for the disk already; try again later"});
    }
    auto victims = index_.reserve(name, bytes_before + bytes.size(), free_bytes());
    if (!victims)
        return refuse(victims.error());
    make_room(*victims);
    const std::size_t count = bytes.size();
    unwritten_bytes_ += count;
    writing_.do_later([this, file, name, count, bytes = std::move(bytes), done = std::move(done)] {
        on_loop([this, name, count, done, written = file->append(bytes)] {
            unwritten_bytes_ -= count;
            if (written)
                index_.is_now(name, {*written, false});
            done(written);
        });
    });
}

void FolderBlobs::finish(const std::shared_ptr<DraftFile>& file, const std::string& name,
                         Callback<Blob> done) {
    ++finishing_;
    writing_.do_later([this, file, name, done = std::move(done)] {
        on_loop([this, name, done, blob = file->finish(folder_)] {
            if (blob) {
                index_.drop(name);
                index_.found(blob->sha256, blob->bytes, true);
            }
            finished();
            done(blob);
        });
    });
}

void FolderBlobs::finished() {
    if (--finishing_ > 0)
        return;
    std::vector<std::string> victims = std::exchange(victims_, {});
    std::erase_if(victims, [this](const std::string& victim) { return index_.has(victim); });
    make_room(std::move(victims));
}

void FolderBlobs::drop(std::shared_ptr<DraftFile> file, const std::string& name) {
    index_.drop(name);
    writing_.do_later([file = std::move(file)]() mutable { file.reset(); });
}

void FolderBlobs::on_loop(std::function<void()> task) {
    loop_.post([alive = alive_mark_, task = std::move(task)] {
        if (!alive.expired())
            task();
    });
}

}  // namespace

base::Result<std::unique_ptr<Blobs>> open_folder_blobs(base::Loop& loop,
                                                       const FolderOptions& options) {
    auto blobs = std::make_unique<FolderBlobs>(loop, options);
    if (auto opened = blobs->open(); !opened)
        return tl::unexpected(opened.error());
    return blobs;
}

}  // namespace idlewatt::blobs
