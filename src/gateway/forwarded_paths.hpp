// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What of the API is hard state, which only the coordinator keeps. Pure.
#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace idlewatt::gateway {

inline constexpr std::string_view files_path = "/v1/files";
inline constexpr std::array<std::string_view, 2> forwarded_paths{files_path, "/v1/batches"};

// A path, or a target with a query.
[[nodiscard]] constexpr bool is_at_or_below(std::string_view target, std::string_view path) {
    return target.starts_with(path) && (target.size() == path.size() ||
                                        target[path.size()] == '/' || target[path.size()] == '?');
}

[[nodiscard]] constexpr bool is_forwarded(std::string_view target) {
    return std::ranges::any_of(
        forwarded_paths, [target](std::string_view path) { return is_at_or_below(target, path); });
}

}  // namespace idlewatt::gateway
