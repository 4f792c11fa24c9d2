// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The one line that an operator last gave to be shown on the page, until its time is over. A value.
#pragma once

#include <optional>
#include <utility>

#include "base/time.hpp"
#include "wire/live.hpp"
#include "wire/notice.hpp"

namespace idlewatt::gateway {

class NoticeBoard {
public:
    // In place of the one before; without text there is none any more.
    void put(wire::NoticeOrder order, base::Instant now, base::WallTime wall) {
        notice_.reset();
        if (!order.text.empty())
            notice_ = {std::move(order.text), wall};
        until_ = now + order.shown_for;
    }
    [[nodiscard]] std::optional<wire::LiveNotice> shown(base::Instant now) const {
        return now < until_ ? notice_ : std::nullopt;
    }

private:
    std::optional<wire::LiveNotice> notice_;
    base::Instant until_;
};

}  // namespace idlewatt::gateway
