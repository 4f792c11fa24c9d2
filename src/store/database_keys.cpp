// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// API keys and the version of the book that holds them.
#include "base/assert.hpp"
#include "store/row.hpp"

namespace idlewatt::store {

namespace {

struct KeyRow {
    static constexpr const char* table = "api_key";
    std::string id, secret_sha256, label, role, data_class, fleet;
    long long requests_per_minute = 0;
    long long tokens_per_minute = 0;
    long long requests_at_once = 0;
    long long created_at_us = 0;
    long long revoked_at_us = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("secret_sha256", secret_sha256), f("label", label), f("role", role);
        f("requests_per_minute", requests_per_minute), f("tokens_per_minute", tokens_per_minute);
        f("requests_at_once", requests_at_once), f("data_class", data_class), f("fleet", fleet);
        f("created_at_us", created_at_us), f("revoked_at_us", revoked_at_us);
    }
};

KeyRow to_row(const core::ApiKey& key) {
    KeyRow row;
    row.id = key.id.value;
    row.secret_sha256 = key.secret_sha256;
    row.label = key.label;
    row.role = core::name(key.role);
    row.data_class = core::name(key.data_class);
    row.fleet = key.fleet;
    row.requests_per_minute = key.limits.requests_per_minute;
    row.tokens_per_minute = key.limits.tokens_per_minute;
    row.requests_at_once = key.limits.requests_at_once;
    row.created_at_us = key.created_at.us;
    row.revoked_at_us = us_or_zero(key.revoked_at);
    return row;
}

// A role or class that this program does not know becomes the one that allows least.
core::ApiKey from_row(const KeyRow& row) {
    core::ApiKey key;
    key.id = core::KeyId(row.id);
    key.secret_sha256 = row.secret_sha256;
    key.label = row.label;
    key.role = core::key_role(row.role).value_or(core::KeyRole::analyst);
    key.limits = {static_cast<std::uint32_t>(row.requests_per_minute),
                  static_cast<std::uint32_t>(row.tokens_per_minute),
                  static_cast<std::uint32_t>(row.requests_at_once)};
    key.data_class = core::data_class(row.data_class).value_or(core::DataClass::refuse);
    key.fleet = row.fleet;
    key.created_at = base::WallTime{row.created_at_us};
    key.revoked_at = time_or_none(row.revoked_at_us);
    return key;
}

struct Book {
    long long version = 0;
    long long keys = 0;
};

Book read_book(soci::session& sql) {
    Book book;
    sql << "SELECT version, keys FROM key_book", soci::into(book.version), soci::into(book.keys);
    return book;
}

}  // namespace

base::Result<std::uint64_t> Database::add_key(const core::ApiKey& key) {
    return guarded("write a key", [&]() -> base::Result<std::uint64_t> {
        soci::transaction transaction(*session_);
        // First, so that two changes stand in line.
        *session_ << "UPDATE key_book SET version = version + 1, keys = keys + 1";
        const Book book = read_book(*session_);
        if (book.keys > static_cast<long long>(core::keys_max)) {
            return base::fail(base::ErrorKind::limit_exceeded,
                              "there are " + std::to_string(core::keys_max) +
                                  " keys already, which is the most that a cell has");
        }
        if (!insert(*session_, to_row(key), or_nothing)) {
            return base::fail(base::ErrorKind::bad_input,
                              "a key with this id or secret exists already; make another");
        }
        transaction.commit();
        return static_cast<std::uint64_t>(book.version);
    });
}

base::Result<core::ApiKey> Database::revoke_key(const core::KeyId& id, base::WallTime at) {
    return guarded("revoke a key", [&]() -> base::Result<core::ApiKey> {
        const long long at_us = at.us;
        soci::transaction transaction(*session_);
        *session_ << "UPDATE key_book SET version = version + 1";
        const long long revoked =
            change(*session_,
                   "UPDATE api_key SET revoked_at_us = :at WHERE id = :id AND revoked_at_us = 0",
                   soci::use(at_us, "at"), soci::use(id.value, "id"));
        const auto rows = select<KeyRow>(*session_, "WHERE id = :value", id.value);
        if (rows.empty())
            return base::fail(base::ErrorKind::not_found, "no key has this id");
        if (revoked > 0)
            transaction.commit();
        return from_row(rows.front());
    });
}

base::Result<std::optional<core::ApiKey>> Database::find_key(const std::string& secret_sha256) {
    return guarded("look for a key", [&] {
        std::optional<core::ApiKey> found;
        for (const KeyRow& row :
             select<KeyRow>(*session_, "WHERE secret_sha256 = :value", secret_sha256))
            found = from_row(row);
        return found;
    });
}

base::Result<KeyPage> Database::key_page(const core::KeyId& after, std::size_t limit) {
    IDLEWATT_ASSERT(limit > 0);
    return guarded("list the keys", [&] {
        KeyPage page;
        // Before the keys: a change in between makes the page newer than its version, and whoever
        // reads it asks again.
        page.version = static_cast<std::uint64_t>(read_book(*session_).version);
        const auto rows = select<KeyRow>(
            *session_, "WHERE id > :value ORDER BY id LIMIT " + std::to_string(limit + 1),
            after.value);
        for (const KeyRow& row : rows) {
            if (page.keys.size() == limit) {
                page.more = true;
                break;
            }
            page.keys.push_back(from_row(row));
        }
        return page;
    });
}

}  // namespace idlewatt::store
