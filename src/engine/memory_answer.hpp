// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What the in-memory twin says to one request: a pure function of the request's bytes. A value.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/resume_point.hpp"

namespace idlewatt::engine {

class MemoryAnswer {
public:
    [[nodiscard]] static MemoryAnswer to(std::string_view request_json);

    // False if the request is no JSON object or its limit no integer.
    [[nodiscard]] bool readable() const { return readable_; }
    [[nodiscard]] std::uint32_t tokens() const { return tokens_; }
    // The request set the number of tokens, so the answer is cut and not at its own end.
    [[nodiscard]] bool cut() const { return cut_; }

    // Valid UTF-8, never empty.
    [[nodiscard]] std::string text(std::uint32_t position) const;
    [[nodiscard]] std::int32_t id(std::uint32_t position) const;

    // Other words to the same request.
    [[nodiscard]] MemoryAnswer astray(std::uint64_t by) const;
    // This answer if the resume point is a beginning of it, else another one.
    [[nodiscard]] MemoryAnswer resumed(const core::ResumePoint& resume) const;

private:
    std::uint64_t seed_ = 0;
    std::uint32_t tokens_ = 0;
    bool readable_ = false;
    bool cut_ = false;
};

}  // namespace idlewatt::engine
