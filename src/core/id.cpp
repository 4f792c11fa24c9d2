// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/id.hpp"

#include <algorithm>
#include <cstdio>

namespace idlewatt::core {

bool is_id(std::string_view text) {
    const auto allowed = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
    };
    return !text.empty() && text.size() <= id_bytes_max && std::ranges::all_of(text, allowed);
}

std::string make_time_ordered_id(base::WallTime now, base::Prng& prng) {
    const auto milliseconds = static_cast<unsigned long long>(now.us / 1000);
    char text[40];
    std::snprintf(text, sizeof text, "%012llx%04llx%016llx", milliseconds & 0xffff'ffff'ffffULL,
                  static_cast<unsigned long long>(prng.next() & 0xffff),
                  static_cast<unsigned long long>(prng.next()));
    return text;
}

}  // namespace idlewatt::core
