// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/http.hpp"

namespace idlewatt::http {

base::Result<std::shared_ptr<const ServedFile>> ServedFile::open(const std::string& path) {
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0 && errno == ENOENT) {
        return base::fail(base::ErrorKind::not_found, "there is no file '" + path + "'");
    }
    if (descriptor < 0) {
        return base::fail_errno("cannot open '" + path + "'");
    }
    auto file = std::unique_ptr<ServedFile>(new ServedFile(descriptor, 0));
    struct stat status {};
    if (::fstat(descriptor, &status) != 0) {
        return base::fail_errno("cannot look at '" + path + "'");
    }
    if (!S_ISREG(status.st_mode)) {
        return base::fail(base::ErrorKind::bad_input,
                          "'" + path + "' is not a file; expected one with bytes in it");
    }
    file->bytes_ = static_cast<std::uint64_t>(status.st_size);
    // Reads come in order: the system fetches ahead, so that a read seldom waits for the disk.
    static_cast<void>(::posix_fadvise(descriptor, 0, 0, POSIX_FADV_SEQUENTIAL));
    return file;
}

ServedFile::~ServedFile() {
    ::close(descriptor_);
}

std::size_t ServedFile::read(std::uint64_t offset, char* place, std::size_t count) const {
    std::size_t done = 0;
    while (done < count) {
        const ssize_t got =
            ::pread(descriptor_, place + done, count - done, static_cast<off_t>(offset + done));
        if (got < 0 && errno == EINTR) {
            continue;
        }
        if (got <= 0) {
            break;
        }
        done += static_cast<std::size_t>(got);
    }
    return done;
}

}  // namespace idlewatt::http
