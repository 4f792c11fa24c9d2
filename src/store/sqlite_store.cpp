// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "store/sqlite_store.hpp"

#include <utility>

#include <fcntl.h>

#include <soci/soci.h>
#include <soci/sqlite3/soci-sqlite3.h>

#include "base/descriptor.hpp"
#include "store/soci_store.hpp"

namespace idlewatt::store {

namespace {

// How long a call waits for another process that holds the file.
constexpr int busy_timeout_ms = 5000;

std::unique_ptr<soci::session> open_session(const std::string& path) {
    auto session = std::make_unique<soci::session>(soci::sqlite3, "dbname=\"" + path + "\"");
    std::string journal_mode;
    *session << "PRAGMA busy_timeout = " + std::to_string(busy_timeout_ms);
    *session << "PRAGMA journal_mode = WAL", soci::into(journal_mode);
    // A commit is on the disk before it is acknowledged, also through a power cut.
    *session << "PRAGMA synchronous = FULL";
    return session;
}

}  // namespace

base::Result<std::unique_ptr<Store>> open_sqlite_store(base::Loop& loop, const std::string& path) {
    if (path.empty() || path.find('"') != std::string::npos) {
        return base::fail(base::ErrorKind::bad_input,
                          "store: the path is empty or has a quotation mark; name another");
    }
    // SQLite makes files that everybody may read, its journals like the file that is there.
    const base::Descriptor private_file(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    std::unique_ptr<soci::session> session;
    try {
        session = open_session(path);
    } catch (const soci::soci_error& error) {
        return base::fail(base::ErrorKind::io,
                          "store " + path + ": cannot open: " + error.get_error_message());
    }
    base::Result<std::unique_ptr<Database>> database = Database::open(std::move(session), path);
    if (!database)
        return tl::unexpected(database.error());
    return std::make_unique<SociStore>(loop, std::move(*database), nullptr);
}

}  // namespace idlewatt::store
