// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/fingerprint.hpp"

#include <cstdint>
#include <cstdio>

#include <sys/utsname.h>

namespace idlewatt::engine {

namespace {

// FNV-1a, with a border behind each part.
std::uint64_t add_part(std::uint64_t hash, const std::string& part) {
    for (const char c : part)
        hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3ULL;
    return (hash ^ 0xffU) * 0x100000001b3ULL;
}

const char* vector_class() {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f"))
        return "avx512";
    if (__builtin_cpu_supports("avx2"))
        return "avx2";
    if (__builtin_cpu_supports("avx"))
        return "avx";
    return "sse";
#elif defined(__aarch64__)
    return "neon";
#else
    return "scalar";
#endif
}

}  // namespace

std::string fingerprint(const Provenance& provenance) {
    std::uint64_t hash = 0xcbf29ce484222325ULL;
    for (const std::string* part :
         {&provenance.build, &provenance.model, &provenance.quantization, &provenance.hardware}) {
        hash = add_part(hash, *part);
    }
    char text[24];
    std::snprintf(text, sizeof text, "%010llx",
                  static_cast<unsigned long long>(hash & 0xff'ffff'ffffULL));
    return text;
}

std::string hardware_class() {
    utsname names{};
    const bool known = ::uname(&names) == 0;
    return std::string(known ? names.machine : "unknown") + " " + vector_class();
}

}  // namespace idlewatt::engine
