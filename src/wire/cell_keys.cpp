// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <algorithm>

#include "wire.pb.h"
#include "wire/cell.hpp"
#include "wire/checks.hpp"
#include "wire/enums.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds request_bounds{"KeyBookRequest", 256, 8};
constexpr std::size_t key_bytes_min = 64;  // its hash alone
constexpr std::size_t key_bytes_max = 512;

// A key without its hash is refused anyway, but would cost memory before: so a message may have
// only so many keys as its size justifies.
Bounds bounds_of(std::string_view message, std::string_view bytes, std::size_t keys) {
    return {message, keys * key_bytes_max + 64, std::min(keys, bytes.size() / key_bytes_min) + 8};
}

void write(const core::ApiKey& key, v1::ApiKey& out) {
    out.set_id(key.id.value);
    out.set_secret_sha256(key.secret_sha256);
    out.set_label(key.label);
    out.set_role(to_wire(key.role));
    out.set_requests_per_minute(key.limits.requests_per_minute);
    out.set_tokens_per_minute(key.limits.tokens_per_minute);
    out.set_requests_at_once(key.limits.requests_at_once);
    out.set_data_class(to_wire(key.data_class));
    out.set_fleet(key.fleet);
    out.set_created_at_us(key.created_at.us);
    if (key.revoked_at)
        out.set_revoked_at_us(key.revoked_at->us);
}

core::ApiKey read(v1::ApiKey& in, Checks& checks) {
    const std::optional<core::KeyRole> role = from_wire(in.role());
    const std::optional<core::DataClass> data_class = from_wire(in.data_class());
    checks.id("keys.id", in.id());
    checks.sha256("keys.secret_sha256", in.secret_sha256());
    checks.text("keys.label", in.label(), core::key_label_bytes_max);
    checks.that(role.has_value(), "keys.role", "customer, operator or analyst");
    checks.that(data_class.has_value(), "keys.data_class", "public, own_fleet or refuse");
    checks.optional_id("keys.fleet", in.fleet());
    checks.that(in.created_at_us() >= 0, "keys.created_at_us", "0 or more");
    checks.that(in.revoked_at_us() >= 0, "keys.revoked_at_us", "0 or more");
    core::ApiKey key;
    if (!checks.ok())
        return key;
    key.id = core::KeyId(std::move(*in.mutable_id()));
    key.secret_sha256 = std::move(*in.mutable_secret_sha256());
    key.label = std::move(*in.mutable_label());
    key.role = *role;
    key.limits = {in.requests_per_minute(), in.tokens_per_minute(), in.requests_at_once()};
    key.data_class = *data_class;
    key.fleet = std::move(*in.mutable_fleet());
    key.created_at.us = in.created_at_us();
    if (in.has_revoked_at_us())
        key.revoked_at = base::WallTime{in.revoked_at_us()};
    return key;
}

template <class Message>
void write_book(const core::KeyBook& book, Message& out) {
    out.set_version(book.version);
    out.set_issued_at_us(book.issued_at.us);
    out.mutable_keys()->Reserve(static_cast<int>(book.keys.size()));
    for (const core::ApiKey& key : book.keys)
        write(key, *out.add_keys());
}

template <class Message>
core::KeyBook read_book(Message& in, std::size_t keys_max, Checks& checks) {
    core::KeyBook book;
    const auto count = static_cast<std::size_t>(in.keys_size());
    checks.number("the number of keys", count, 0, keys_max);
    checks.that(in.issued_at_us() >= 0, "issued_at_us", "0 or more");
    if (!checks.ok())
        return book;
    book.version = in.version();
    book.issued_at.us = in.issued_at_us();
    book.keys.reserve(count);
    for (v1::ApiKey& key : *in.mutable_keys()) {
        book.keys.push_back(read(key, checks));
        if (!checks.ok())
            break;
    }
    return book;
}

}  // namespace

std::string encode(const KeyBookRequest& request) {
    v1::KeyBookRequest out;
    out.set_known_version(request.known_version);
    out.set_after(request.after.value);
    return out.SerializeAsString();
}

base::Result<KeyBookRequest> decode_key_book_request(std::string_view bytes) {
    v1::KeyBookRequest in;
    if (base::Result<void> parsed = parse(in, bytes, request_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(request_bounds.message);
    checks.optional_id("after", in.after());
    if (!checks.ok())
        return checks.error();
    return KeyBookRequest{in.known_version(), core::KeyId(std::move(*in.mutable_after()))};
}

std::string encode(const KeyBookPage& page) {
    v1::KeyBookPage out;
    write_book(page.book, out);
    out.set_unchanged(page.unchanged);
    out.set_more(page.more);
    return out.SerializeAsString();
}

base::Result<KeyBookPage> decode_key_book_page(std::string_view bytes) {
    const Bounds bounds = bounds_of("KeyBookPage", bytes, keys_per_page_max);
    v1::KeyBookPage in;
    if (base::Result<void> parsed = parse(in, bytes, bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(bounds.message);
    KeyBookPage page{read_book(in, keys_per_page_max, checks), in.unchanged(), in.more()};
    if (!checks.ok())
        return checks.error();
    return page;
}

std::string encode(const core::KeyBook& book) {
    v1::KeyBook out;
    write_book(book, out);
    return out.SerializeAsString();
}

base::Result<core::KeyBook> decode_key_book(std::string_view bytes) {
    const Bounds bounds = bounds_of("KeyBook", bytes, core::keys_max);
    v1::KeyBook in;
    if (base::Result<void> parsed = parse(in, bytes, bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(bounds.message);
    core::KeyBook book = read_book(in, core::keys_max, checks);
    if (!checks.ok())
        return checks.error();
    return book;
}

}  // namespace idlewatt::wire
