// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/durable_file.hpp"

#include <cerrno>
#include <cstring>
#include <utility>

#include <fcntl.h>
#include <unistd.h>

#include "base/descriptor.hpp"

namespace idlewatt::base {

namespace {

tl::unexpected<Error> fail_file(const std::string& path, const char* what) {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fail(full ? ErrorKind::limit_exceeded : ErrorKind::io,
                path + ": cannot " + what + ": " + std::strerror(errno));
}

Result<void> write_and_sync(const std::string& path, std::string_view bytes) {
    const Descriptor file(
        ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0)
        return fail_file(path, "make");
    while (!bytes.empty()) {
        const ssize_t wrote = ::write(file.get(), bytes.data(), bytes.size());
        if (wrote < 0 && errno == EINTR)
            continue;
        if (wrote <= 0)
            return fail_file(path, "write");
        bytes.remove_prefix(static_cast<std::size_t>(wrote));
    }
    if (::fsync(file.get()) != 0)
        return fail_file(path, "sync");
    return {};
}

}  // namespace

Result<void> write_durably(const std::string& path, std::string_view bytes) {
    const std::string fresh = path + ".new";
    ::unlink(fresh.c_str());  // of a life that ended just then, with whatever mode
    auto written = write_and_sync(fresh, bytes);
    if (written && ::rename(fresh.c_str(), path.c_str()) != 0)
        written = fail_file(path, "replace");
    if (!written) {
        ::unlink(fresh.c_str());
        return written;
    }
    const std::size_t slash = path.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
    const Descriptor parent(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (parent.get() < 0 || ::fsync(parent.get()) != 0)
        return fail_file(folder, "sync");
    return {};
}

Result<std::string> read_whole(const std::string& path, std::size_t bytes_max) {
    const Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (file.get() < 0) {
        return fail(errno == ENOENT ? ErrorKind::not_found : ErrorKind::io,
                    path + ": cannot open: " + std::strerror(errno));
    }
    std::string bytes(bytes_max + 1, '\0');
    std::size_t there = 0;
    while (there < bytes.size()) {
        const ssize_t read = ::read(file.get(), bytes.data() + there, bytes.size() - there);
        if (read < 0 && errno == EINTR)
            continue;
        if (read < 0)
            return fail_file(path, "read");
        if (read == 0)
            break;
        there += static_cast<std::size_t>(read);
    }
    if (there > bytes_max) {
        return fail(ErrorKind::limit_exceeded,
                    path + ": larger than " + std::to_string(bytes_max) + " bytes");
    }
    bytes.resize(there);
    return bytes;
}

}  // namespace idlewatt::base
