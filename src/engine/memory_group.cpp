// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_group.hpp"

#include <cerrno>
#include <fstream>
#include <sstream>
#include <string_view>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace idlewatt::engine {

namespace {

bool write_file(const std::string& path, const std::string& text) {
    const int fd = ::open(path.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
    ::close(fd);
    return written;
}

// Where the hierarchy is mounted: of version 2, or of version 1 with the memory controller.
std::string mount_point(bool version_2) {
    std::ifstream file("/proc/self/mounts");
    std::string line;
    while (std::getline(file, line)) {
        std::istringstream words(line);
        std::string device, point, type, options;
        words >> device >> point >> type >> options;
        if (version_2 && type == "cgroup2")
            return point;
        if (!version_2 && type == "cgroup" &&
            ("," + options + ",").find(",memory,") != std::string::npos) {
            return point;
        }
    }
    return {};
}

// Our own group in that hierarchy; lines look like "4:memory:/user" and "0::/user".
std::string own_group(bool version_2) {
    std::ifstream file("/proc/self/cgroup");
    std::string line;
    while (std::getline(file, line)) {
        const std::size_t first = line.find(':');
        const std::size_t second = line.find(':', first + 1);
        if (first == std::string::npos || second == std::string::npos)
            continue;
        const std::string controllers = line.substr(first + 1, second - first - 1);
        const bool fits = version_2
                              ? controllers.empty() && line.starts_with("0:")
                              : ("," + controllers + ",").find(",memory,") != std::string::npos;
        if (fits)
            return line.substr(second + 1);
    }
    return {};
}

}  // namespace

MemoryGroup::MemoryGroup(const std::string& name, std::uint64_t bytes_max) {
    for (const bool version_2 : {true, false}) {
        const std::string mount = mount_point(version_2);
        if (mount.empty())
            continue;
        const char* limit = version_2 ? "/memory.max" : "/memory.limit_in_bytes";
        const char* kind = version_2 ? "cgroup2" : "cgroup1";
        // In version 2 a group with processes cannot have limited children, its parent may.
        std::string group = own_group(version_2);
        for (int level = 0; level < 2; ++level) {
            if (make(mount + (group == "/" ? "" : group), name, limit, bytes_max)) {
                kind_ = kind;
                return;
            }
            if (group.size() < 2)
                break;
            group.resize(group.rfind('/'));
        }
    }
}

bool MemoryGroup::make(const std::string& parent, const std::string& name, const char* limit_file,
                       std::uint64_t bytes_max) {
    const std::string path = parent + "/" + name;
    if (::mkdir(path.c_str(), 0755) != 0 && errno != EEXIST)
        return false;
    if (!write_file(path + limit_file, std::to_string(bytes_max))) {
        ::rmdir(path.c_str());
        return false;
    }
    path_ = path;
    return true;
}

MemoryGroup::~MemoryGroup() {
    if (!path_.empty())
        ::rmdir(path_.c_str());
}

bool MemoryGroup::enter() const {
    return path_.empty() || write_file(path_ + "/cgroup.procs", "0");
}

}  // namespace idlewatt::engine
