// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/file_spool.hpp"

#include <cerrno>
#include <utility>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/descriptor.hpp"
#include "base/log.hpp"
#include "spool/format.hpp"
#include "spool/sync_thread.hpp"

namespace idlewatt::spool {

namespace {

// Below this a rewrite is not worth its two syncs.
constexpr std::uint64_t rewrite_bytes_min = 1024 * 1024;
// Struck-out records are at most as large as the live ones or rewrite_bytes_min before a rewrite.
// Every live record may be as small as one byte of key, so the overhead counts in full.
constexpr std::uint64_t file_bytes_max = std::uint64_t{4} * spool_bytes_max;
constexpr int lock_attempts = 3;

base::Result<void> write_all(int fd, std::string_view bytes, std::uint64_t offset,
                             const std::string& path) {
    while (!bytes.empty()) {
        const ssize_t wrote = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return base::fail_errno("spool " + path + ": cannot write");
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
        offset += static_cast<std::uint64_t>(wrote);
    }
    return {};
}

base::Result<std::string> read_all(int fd, std::uint64_t size, const std::string& path) {
    std::string bytes(size, '\0');
    std::size_t at = 0;
    while (at < bytes.size()) {
        const ssize_t got =
            ::pread(fd, bytes.data() + at, bytes.size() - at, static_cast<off_t>(at));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return base::fail_errno("spool " + path + ": cannot read");
        if (got == 0)
            break;
        at += static_cast<std::size_t>(got);
    }
    bytes.resize(at);
    return bytes;
}

base::Result<void> sync_folder(const std::string& path) {
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const base::Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0) {
        return base::fail_errno("spool: cannot sync the folder " + folder);
    }
    return {};
}

base::Result<base::Descriptor> open_file(const std::string& path, int flags) {
    base::Descriptor fd(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | flags, 0600));
    if (fd.get() < 0)
        return base::fail_errno("spool " + path + ": cannot open");
    return fd;
}

base::Result<void> lock(int fd, const std::string& path) {
    if (::flock(fd, LOCK_EX | LOCK_NB) == 0)
        return {};
    if (errno == EWOULDBLOCK) {
        return base::fail(
            base::ErrorKind::unavailable,
            "spool " + path + ": another process holds it; stop the other agent of this car first");
    }
    return base::fail_errno("spool " + path + ": cannot lock");
}

class FileSpool final : public Spool {
public:
    explicit FileSpool(std::string path) : path_(std::move(path)), sync_thread_(path_) {}

    base::Result<void> open();

    base::Result<void> put(std::string_view key, std::string_view value) override;
    base::Result<void> erase(std::string_view key) override;
    base::Result<void> sync() override;
    void sync_soon() override { sync_thread_.ask(fd_.get()); }
    [[nodiscard]] std::vector<Record> records() const override { return live_.all(); }

private:
    base::Result<void> open_locked();
    base::Result<void> load(std::uint64_t size);
    base::Result<void> append(Action action, std::string_view key, std::string_view value);
    base::Result<void> empty_the_file();
    base::Result<void> rewrite();
    void rewrite_if_worth_it();
    [[nodiscard]] std::uint64_t live_file_bytes() const {
        return file_mark.size() + live_.bytes() + live_.count() * record_overhead_bytes;
    }

    std::string path_;
    base::Descriptor fd_;
    SyncThread sync_thread_;
    LiveRecords live_;
    std::uint64_t end_ = 0;              // of the last sound record
    std::uint64_t next_rewrite_at_ = 0;  // after a failed one: not before the file has grown
};

// The lock is on the file, and a rewrite puts another file in its place: whoever locked the old
// one just then has to look again.
base::Result<void> FileSpool::open_locked() {
    for (int attempt = 0; attempt < lock_attempts; ++attempt) {
        base::Result<base::Descriptor> fd = open_file(path_, 0);
        if (!fd)
            return tl::unexpected(fd.error());
        if (base::Result<void> locked = lock(fd->get(), path_); !locked)
            return locked;
        struct stat ours {};
        struct stat there {};
        if (::fstat(fd->get(), &ours) != 0) {
            return base::fail_errno("spool " + path_ + ": cannot stat");
        }
        if (!S_ISREG(ours.st_mode)) {
            return base::fail(base::ErrorKind::bad_input, "spool " + path_ + ": not a plain file");
        }
        if (::stat(path_.c_str(), &there) == 0 && ours.st_ino == there.st_ino &&
            ours.st_dev == there.st_dev) {
            fd_ = std::move(*fd);
            return load(static_cast<std::uint64_t>(ours.st_size));
        }
    }
    return base::fail(base::ErrorKind::unavailable,
                      "spool " + path_ + ": another process keeps replacing it");
}

base::Result<void> FileSpool::open() {
    if (base::Result<void> opened = open_locked(); !opened)
        return opened;
    ::unlink((path_ + ".new").c_str());  // of a rewrite that death interrupted
    return {};
}

