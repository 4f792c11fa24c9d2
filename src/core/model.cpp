// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/model.hpp"

#include <algorithm>

namespace idlewatt::core {

bool is_sha256(std::string_view text) {
    return text.size() == 64 && std::ranges::all_of(text, [](char c) {
               return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
           });
}

}  // namespace idlewatt::core
