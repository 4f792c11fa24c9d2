// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/fleet_keys.hpp"

#include <filesystem>

#include <gtest/gtest.h>

#include "cli/files.hpp"
#include "identity/secret.hpp"

namespace idlewatt::cli {
namespace {

std::string public_key_in(const base::Result<std::string>& credentials_file) {
    EXPECT_TRUE(credentials_file) << credentials_file.error().message;
    const auto key = identity::key_of_credentials(read_file(*credentials_file).value());
    EXPECT_TRUE(key) << key.error().message;
    return key->public_key();
}

// A gateway signs its delivery records, and may die before the coordinator has them.
TEST(FleetKeys, AGatewayHasTheSameKeyInItsNextLife) {
    std::string folder = std::filesystem::temp_directory_path() / "idlewatt-keys-XXXXXX";
    ASSERT_NE(mkdtemp(folder.data()), nullptr);
    const auto key_of = [&](const char* name) {
        const auto keys = FleetKeys::open("c1", folder, base::WallTime{1'790'000'000'000'000});
        EXPECT_TRUE(keys) << keys.error().message;
        return public_key_in((*keys)->gateway_credentials(core::GatewayId(name), name));
    };
    const std::string first = key_of("g1");
    EXPECT_EQ(key_of("g1"), first);
    EXPECT_NE(key_of("g2"), first);
    std::filesystem::remove_all(folder);
}

}  // namespace
}  // namespace idlewatt::cli
