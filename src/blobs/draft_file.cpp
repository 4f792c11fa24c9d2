// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "blobs/draft_file.hpp"

#include <cerrno>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.hpp"
#include "blobs/part_writer.hpp"

namespace idlewatt::blobs {

DraftFile::~DraftFile() {
    if (file_.get() >= 0 && ::unlink(path_.c_str()) != 0)
        base::log_warning("blobs", path_ + ": cannot remove");
}

base::Result<void> DraftFile::open() {
    if (broken_)
        return base::fail(base::ErrorKind::io, "blobs " + path_ + ": an earlier write failed");
    if (file_.get() >= 0)
        return {};
    file_ = base::Descriptor(
        ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file_.get() < 0)
        return fail_write("blobs " + path_ + ": cannot open");
    return {};
}

base::Result<std::uint64_t> DraftFile::append(std::string_view bytes) {
    if (auto opened = open(); !opened)
        return tl::unexpected(opened.error());
    hash_.update(bytes);
    bytes_ += bytes.size();
    while (!bytes.empty()) {
        const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0) {
            broken_ = true;
            return fail_write("blobs " + path_ + ": cannot write");
        }
        bytes.remove_prefix(static_cast<std::size_t>(count));
    }
    return bytes_;
}

// The bytes are on the disk before the name is, and the name before anybody is told.
base::Result<Blob> DraftFile::finish(const std::string& folder) {
    if (auto opened = open(); !opened)
        return tl::unexpected(opened.error());
    Blob blob{hash_.digest(), bytes_, {}};
    blob.path = folder + "/" + blob.sha256;
    broken_ = true;  // whatever comes, it is no draft any more
    if (::fsync(file_.get()) != 0)
        return fail_write("blobs " + path_ + ": cannot sync");
    if (::rename(path_.c_str(), blob.path.c_str()) != 0)
        return base::fail_errno("blobs " + path_ + ": cannot rename");
    file_.reset();
    if (auto named = sync_folder(folder); !named)
        return tl::unexpected(named.error());
    return blob;
}

}  // namespace idlewatt::blobs
