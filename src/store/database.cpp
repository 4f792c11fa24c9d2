// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/database.hpp"

#include <string>
#include <utility>

#include "store/database_records.hpp"
#include "store/row.hpp"
#include "store/schema.hpp"

namespace idlewatt::store {

namespace {

// Any number that no other program takes in the same database: "iw".
constexpr int making_tables_lock = 0x6977;

}  // namespace

Database::Database(std::unique_ptr<soci::session> session, std::string name)
    : name_(std::move(name)), session_(std::move(session)) {}

Database::~Database() = default;

base::Result<std::unique_ptr<Database>> Database::open(std::unique_ptr<soci::session> session,
                                                       std::string name) {
    auto* const made_here = new Database(  // tidy: allow(raw_new) the constructor is private
        std::move(session), std::move(name));
    std::unique_ptr<Database> database(made_here);
    auto made = database->guarded("read or make the tables", [&] { database->make_tables(); });
    if (!made)
        return tl::unexpected(made.error());
    if (base::Result<void> version = database->check_version(); !version) {
        return tl::unexpected(version.error());
    }
    auto prepared = database->guarded("prepare its statements", [&] {
        database->prepared_ = std::make_unique<Prepared>(*database->session_);
    });
    if (!prepared)
        return tl::unexpected(prepared.error());
    return database;
}

void Database::make_tables() {
    soci::session& sql = *session_;
    const char* const make =
        "CREATE TABLE IF NOT EXISTS idlewatt_schema (version INTEGER NOT NULL)";
    const bool postgresql = sql.get_backend_name() == "postgresql";
    if (!postgresql)
        sql << make;
    soci::transaction transaction(sql);
    // Of two processes with a new database one waits for the other here. PostgreSQL's IF NOT EXISTS
    // alone fails when both make the table in the same moment.
    if (postgresql) {
        sql << "SELECT pg_advisory_xact_lock(" + std::to_string(making_tables_lock) + ")";
        sql << make;
    } else {
        sql << "UPDATE idlewatt_schema SET version = version";
    }
    int rows = 0;
    int version = 0;
    sql << "SELECT COUNT(*) FROM idlewatt_schema", soci::into(rows);
    if (rows == 0)
        sql << "INSERT INTO idlewatt_schema VALUES (0)";
    else
        sql << "SELECT version FROM idlewatt_schema", soci::into(version);
    if (version < 0 || version >= schema_version)
        return;  // check_version() says what is wrong, if anything is
    for (; version < schema_version; ++version) {
        for (const char* statement : schema_versions[version])
            sql << statement;
    }
    sql << "UPDATE idlewatt_schema SET version = :version", soci::use(version);
    transaction.commit();
}

base::Result<void> Database::check_version() {
    auto version = guarded("read its version", [this] {
        int found = 0;
        *session_ << "SELECT version FROM idlewatt_schema", soci::into(found);
        return found;
    });
    if (!version)
        return tl::unexpected(version.error());
    if (*version == schema_version)
        return {};
    return base::fail(base::ErrorKind::bad_input,
                      "store " + name_ + ": its tables have version " + std::to_string(*version) +
                          ", this program knows version " + std::to_string(schema_version) +
                          "; use the program that made them");
}

}  // namespace idlewatt::store
