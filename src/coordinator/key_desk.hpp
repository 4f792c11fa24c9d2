// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Hands the key book out to gateways, page by page from the store, and tells them when it has
// changed. A gateway that gets no answer goes on with the book that it has. Threads: the loop's.
#pragma once

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "bus/bus.hpp"
#include "store/store.hpp"
#include "wire/subject.hpp"

namespace idlewatt::coordinator {

// Questions at a time; more get no answer and are asked again.
inline constexpr std::size_t key_questions_max = 64;

class KeyDesk {
public:
    KeyDesk(base::Loop& loop, bus::Bus& bus, store::Store& store, const std::string& cell);
    ~KeyDesk();

    KeyDesk(const KeyDesk&) = delete;
    KeyDesk& operator=(const KeyDesk&) = delete;

    // The book has changed: gateways may ask for it now.
    void changed();

private:
    void on_message(const bus::Message& message);

    base::Loop& loop_;
    bus::Bus& bus_;
    store::Store& store_;
    wire::Subjects subjects_;
    bus::SubscriptionId subscription_{};
    std::size_t open_ = 0;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
