// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// libsodium speaks of unsigned char. Only for the sources of this module.
#pragma once

#include <string>
#include <string_view>

#include <sodium.h>

#include "base/assert.hpp"

namespace idlewatt::identity {

inline void start_sodium() {
    static const bool started = sodium_init() >= 0;
    IDLEWATT_ASSERT(started);
}

inline unsigned char* bytes(std::string& text) {
    return reinterpret_cast<unsigned char*>(text.data());
}

inline const unsigned char* bytes(std::string_view text) {
    return reinterpret_cast<const unsigned char*>(text.data());
}

inline void wipe(std::string& secret) {
    sodium_memzero(secret.data(), secret.size());
}

}  // namespace idlewatt::identity
