// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_server.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

namespace idlewatt::bus {
namespace {

struct NatsServer : testing::Test {
    NatsServer() {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-server-XXXXXX";
        folder = mkdtemp(pattern.data());
    }
    ~NatsServer() override { std::filesystem::remove_all(folder); }

    void write(const std::string& name, const std::string& text) const {
        std::ofstream(folder + '/' + name) << text;
    }

    std::string folder;
};

TEST_F(NatsServer, configuration_stays_on_loopback_and_quotes_what_it_is_given) {
    NatsServerOptions options;
    options.operator_jwt = "o.o.o";
    options.account_public_key = "AAA";
    options.account_jwt = "a.a.a";
    options.log_file = "/tmp/a \"b\"\nport: 1";
    const std::string text = nats_server_config(options);
    EXPECT_NE(text.find("host: \"127.0.0.1\"\n"), std::string::npos) << text;
    EXPECT_NE(text.find("port: -1\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  AAA: \"a.a.a\"\n"), std::string::npos) << text;
    EXPECT_EQ(text.find("\nport: 1\n"), std::string::npos) << text;
}

// A server that is given nothing but this file must know the accounts.
TEST_F(NatsServer, configuration_names_the_accounts_for_a_full_resolver_too) {
    NatsServerOptions options;
    options.operator_jwt = "o.o.o";
    options.account_public_key = "AAA";
    options.account_jwt = "a.a.a";
    options.system_account_public_key = "ASS";
    options.system_account_jwt = "s.s.s";
    options.resolver_folder = folder;
    const std::string text = nats_server_config(options);
    EXPECT_NE(text.find("  type: full\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  AAA: \"a.a.a\"\n"), std::string::npos) << text;
    EXPECT_NE(text.find("  ASS: \"s.s.s\"\n"), std::string::npos) << text;
}

TEST_F(NatsServer, address_is_read_when_it_is_there) {
    EXPECT_FALSE(nats_server_address(folder + "/missing", 7).has_value());
    EXPECT_FALSE(nats_server_address(folder, 7).has_value());
    write("nats-server_17.ports", R"({"nats":["nats://127.0.0.1:1111"]})");
    write("nats-server_7.ports", "");  // created, not yet written
    EXPECT_FALSE(nats_server_address(folder, 7).has_value());
    write("nats-server_7.ports", R"({"nats":["nats://127.0.0.1:4567"]})");
    const auto address = nats_server_address(folder, 7);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->url, "nats://127.0.0.1:4567");
    EXPECT_EQ(address->port, 4567);
}

TEST_F(NatsServer, program_named_by_the_user_is_taken_or_the_mistake_told) {
    write("mine", "#!/bin/sh\n");
    const std::string path = folder + "/mine";
    setenv("IDLEWATT_NATS_SERVER", path.c_str(), 1);
    const auto not_executable = find_nats_server();
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    const auto found = find_nats_server();
    unsetenv("IDLEWATT_NATS_SERVER");
    ASSERT_FALSE(not_executable.has_value());
    EXPECT_NE(not_executable.error().message.find(path), std::string::npos);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(*found, path);
}

}  // namespace
}  // namespace idlewatt::bus
