// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/tap.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::string_view tap_magic = "IWT1";
constexpr std::size_t head_bytes = 28;
constexpr std::size_t label_bytes_max = 0xffff;
constexpr std::size_t data_bytes_max = 64 * 1024 * 1024;

template <class T>
void put(std::string& out, T value) {
    char raw[sizeof value];
    std::memcpy(raw, &value, sizeof value);
    out.append(raw, sizeof value);
}

template <class T>
T get(std::string_view bytes, std::size_t at) {
    T value;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

// A writer that was killed may have left a part of a frame; what is appended must not follow it.
base::Result<void> cut_torn_frame(int fd, const std::string& path) {
    off_t end = 0;
    char head[head_bytes];
    for (;;) {
        const ssize_t got = ::pread(fd, head, sizeof head, end);
        if (got < 0)
            return base::fail_errno("cannot read the tap file '" + path + "'");
        const std::string_view view(head, static_cast<std::size_t>(got));
        if (view.size() < head_bytes || !view.starts_with(tap_magic))
            break;
        const off_t next = end + static_cast<off_t>(head_bytes + get<std::uint16_t>(view, 6) +
                                                    get<std::uint32_t>(view, 24));
        if (::lseek(fd, 0, SEEK_END) < next)
            break;
        end = next;
    }
    if (::ftruncate(fd, end) != 0)
        return base::fail_errno("cannot shorten '" + path + "'");
    return {};
}

}  // namespace

base::Result<std::shared_ptr<TapWriter>> TapWriter::open(const std::string& path) {
    int fd = -1;
    std::uint64_t bytes = 0;
    if (!path.empty()) {
        fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
        if (fd < 0)
            return base::fail_errno("cannot open the tap file '" + path + "'");
        if (auto cut = cut_torn_frame(fd, path); !cut) {
            ::close(fd);
            return tl::unexpected<base::Error>(cut.error());
        }
        bytes = static_cast<std::uint64_t>(std::max<off_t>(::lseek(fd, 0, SEEK_END), 0));
    }
    return std::shared_ptr<TapWriter>(new TapWriter(fd, bytes));
}

TapWriter::~TapWriter() {
    if (fd_ >= 0)
        ::close(fd_);
}

void TapWriter::write(TapDirection direction, std::uint64_t connection, base::WallTime at,
                      std::string_view label, std::string_view data) {
    if (fd_ < 0)
        return;
    IDLEWATT_ASSERT(label.size() <= label_bytes_max && data.size() <= data_bytes_max);
    std::string frame(tap_magic);
    put(frame, static_cast<std::uint8_t>(direction));
    put(frame, std::uint8_t{0});
    put(frame, static_cast<std::uint16_t>(label.size()));
    put(frame, connection);
    put(frame, at.us);
    put(frame, static_cast<std::uint32_t>(data.size()));
    frame.append(label).append(data);
    if (bytes_ + frame.size() > tap_bytes_max) {
        base::log_warning("engine", "the tap file has reached 1 GiB and ends here");
        ::close(fd_);
        fd_ = -1;
        return;
    }
    bytes_ += frame.size();
    std::string_view rest = frame;
    while (!rest.empty()) {
        const ssize_t written = ::write(fd_, rest.data(), rest.size());
        if (written < 0 && errno == EINTR)
            continue;
        if (written < 0) {
            base::log_error("engine",
                            std::string("the tap file cannot be written and ends here: ") +
                                std::strerror(errno));
            ::close(fd_);
            fd_ = -1;
            return;
        }
        rest.remove_prefix(static_cast<std::size_t>(written));
    }
}

base::Result<std::vector<TapFrame>> read_tap(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail(base::ErrorKind::not_found, "no tap file at '" + path + "'");
    std::ostringstream all;
    all << file.rdbuf();
    const std::string content = all.str();
    std::string_view rest = content;
    std::vector<TapFrame> frames;
    while (rest.size() >= head_bytes) {
        const auto direction = get<std::uint8_t>(rest, 4);
        const std::size_t label_bytes = get<std::uint16_t>(rest, 6);
        const std::size_t data_bytes = get<std::uint32_t>(rest, 24);
        if (!rest.starts_with(tap_magic) || direction > 2 || data_bytes > data_bytes_max) {
            return base::fail(base::ErrorKind::bad_input,
                              "'" + path + "' is no tap file: garbage at byte " +
                                  std::to_string(content.size() - rest.size()));
        }
        if (rest.size() < head_bytes + label_bytes + data_bytes)
            break;
        TapFrame frame;
        frame.direction = static_cast<TapDirection>(direction);
        frame.connection = get<std::uint64_t>(rest, 8);
        frame.at = base::WallTime{get<std::int64_t>(rest, 16)};
        frame.label = rest.substr(head_bytes, label_bytes);
        frame.data = rest.substr(head_bytes + label_bytes, data_bytes);
        frames.push_back(std::move(frame));
        rest.remove_prefix(head_bytes + label_bytes + data_bytes);
    }
    return frames;
}

}  // namespace idlewatt::engine