base::Result<void> FileSpool::load(std::uint64_t size) {
    if (size > file_bytes_max) {
        return base::fail(base::ErrorKind::limit_exceeded,
                          "spool " + path_ + ": has " + std::to_string(size) +
                              " bytes, the limit is " + std::to_string(file_bytes_max) +
                              "; move it away");
    }
    const base::Result<std::string> file = read_all(fd_.get(), size, path_);
    if (!file)
        return tl::unexpected(file.error());
    const ScanReport report = scan(*file, live_);
    if (report.foreign) {
        return base::fail(base::ErrorKind::bad_input,
                          "spool " + path_ + ": not a spool file; move it away or name another");
    }
    end_ = report.good_bytes;
    if (report.torn_bytes > 0) {
        base::log_warning("spool", path_ + ": cut off a torn tail of " +
                                       std::to_string(report.torn_bytes) + " bytes");
        if (::ftruncate(fd_.get(), static_cast<off_t>(end_)) != 0) {
            return base::fail_errno("spool " + path_ + ": cannot cut off a torn tail");
        }
    }
    if (report.damaged_bytes > 0) {
        base::log_error("spool", path_ + ": " + std::to_string(report.damaged_bytes) +
                                     " bytes in the middle are damaged, records may be lost; "
                                     "the file as found is kept as " +
                                     path_ + ".damaged");
        ::unlink((path_ + ".damaged").c_str());
        if (::link(path_.c_str(), (path_ + ".damaged").c_str()) != 0) {
            return base::fail_errno("spool " + path_ + ": cannot keep the damaged file");
        }
        return rewrite();
    }
    if (end_ < file_mark.size())
        return empty_the_file();
    return {};
}

// Also makes the file in the first place.
base::Result<void> FileSpool::empty_the_file() {
    IDLEWATT_ASSERT(live_.count() == 0);
    if (end_ < file_mark.size()) {
        if (base::Result<void> wrote = write_all(fd_.get(), file_mark, 0, path_); !wrote) {
            return wrote;
        }
        if (base::Result<void> synced = sync_folder(path_); !synced)
            return synced;
    }
    if (::ftruncate(fd_.get(), static_cast<off_t>(file_mark.size())) != 0) {
        return base::fail_errno("spool " + path_ + ": cannot empty");
    }
    end_ = file_mark.size();
    return {};
}

base::Result<void> FileSpool::append(Action action, std::string_view key, std::string_view value) {
    const std::string record = encode_record(end_, action, key, value);
    if (end_ + record.size() > file_bytes_max) {
        return base::fail(base::ErrorKind::limit_exceeded,
                          "spool " + path_ + ": the file has reached its limit of " +
                              std::to_string(file_bytes_max) + " bytes");
    }
    base::Result<void> wrote = write_all(fd_.get(), record, end_, path_);
    if (!wrote) {
        // Half a record is cut off; where that fails too, the next append writes over it.
        if (::ftruncate(fd_.get(), static_cast<off_t>(end_)) != 0) {
            base::log_warning("spool", path_ + ": cannot cut off half a record");
        }
        return wrote;
    }
    end_ += record.size();
    return {};
}

base::Result<void> FileSpool::put(std::string_view key, std::string_view value) {
    if (base::Result<void> fits = live_.check_put(key, value); !fits)
        return fits;
    if (base::Result<void> wrote = append(Action::put, key, value); !wrote)
        return wrote;
    live_.put(key, value);
    rewrite_if_worth_it();
    return {};
}

base::Result<void> FileSpool::erase(std::string_view key) {
    if (!live_.has(key))
        return {};
    base::Result<void> wrote = append(Action::erase, key, "");
    if (!wrote && live_.count() > 1)
        return wrote;
    live_.erase(key);
    if (live_.count() == 0 && (!wrote || end_ >= rewrite_bytes_min)) {
        // Needs no room, so a full disk can be left this way.
        return empty_the_file();
    }
    rewrite_if_worth_it();
    return {};
}

base::Result<void> FileSpool::sync() {
    if (::fdatasync(fd_.get()) != 0)
        return base::fail_errno("spool " + path_ + ": cannot sync");
    return {};
}

void FileSpool::rewrite_if_worth_it() {
    if (end_ < rewrite_bytes_min || end_ < 2 * live_file_bytes() || end_ < next_rewrite_at_)
        return;
    const base::Result<void> rewritten = rewrite();
    next_rewrite_at_ = rewritten ? 0 : end_ + rewrite_bytes_min;
    if (!rewritten)
        base::log_warning("spool", rewritten.error().message);
}

// A new file beside the old one, on the disk before it takes its place.
base::Result<void> FileSpool::rewrite() {
    const std::string path_new = path_ + ".new";
    base::Result<base::Descriptor> fd = open_file(path_new, O_TRUNC);
    if (!fd)
        return tl::unexpected(fd.error());
    base::Result<void> done = lock(fd->get(), path_new);
    std::string bytes(file_mark);
    std::uint64_t end = 0;
    for (const Record& record : live_.all()) {
        if (!done)
            break;
        bytes += encode_record(end + bytes.size(), Action::put, record.key, record.value);
        if (bytes.size() < record_bytes_max)
            continue;
        done = write_all(fd->get(), bytes, end, path_new);
        end += bytes.size();
        bytes.clear();
    }
    if (done)
        done = write_all(fd->get(), bytes, end, path_new);
    end += bytes.size();
    if (done && ::fdatasync(fd->get()) != 0) {
        done = base::fail_errno("spool " + path_new + ": cannot sync");
    }
    if (done && ::rename(path_new.c_str(), path_.c_str()) != 0) {
        done = base::fail_errno("spool " + path_new + ": cannot rename");
    }
    if (!done) {
        ::unlink(path_new.c_str());
        return done;
    }
    fd_ = std::move(*fd);
    end_ = end;
    return sync_folder(path_);
}

}  // namespace

base::Result<std::unique_ptr<Spool>> open_file_spool(const std::string& path) {
    auto spool = std::make_unique<FileSpool>(path);
    if (base::Result<void> opened = spool->open(); !opened) {
        return tl::unexpected(opened.error());
    }
    return spool;
}

}  // namespace idlewatt::spool
