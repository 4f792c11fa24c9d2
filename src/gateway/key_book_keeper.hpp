// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The cell's key book at a gateway: asked of the coordinator page by page at the start, every
// key_book_period and whenever the coordinator says that it changed; kept in a spool, so that a
// gateway opens its doors while the coordinator is away.
//
// Lifecycle: owned by the gateway; start() tells what the spool holds and asks. Threads: the
// gateway's loop; the callbacks run on it, start() included.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "core/api_key.hpp"
#include "spool/spool.hpp"
#include "wire/cell.hpp"
#include "wire/subject.hpp"

namespace idlewatt::gateway {

inline constexpr base::Duration key_book_period = base::seconds(30);
inline constexpr base::Duration key_page_timeout = base::seconds(3);
inline constexpr base::Duration key_book_retry = base::seconds(2);
// How old the stored book's date may become before it is written anew.
inline constexpr base::Duration key_book_date_slack = base::minutes(10);

class KeyBookKeeper {
public:
    struct Listener {
        std::function<void(const core::KeyBook&)> on_book;
        std::function<void(base::WallTime issued_at)> on_confirmed;
    };
    // Without a spool the book is gone with the process.
    KeyBookKeeper(base::Loop& loop, bus::Bus& bus, spool::Spool* spool, wire::Subjects subjects,
                  Listener listener);
    ~KeyBookKeeper();

    KeyBookKeeper(const KeyBookKeeper&) = delete;
    KeyBookKeeper& operator=(const KeyBookKeeper&) = delete;

    void start();
    // Now, rather than at the next time.
    void ask();

private:
    void load();
    void ask_page();
    void ask_later(base::Duration delay);
    void take_page(wire::KeyBookPage page);
    void keep();

    base::Loop& loop_;
    bus::Bus& bus_;
    spool::Spool* spool_;
    wire::Subjects subjects_;
    Listener listener_;

    core::KeyBook book_;
    bool has_book_ = false;
    base::WallTime kept_date_;
    core::KeyBook coming_;  // pages so far
    bool asking_ = false;
    bool again_ = false;  // poked while asking
    base::TimerId timer_{};
    bool timer_set_ = false;
    bus::SubscriptionId subscription_{};
    bool subscribed_ = false;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::gateway
