// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A store on SQLite, on a real PostgreSQL or on the twin, opened on the same data again and again.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <gtest/gtest.h>

#include "store/memory_store.hpp"
#include "store/postgresql_fixture_test.hpp"
#include "store/postgresql_store.hpp"
#include "store/sqlite_store.hpp"
#include "store/store_fixture_test.hpp"

namespace idlewatt::store {

// The parameter: "memory", "sqlite" or "postgresql".
class StoreOnMedium : public testing::TestWithParam<const char*> {
protected:
    StoreOnMedium() { reopen(); }

    void reopen() {
        store.reset();
        auto opened = open();
        ASSERT_TRUE(opened) << opened.error().message;
        store = std::move(*opened);
    }
    // The same data once more.
    base::Result<std::unique_ptr<Store>> open() {
        if (std::string_view(GetParam()) == "memory")
            return open_memory_store(loop, database);
        if (std::string_view(GetParam()) == "sqlite")
            return open_sqlite_store(loop, folder.file("cell.db"));
        if (connection.empty())
            connection = PostgresqlServer::shared().new_connection();
        return open_postgresql_store(loop, connection);
    }

    TemporaryFolder folder;
    std::string connection;
    base::AsioLoop loop;
    std::shared_ptr<MemoryDatabase> database = std::make_shared<MemoryDatabase>();
    std::unique_ptr<Store> store;
};

}  // namespace idlewatt::store
