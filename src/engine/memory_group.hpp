// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A control group that limits the memory of the engine's processes, in whichever version of the
// kernel's interface can be written. Belongs to the guard. Plain system calls, one thread.
#pragma once

#include <cstdint>
#include <string>

namespace idlewatt::engine {

class MemoryGroup {
public:
    // Tries versions 2 and 1 by doing it. Without success the group is not there: see kind().
    MemoryGroup(const std::string& name, std::uint64_t bytes_max);
    // Removes the group; its processes must have ended.
    ~MemoryGroup();

    MemoryGroup(const MemoryGroup&) = delete;
    MemoryGroup& operator=(const MemoryGroup&) = delete;

    // "cgroup2", "cgroup1" or "none".
    [[nodiscard]] const char* kind() const { return kind_; }
    // Moves the calling process in; false if the kernel refuses.
    [[nodiscard]] bool enter() const;

private:
    bool make(const std::string& parent, const std::string& name, const char* limit_file,
              std::uint64_t bytes_max);

    std::string path_;
    const char* kind_ = "none";
};

}  // namespace idlewatt::engine
