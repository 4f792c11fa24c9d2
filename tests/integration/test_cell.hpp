// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What every test of a cell begins with: the keys and nats.conf that `idlewatt cell create` makes,
// and a real nats-server that runs with them on a port of its own, which it keeps when it is
// started again.
//
// Threads: the loop's; what waits runs the loop.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/asio_loop.hpp"
#include "identity/identity.hpp"
#include "test_process.hpp"

namespace idlewatt::test {

struct TestCellPlan {
    std::vector<std::string> gateways{"g1"};
    std::string certificate_file{};  // both or neither
    std::string key_file{};
};

class TestCell {
public:
    explicit TestCell(base::AsioLoop& loop, TestCellPlan plan = {});
    ~TestCell();

    TestCell(const TestCell&) = delete;
    TestCell& operator=(const TestCell&) = delete;

    // ── files ───────────────────────────────────────────────────────────────────────────────────

    [[nodiscard]] const std::string& folder() const { return folder_; }
    // coordinator.creds, g1.creds, account.seed …
    [[nodiscard]] std::string key_file(const std::string& name) const {
        return folder_ + "/keys/" + name;
    }
    // Signals and settings of a car that its owner always lends.
    std::string write_script() const;
    // Where the server keeps what it was told of accounts.
    [[nodiscard]] std::string accounts_folder() const { return folder_ + "/accounts"; }

    // ── keys ────────────────────────────────────────────────────────────────────────────────────

    [[nodiscard]] const identity::KeyPair& operator_key() const { return *operator_; }
    [[nodiscard]] const identity::KeyPair& account() const { return *account_; }
    [[nodiscard]] const identity::KeyPair& system() const { return *system_; }
    // Credentials of a new user, or of the one given; the file.
    std::string write_credentials(const std::string& name, const std::string& jwt,
                                  const identity::KeyPair& user);
    std::string write_user(const std::string& name, const identity::KeyPair& issuer,
                           const identity::Permissions& permissions = {}, std::string_view tag = {},
                           std::optional<base::WallTime> expires = std::nullopt,
                           const identity::KeyPair* user = nullptr);

    // ── nats-server ─────────────────────────────────────────────────────────────────────────────

    void start_nats();
    void kill_nats();
    [[nodiscard]] const std::string& nats_url() const { return nats_url_; }

    // The exit code and all words of one of our programs that ends by itself.
    std::pair<int, std::string> run(std::vector<std::string> argv);

private:
    [[nodiscard]] identity::KeyPair read_seed(const std::string& name) const;

    base::AsioLoop& loop_;
    const TestCellPlan plan_;
    std::string folder_;
    std::optional<identity::KeyPair> operator_;
    std::optional<identity::KeyPair> account_;
    std::optional<identity::KeyPair> system_;
    std::string nats_url_;
    int nats_port_;
    int next_file_ = 0;
    std::unique_ptr<TestProcess> nats_;
};

}  // namespace idlewatt::test
