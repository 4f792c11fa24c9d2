// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Rows of tables as structs. A Row has a `table`, and each(f) calls f(column, field) for its fields
// (text, long long, double); columns, reading and writing follow from that one list. Also the
// catching of SOCI's exceptions. Only for the sources of this module.
#pragma once

#include <optional>
#include <string>
#include <type_traits>
#include <vector>

#include <soci/soci.h>

#include "store/database.hpp"

namespace idlewatt::store {

// "Never" is 0 in a column.
inline long long us_or_zero(const std::optional<base::WallTime>& time) {
    return time ? time->us : 0;
}
inline std::optional<base::WallTime> time_or_none(long long us) {
    return us == 0 ? std::nullopt : std::optional(base::WallTime{us});
}

template <class Row>
std::string columns() {
    std::string list;
    Row row;
    row.each([&list](const char* column, const auto&) {
        list.append(list.empty() ? "" : ", ").append(column);
    });
    return list;
}

// All rows; `tail` is what stands behind the table's name, with at most one :value in it.
template <class Row>
std::vector<Row> select(soci::session& session, const std::string& tail,
                        const std::string& value = {}) {
    Row row;
    soci::statement statement(session);
    row.each([&statement](const char*, auto& field) { statement.exchange(soci::into(field)); });
    if (tail.find(":value") != std::string::npos)
        statement.exchange(soci::use(value, "value"));
    statement.alloc();
    statement.prepare("SELECT " + columns<Row>() + " FROM " + Row::table + ' ' + tail);
    statement.define_and_bind();
    statement.execute();
    std::vector<Row> all;
    while (statement.fetch())
        all.push_back(row);
    return all;
}

template <class Row>
std::string insert_sql(const std::string& tail) {
    std::string names;
    Row row;
    row.each([&names](const char* column, const auto&) {
        names.append(names.empty() ? ":" : ", :").append(column);
    });
    return std::string("INSERT INTO ") + Row::table + " (" + columns<Row>() + ") VALUES (" + names +
           ") " + tail;
}

// Replaces the row with the same first column.
template <class Row>
std::string or_replace() {
    std::string key;
    std::string rest;
    Row row;
    row.each([&](const char* column, const auto&) {
        if (key.empty()) {
            key = column;
        } else {
            rest.append(rest.empty() ? "" : ", ").append(column).append(" = excluded.");
            rest.append(column);
        }
    });
    return "ON CONFLICT (" + key + ") DO UPDATE SET " + rest;
}

inline constexpr const char* or_nothing = "ON CONFLICT DO NOTHING";

// A prepared insertion of the row that it holds.
template <class Row>
class Insert {
public:
    Insert(soci::session& session, const std::string& tail) : statement_(session) {
        row.each([this](const char* column, auto& field) {
            statement_.exchange(soci::use(field, column));
        });
        statement_.alloc();
        statement_.prepare(insert_sql<Row>(tail));
        statement_.define_and_bind();
    }
    Insert(const Insert&) = delete;
    Insert& operator=(const Insert&) = delete;

    // True if something was written.
    bool operator()() {
        statement_.execute(true);
        return statement_.get_affected_rows() > 0;
    }

    Row row;  // before the statement, which points into it

private:
    soci::statement statement_;
};

template <class Row>
bool insert(soci::session& session, const Row& row, const std::string& tail) {
    Insert<Row> statement(session, tail);
    statement.row = row;
    return statement();
}

// How many rows an UPDATE or DELETE has changed. Uses are given by name.
template <class... Uses>
long long change(soci::session& session, const std::string& sql, const Uses&... uses) {
    soci::statement statement(session);
    (statement.exchange(uses), ...);
    statement.alloc();
    statement.prepare(sql);
    statement.define_and_bind();
    statement.execute(true);
    return statement.get_affected_rows();
}

template <class T>
struct AsResult {
    using Type = base::Result<T>;
};
template <class T>
struct AsResult<base::Result<T>> {
    using Type = base::Result<T>;
};

template <class Work>
auto Database::guarded(const char* what, Work work) {
    using Result = typename AsResult<decltype(work())>::Type;
    std::string why;
    try {
        if constexpr (std::is_void_v<decltype(work())>) {
            work();
            return Result{};
        } else {
            return Result(work());
        }
    } catch (const soci::soci_error& error) {
        // The whole text of the exception would repeat every value.
        why = error.get_error_message();
    } catch (const std::exception& error) {
        why = error.what();
    }
    lost_ = !session_->is_connected();
    if (lost_) {
        return Result(base::fail(base::ErrorKind::unavailable,
                                 "store " + name_ + ": cannot " + what +
                                     ": the connection is lost: " + why + "; tried again later"));
    }
    return Result(
        base::fail(base::ErrorKind::io, "store " + name_ + ": cannot " + what + ": " + why +
                                            "; is the disk full or the database damaged?"));
}

}  // namespace idlewatt::store
