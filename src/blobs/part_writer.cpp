// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/part_writer.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.hpp"

namespace idlewatt::blobs {

namespace {

constexpr std::size_t hashed_slice_bytes = 1024 * 1024;

}  // namespace

tl::unexpected<base::Error> fail_write(const std::string& what) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    if (!full)
        return base::fail_errno(what);
    return base::fail(base::ErrorKind::limit_exceeded,
                      what + ": " + std::strerror(errno) + "; free some space");
}

base::Result<void> sync_folder(const std::string& folder) {
    const base::Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (fd.get() < 0 || ::fsync(fd.get()) != 0)
        return base::fail_errno("blobs " + folder + ": cannot sync the folder");
    return {};
}

std::string PartWriter::path(const std::string& sha256) const {
    return folder_ + "/" + sha256;
}

std::string PartWriter::part_path(const std::string& sha256) const {
    return path(sha256) + std::string(part_suffix);
}

base::Result<PartWriter::Part*> PartWriter::open(const std::string& sha256) {
    const auto known = parts_.find(sha256);
    if (known != parts_.end())
        return &known->second;
    const std::string path = part_path(sha256);
    Part part;
    part.file =
        base::Descriptor(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (part.file.get() < 0)
        return fail_write("blobs " + path + ": cannot open");
    if (auto read = hash_what_is_there(part, path); !read)
        return tl::unexpected(read.error());
    if (parts_.size() >= parts_open_max)
        parts_.erase(parts_.begin());
    return &parts_.emplace(sha256, std::move(part)).first->second;
}

base::Result<void> PartWriter::hash_what_is_there(Part& part, const std::string& path) {
    std::string slice(hashed_slice_bytes, '\0');
    for (;;) {
        if (stopped_)
            return base::fail(base::ErrorKind::unavailable, "the store of blobs is closing");
        const ssize_t count =
            ::pread(part.file.get(), slice.data(), slice.size(), static_cast<off_t>(part.bytes));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            return base::fail_errno("blobs " + path + ": cannot read");
        if (count == 0)
            return {};
        part.hash.update(std::string_view(slice).substr(0, static_cast<std::size_t>(count)));
        part.bytes += static_cast<std::uint64_t>(count);
    }
}

base::Result<void> PartWriter::write(Part& part, std::string_view bytes, const std::string& path) {
    std::uint64_t end = part.bytes;
    for (std::string_view left = bytes; !left.empty();) {
        const ssize_t count =
            ::pwrite(part.file.get(), left.data(), left.size(), static_cast<off_t>(end));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            auto failed = fail_write("blobs " + path + ": cannot write");
            // What the hash does not know must not be there when somebody reads on from the end.
            if (::ftruncate(part.file.get(), static_cast<off_t>(part.bytes)) != 0)
                base::log_warning("blobs", path + ": cannot cut off half a part");
            return failed;
        }
        left.remove_prefix(static_cast<std::size_t>(count));
        end += static_cast<std::uint64_t>(count);
    }
    part.hash.update(bytes);
    part.bytes = end;
    return {};
}

base::Result<Progress> PartWriter::put(const std::string& sha256, std::uint64_t bytes_total,
                                       std::uint64_t offset, std::string_view bytes) {
    struct stat whole {};
    if (::stat(path(sha256).c_str(), &whole) == 0)
        return Progress{static_cast<std::uint64_t>(whole.st_size), true};
    auto part = open(sha256);
    if (!part)
        return tl::unexpected(part.error());
    if ((*part)->bytes > bytes_total) {
        // Of a time when somebody said that it is larger.
        if (auto erased = erase(sha256); !erased)
            return tl::unexpected(erased.error());
        return Progress{};
    }
    if (offset != (*part)->bytes)
        return Progress{(*part)->bytes, false};
    if (auto written = write(**part, bytes, part_path(sha256)); !written) {
        parts_.erase(sha256);  // looked at afresh when it goes on
        return tl::unexpected(written.error());
    }
    if ((*part)->bytes < bytes_total)
        return Progress{(*part)->bytes, false};
    return complete(sha256, **part);
}

// The bytes are on the disk before the name is, and the name before anybody is told.
base::Result<Progress> PartWriter::complete(const std::string& sha256, Part& part) {
    const std::string digest = part.hash.digest();
    if (digest != sha256) {
        auto erased = erase(sha256);
        return base::fail(base::ErrorKind::bad_input,
                          "blob " + sha256 + ": its bytes have the SHA-256 " + digest +
                              ", so some of them are wrong; " +
                              (erased ? "they were thrown away, send them again"
                                      : "they cannot be thrown away: " + erased.error().message));
    }
    const std::uint64_t bytes = part.bytes;
    const bool synced = ::fsync(part.file.get()) == 0;
    const int reason = errno;
    parts_.erase(sha256);
    errno = reason;
    if (!synced)
        return fail_write("blobs " + part_path(sha256) + ": cannot sync");
    if (::rename(part_path(sha256).c_str(), path(sha256).c_str()) != 0)
        return base::fail_errno("blobs " + part_path(sha256) + ": cannot rename");
    if (auto named = sync_folder(folder_); !named)
        return tl::unexpected(named.error());
    return Progress{bytes, true};
}

base::Result<void> PartWriter::erase(const std::string& sha256) {
    parts_.erase(sha256);
    for (const std::string& file : {path(sha256), part_path(sha256)}) {
        if (::unlink(file.c_str()) != 0 && errno != ENOENT)
            return base::fail_errno("blobs " + file + ": cannot remove");
    }
    return {};
}

}  // namespace idlewatt::blobs
