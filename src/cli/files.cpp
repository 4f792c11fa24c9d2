// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/files.hpp"

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <unistd.h>

namespace idlewatt::cli {

namespace {

base::Result<void> write_with_mode(const std::string& path, std::string_view text, mode_t mode) {
    const std::string fresh = path + ".new";
    // What is there already has modes, and perhaps readers, of its own.
    unlink(fresh.c_str());
    const int file = open(fresh.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (file < 0)
        return base::fail_errno("cannot create " + fresh);
    const ssize_t written = write(file, text.data(), text.size());
    close(file);
    if (written != static_cast<ssize_t>(text.size())) {
        return base::fail_errno("cannot write " + fresh);
    }
    if (std::rename(fresh.c_str(), path.c_str()) != 0) {
        return base::fail_errno("cannot rename " + fresh);
    }
    return {};
}

}  // namespace

base::Result<void> write_secret(const std::string& path, std::string_view text) {
    return write_with_mode(path, text, 0600);
}

base::Result<void> write_file(const std::string& path, std::string_view text) {
    return write_with_mode(path, text, 0644);
}

base::Result<std::string> read_file(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail_errno("cannot read " + path);
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

base::Result<void> may_write_new(const std::string& path, bool force) {
    std::error_code error;
    if (force || !std::filesystem::exists(std::filesystem::symlink_status(path, error)))
        return {};
    return base::fail(base::ErrorKind::bad_input,
                      path + " is there already; name another file, or overwrite it with --force");
}

void write_pid_file(const std::string& path, int pid) {
    static_cast<void>(write_file(path, std::to_string(pid) + "\n"));
}

base::Result<void> make_folder(const std::string& path) {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) {
        return base::fail(base::ErrorKind::io,
                          "cannot create the folder " + path + ": " + error.message());
    }
    return {};
}

FolderLock::~FolderLock() {
    if (file_ >= 0)
        close(file_);
}

base::Result<void> FolderLock::take(const std::string& folder) {
    const std::string path = folder + "/lock";
    file_ = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (file_ < 0)
        return base::fail_errno("cannot open " + path);
    if (flock(file_, LOCK_EX | LOCK_NB) != 0) {
        return base::fail(
            base::ErrorKind::unavailable,
            "another idlewatt runs in " + folder + "; end it, or name another folder with --state");
    }
    return {};
}

base::Result<int> free_port() {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return base::fail_errno("cannot open a socket");
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t length = sizeof address;
    const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                       getsockname(probe, reinterpret_cast<sockaddr*>(&address), &length) == 0;
    close(probe);
    if (!bound)
        return base::fail_errno("cannot find a free port on 127.0.0.1");
    return ntohs(address.sin_port);
}

bool port_is_free(int port) {
    const int probe = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (probe < 0)
        return false;
    const int on = 1;
    setsockopt(probe, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<std::uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    const bool bound = bind(probe, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
    close(probe);
    return bound;
}

}  // namespace idlewatt::cli
