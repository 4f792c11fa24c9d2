// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The store in a PostgreSQL database.
#pragma once

#include <memory>
#include <string>

#include "base/loop.hpp"
#include "base/result.hpp"
#include "store/store.hpp"

namespace idlewatt::store {

// `connection` is libpq's: "host=… dbname=… user=… password=…" or "postgresql://…"; it may hold a
// password, so it comes from a file or the environment and is not repeated in errors. Blocks while
// the connection is made and, if need be, the tables. Several processes may use one database.
//
// When the server goes away afterwards, calls fail with `unavailable` until it is back; the store
// connects again by itself. Errors: unavailable when the server cannot be reached now, bad_input
// when the tables are of another version.
[[nodiscard]] base::Result<std::unique_ptr<Store>> open_postgresql_store(
    base::Loop& loop, const std::string& connection);

}  // namespace idlewatt::store
