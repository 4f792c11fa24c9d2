// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/postgresql_store.hpp"

#include <utility>

#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "store/soci_store.hpp"

namespace idlewatt::store {

namespace {

constexpr const char* statement_timeout = "30s";
constexpr const char* lock_timeout = "10s";

// Adds a parameter unless it is there, in either form of connection strings.
void add_parameter(std::string& connection, const std::string& name, const char* value) {
    if (connection.find(name + '=') != std::string::npos)
        return;
    const bool url =
        connection.starts_with("postgresql://") || connection.starts_with("postgres://");
    if (!url) {
        connection += ' ';
    } else {
        connection += connection.find('?') == std::string::npos ? '?' : '&';
    }
    connection += name + '=' + value;
}

base::Result<std::unique_ptr<Database>> connect(const std::string& connection) {
    std::unique_ptr<soci::session> session;
    try {
        session = std::make_unique<soci::session>(soci::postgresql, connection);
        *session << std::string("SET statement_timeout = '") + statement_timeout + "'";
        *session << std::string("SET lock_timeout = '") + lock_timeout + "'";
        *session << "SET client_min_messages = warning";
    } catch (const std::exception& error) {
        // libpq's own text: host and user, never the password.
        std::string why = error.what();
        if (const auto* soci = dynamic_cast<const soci::soci_error*>(&error))
            why = soci->get_error_message();
        return base::fail(base::ErrorKind::unavailable,
                          "store PostgreSQL: cannot connect: " + why +
                              "; is the server running and the connection string right?");
    }
    return Database::open(std::move(session), "PostgreSQL");
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_postgresql_store(base::Loop& loop,
                                                           const std::string& connection) {
    std::string whole = connection;
    while (!whole.empty() && (whole.back() == '\n' || whole.back() == ' '))
        whole.pop_back();
    if (whole.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "store: the PostgreSQL connection string is empty; expected something "
                          "like \"host=db dbname=idlewatt user=idlewatt password=…\"");
    }
    // A server that has lost its power must not hold a call for the kernel's quarter of an hour.
    add_parameter(whole, "connect_timeout", "3");
    add_parameter(whole, "tcp_user_timeout", "10000");
    base::Result<std::unique_ptr<Database>> database = connect(whole);
    if (!database)
        return tl::unexpected(database.error());
    return std::make_unique<SociStore>(loop, std::move(*database),
                                       [whole] { return connect(whole); });
}

}  // namespace idlewatt::store
