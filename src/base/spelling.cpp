// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/spelling.hpp"

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/assert.hpp"

namespace idlewatt::base {

std::size_t edit_distance(std::string_view a, std::string_view b) {
    a = a.substr(0, spelling_bytes_max);
    b = b.substr(0, spelling_bytes_max);
    std::vector<std::size_t> row(b.size() + 1);
    std::iota(row.begin(), row.end(), std::size_t{0});
    for (std::size_t i = 0; i < a.size(); ++i) {
        std::size_t diagonal = row[0];
        row[0] = i + 1;
        for (std::size_t j = 0; j < b.size(); ++j) {
            const std::size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
            diagonal = row[j + 1];
            row[j + 1] = std::min({replaced, row[j] + 1, diagonal + 1});
        }
    }
    return row.back();
}

std::string_view nearest(std::string_view text, std::span<const std::string_view> names) {
    IDLEWATT_ASSERT(!names.empty());
    return *std::ranges::min_element(
        names, {}, [text](std::string_view name) { return edit_distance(text, name); });
}

}  // namespace idlewatt::base
