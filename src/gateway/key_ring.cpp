// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/key_ring.hpp"

#include <utility>

#include "identity/secret.hpp"

namespace idlewatt::gateway {

namespace {

constexpr std::size_t secret_bytes_max = 1024;

// The scheme's name in any case, as HTTP wants it.
std::string_view bearer_secret(std::string_view authorization) {
    constexpr std::string_view scheme = "bearer ";
    if (authorization.size() <= scheme.size())
        return {};
    for (std::size_t i = 0; i < scheme.size(); ++i) {
        const char c = authorization[i];
        const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
        if (lower != scheme[i])
            return {};
    }
    authorization.remove_prefix(scheme.size());
    while (authorization.starts_with(' '))
        authorization.remove_prefix(1);
    return authorization.size() > secret_bytes_max ? std::string_view() : authorization;
}

}  // namespace

KeyRing::KeyRing(std::string_view static_key, bool uses_book)
    : has_static_key_(!static_key.empty()), uses_book_(uses_book) {
    static_key_.role = core::KeyRole::fleet_operator;
    if (has_static_key_) {
        static_key_.id = core::KeyId(std::string(static_key_id));
        static_key_.secret_sha256 = identity::sha256_hex(static_key);
    }
}

void KeyRing::take(core::KeyBook book) {
    book_ = std::move(book);
    has_book_ = true;
    by_hash_.clear();
    by_id_.clear();
    for (std::size_t i = 0; i < book_.keys.size(); ++i) {
        by_hash_.emplace(book_.keys[i].secret_sha256, i);
        by_id_.emplace(book_.keys[i].id, i);
    }
}

void KeyRing::confirm(base::WallTime issued_at) {
    if (has_book_ && issued_at > book_.issued_at)
        book_.issued_at = issued_at;
}

bool KeyRing::book_valid(base::WallTime now) const {
    const std::int64_t age_us = now.us - book_.issued_at.us;
    return has_book_ && age_us <= core::key_book_age_max.ns / 1000;
}

// Looking for the hash of a secret tells no time about the secret itself.
KeyRing::Found KeyRing::find(std::string_view authorization, base::WallTime now) const {
    if (!has_static_key_ && !uses_book_)
        return {Verdict::known, static_key_};
    const std::string_view secret = bearer_secret(authorization);
    if (secret.empty())
        return {Verdict::missing, {}};
    const std::string hash = identity::sha256_hex(secret);
    if (has_static_key_ && identity::equal_in_constant_time(hash, static_key_.secret_sha256)) {
        return {Verdict::known, static_key_};
    }
    if (!uses_book_)
        return {Verdict::unknown, {}};
    if (!book_valid(now))
        return {Verdict::no_book, {}};
    const auto found = by_hash_.find(hash);
    if (found == by_hash_.end())
        return {Verdict::unknown, {}};
    const core::ApiKey& key = book_.keys[found->second];
    if (key.revoked_at)
        return {Verdict::revoked, {}};
    return {Verdict::known, key};
}

KeyRing::Found KeyRing::find(const core::KeyId& id, base::WallTime now) const {
    const bool open = !has_static_key_ && !uses_book_;
    if (open || (has_static_key_ && id.value == static_key_id))
        return {Verdict::known, static_key_};
    if (!book_valid(now))
        return {uses_book_ ? Verdict::no_book : Verdict::unknown, {}};
    const auto found = by_id_.find(id);
    if (found == by_id_.end())
        return {Verdict::unknown, {}};
    const core::ApiKey& key = book_.keys[found->second];
    return key.revoked_at ? Found{Verdict::revoked, {}} : Found{Verdict::known, key};
}

}  // namespace idlewatt::gateway
