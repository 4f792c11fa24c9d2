// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// POST /api/v1/notice: a line that an operator shows to everybody who looks at a gateway's page.
// Hides nlohmann-json. Pure; any thread.
#pragma once

#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::wire {

inline constexpr std::size_t notice_text_bytes_max = 400;
inline constexpr base::Duration notice_time_default = base::seconds(15);
inline constexpr base::Duration notice_time_max = base::seconds(3600);

struct NoticeOrder {
    std::string text;  // one line; empty: the last one is taken away
    base::Duration shown_for = notice_time_default;
};

// {"text": "Somebody gets in.", "seconds": 15}
[[nodiscard]] base::Result<NoticeOrder> parse_notice_order(std::string_view body);
[[nodiscard]] std::string notice_order_body(const NoticeOrder& order);

}  // namespace idlewatt::wire
