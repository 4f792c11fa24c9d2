// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A PostgreSQL server of the test's own: a fresh cluster in a folder, on a Unix socket, ended with
// the test. It refuses to run as root, so a test that is root lends it the user `postgres`.
#pragma once

#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <unistd.h>

#include <gtest/gtest.h>
#include <soci/postgresql/soci-postgresql.h>
#include <soci/soci.h>

#include "base/asio_loop.hpp"
#include "base/child_process.hpp"

namespace idlewatt::store {

class PostgresqlServer {
public:
    PostgresqlServer() : PostgresqlServer(nullptr) {}
    // Whatever waits runs this loop, so that a test goes on meanwhile.
    explicit PostgresqlServer(base::AsioLoop& loop) : PostgresqlServer(&loop) {}
    ~PostgresqlServer() {
        end(SIGQUIT);
        std::filesystem::remove_all(folder_);
    }
    PostgresqlServer(const PostgresqlServer&) = delete;
    PostgresqlServer& operator=(const PostgresqlServer&) = delete;

    // One for all tests of a process that leave it running.
    static PostgresqlServer& shared() {
        static PostgresqlServer server;
        return server;
    }

    void start() {
        // A server that was killed may leave children behind for a moment, which keep a new one
        // from starting.
        for (int tries = 0; tries < 100 && !server_; ++tries) {
            server_ = spawn({programs() + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-c",
                             "listen_addresses=", "-c", "fsync=off", "-c", "shared_buffers=16MB"});
            while (!ended_ && !ready())
                loop_.run_for(base::milliseconds(10));
            if (ended_) {
                server_.reset();
                loop_.run_for(base::milliseconds(50));
            }
        }
        ASSERT_TRUE(server_) << "PostgreSQL does not start";
    }

    // SIGQUIT ends it as a crash does; after SIGKILL its children notice by themselves.
    void end(int signal) {
        if (!server_)
            return;
        server_->signal(signal);
        while (!ended_)
            loop_.run_for(base::milliseconds(5));
        server_.reset();
    }

    // A place without tables.
    std::string new_connection() {
        const std::string schema = "s" + std::to_string(next_schema_++);
        soci::session(soci::postgresql, connection()) << "CREATE SCHEMA " + schema;
        return connection() + " options='-c search_path=" + schema + "'";
    }

    // The first column, as text.
    [[nodiscard]] static std::vector<std::string> column(const std::string& connection,
                                                         const std::string& select) {
        soci::session session(soci::postgresql, connection);
        const soci::rowset<std::string> rows = (session.prepare << select);
        return {rows.begin(), rows.end()};
    }

private:
    explicit PostgresqlServer(base::AsioLoop* loop)
        : own_loop_(loop == nullptr ? std::make_unique<base::AsioLoop>() : nullptr),
          loop_(loop == nullptr ? *own_loop_ : *loop) {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-pg-XXXXXX";
        folder_ = ::mkdtemp(pattern.data());
        EXPECT_EQ(run({programs() + "/initdb", "-D", folder_ + "/data", "-A", "trust", "-U",
                       "idlewatt", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"}),
                  0)
            << folder_ << "/log";
        start();
    }

    [[nodiscard]] std::string connection() const {
        return "host=" + folder_ + " user=idlewatt dbname=postgres";
    }

    [[nodiscard]] bool ready() const {
        try {
            const soci::session session(soci::postgresql, connection());
            return true;
        } catch (const std::exception&) {
            return false;
        }
    }

    std::string programs() {
        const std::string folder = asked_of_test_programs("postgresql");
        EXPECT_FALSE(folder.empty()) << "no PostgreSQL here; run tools/test-programs";
        return folder;
    }

    std::string asked_of_test_programs(const std::string& what) {
        base::SpawnOptions options;
        options.argv = {std::string(IDLEWATT_SOURCE_DIR) + "/tools/test-programs", what};
        options.output_file = folder_ + "/asked." + what;
        std::filesystem::remove(options.output_file);
        bool over = false;
        const auto child = base::ChildProcess::spawn(loop_, options, [&](int) { over = true; });
        EXPECT_TRUE(child) << child.error().message;
        while (child && !over)
            loop_.run_for(base::milliseconds(5));
        std::ifstream answer(options.output_file);
        std::string line;
        std::getline(answer, line);
        return line;
    }

    std::unique_ptr<base::ChildProcess> spawn(std::vector<std::string> command) {
        // PostgreSQL refuses to run as root: in a namespace of its own it is nobody.
        std::vector<std::string> around = {
            "env", "LD_LIBRARY_PATH=" + asked_of_test_programs("libraries")};
        if (::geteuid() == 0)
            around.insert(around.end(),
                          {"unshare", "--user", "--map-user=65534", "--map-group=65534"});
        around.insert(around.end(), {"setpriv", "--pdeathsig=QUIT", "--"});
        command.insert(command.begin(), around.begin(), around.end());
        base::SpawnOptions options;
        options.argv = std::move(command);
        options.output_file = folder_ + "/log";
        ended_ = false;
        auto child = base::ChildProcess::spawn(loop_, options, [this](int code) {
            ended_ = true;
            code_ = code;
        });
        EXPECT_TRUE(child) << child.error().message;
        ended_ = !child;
        return child ? std::move(*child) : nullptr;
    }

    int run(std::vector<std::string> command) {
        const auto child = spawn(std::move(command));
        while (!ended_)
            loop_.run_for(base::milliseconds(5));
        return code_;
    }

    std::unique_ptr<base::AsioLoop> own_loop_;  // none: the test's is used
    base::AsioLoop& loop_;
    std::string folder_;
    bool ended_ = true;
    int code_ = -1;
    int next_schema_ = 1;
    std::unique_ptr<base::ChildProcess> server_;
};

}  // namespace idlewatt::store
