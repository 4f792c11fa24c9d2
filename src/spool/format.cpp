// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/format.hpp"

#include <array>
#include <optional>

#include "base/assert.hpp"

namespace idlewatt::spool {

namespace {

constexpr std::string_view record_mark{"iwr\x01", 4};
constexpr std::size_t checksum_at = 4;
constexpr std::size_t length_at = 8;
constexpr std::size_t body_at = 12;
constexpr std::size_t body_head_bytes = 3;

constexpr std::array<std::uint32_t, 256> make_table() {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; ++i) {
        std::uint32_t crc = i;
        for (int bit = 0; bit < 8; ++bit)
            crc = (crc >> 1) ^ ((crc & 1) != 0 ? 0x82f63b78U : 0U);
        table[i] = crc;
    }
    return table;
}

constexpr std::array<std::uint32_t, 256> crc_table = make_table();

void append_number(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i)
        out.push_back(static_cast<char>((value >> (8 * i)) & 0xff));
}

std::uint64_t read_number(std::string_view bytes, std::size_t at, int count) {
    std::uint64_t value = 0;
    for (int i = count - 1; i >= 0; --i) {
        value = (value << 8) | static_cast<unsigned char>(bytes[at + static_cast<std::size_t>(i)]);
    }
    return value;
}

std::uint32_t checksum(std::uint64_t offset, std::string_view length_and_body) {
    std::string place;
    append_number(place, offset, 8);
    return crc32c(length_and_body, crc32c(place));
}

struct Parsed {
    Action action;
    std::string_view key;
    std::string_view value;
    std::size_t bytes;
};

std::optional<Parsed> parse_at(std::string_view file, std::uint64_t offset) {
    const std::string_view bytes = file.substr(offset);
    if (bytes.size() < record_overhead_bytes || !bytes.starts_with(record_mark)) {
        return std::nullopt;
    }
    const std::uint64_t length = read_number(bytes, length_at, 4);
    if (length < body_head_bytes || length > body_head_bytes + record_bytes_max ||
        length > bytes.size() - body_at) {
        return std::nullopt;
    }
    const std::string_view checked = bytes.substr(length_at, body_at - length_at + length);
    if (checksum(offset, checked) != read_number(bytes, checksum_at, 4))
        return std::nullopt;
    const std::string_view body = bytes.substr(body_at, length);
    const auto action = static_cast<Action>(body[0]);
    const std::uint64_t key_bytes = read_number(body, 1, 2);
    if (action != Action::put && action != Action::erase)
        return std::nullopt;
    if (key_bytes == 0 || key_bytes > key_bytes_max || key_bytes > length - body_head_bytes) {
        return std::nullopt;
    }
    return Parsed{action, body.substr(body_head_bytes, key_bytes),
                  body.substr(body_head_bytes + key_bytes), body_at + length};
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes, std::uint32_t seed) {
    std::uint32_t crc = ~seed;
    for (const char c : bytes) {
        crc = (crc >> 8) ^ crc_table[(crc ^ static_cast<unsigned char>(c)) & 0xff];
    }
    return ~crc;
}

std::string encode_record(std::uint64_t offset, Action action, std::string_view key,
                          std::string_view value) {
    IDLEWATT_ASSERT(!key.empty() && key.size() <= key_bytes_max);
    IDLEWATT_ASSERT(key.size() + value.size() <= record_bytes_max);
    std::string checked;
    checked.reserve(4 + body_head_bytes + key.size() + value.size());
    append_number(checked, body_head_bytes + key.size() + value.size(), 4);
    checked.push_back(static_cast<char>(action));
    append_number(checked, key.size(), 2);
    checked.append(key).append(value);

    std::string record(record_mark);
    record.reserve(8 + checked.size());
    append_number(record, checksum(offset, checked), 4);
    record.append(checked);
    return record;
}

ScanReport scan(std::string_view file, LiveRecords& records) {
    ScanReport report;
    const bool marked = file.starts_with(file_mark);
    const bool torn_at_birth = file.size() < file_mark.size() && file_mark.starts_with(file);
    std::uint64_t at = marked ? file_mark.size() : 0;
    report.good_bytes = at;
    bool any = false;
    while (at < file.size()) {
        const std::optional<Parsed> parsed = parse_at(file, at);
        if (!parsed) {
            // Back onto the road at the next mark whose checksum is right.
            at = file.find(record_mark, at + 1);
            if (at == std::string_view::npos)
                break;
            continue;
        }
        any = true;
        if (parsed->action == Action::put) {
            records.put(parsed->key, parsed->value);
        } else {
            records.erase(parsed->key);
        }
        report.damaged_bytes += at - report.good_bytes;
        at += parsed->bytes;
        report.good_bytes = at;
    }
    report.torn_bytes = file.size() - report.good_bytes;
    report.foreign = !marked && !any && !torn_at_birth;
    return report;
}

}  // namespace idlewatt::spool
