// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Which keys open this gateway: one given at its start (role operator), and the cell's key book.
// A book that is older than core::key_book_age_max opens nothing. A value, no I/O.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/api_key.hpp"

namespace idlewatt::gateway {

inline constexpr std::string_view static_key_id = "static";

class KeyRing {
public:
    // Without a static key and without a book everybody is the operator.
    KeyRing(std::string_view static_key, bool uses_book);

    // Replaces the book: whatever the coordinator said last holds.
    void take(core::KeyBook book);
    // The known book is still the newest.
    void confirm(base::WallTime issued_at);
    [[nodiscard]] const core::KeyBook& book() const { return book_; }

    enum class Verdict {
        known,
        missing,  // no key was presented
        unknown,  // nobody's
        revoked,  // was somebody's
        no_book,  // the coordinator has not said which keys there are, or too long ago
    };
    struct Found {
        Verdict verdict = Verdict::unknown;
        core::ApiKey key;  // meaningful when known
    };
    // The value of an Authorization header, "Bearer …"; empty: none.
    [[nodiscard]] Found find(std::string_view authorization, base::WallTime now) const;
    // Of somebody who was let in elsewhere: by the coordinator, say.
    [[nodiscard]] Found find(const core::KeyId& id, base::WallTime now) const;

private:
    [[nodiscard]] bool book_valid(base::WallTime now) const;

    core::ApiKey static_key_;
    bool has_static_key_;
    bool uses_book_;
    core::KeyBook book_;
    bool has_book_ = false;
    std::unordered_map<std::string, std::size_t> by_hash_;  // into the book
    std::unordered_map<core::KeyId, std::size_t> by_id_;
};

}  // namespace idlewatt::gateway
