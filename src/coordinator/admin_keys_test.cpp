// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// API keys: who may keep them, and how gateways learn of them.
#include <set>

#include "coordinator/coordinator_fixture_test.hpp"

namespace idlewatt::coordinator {
namespace {

class KeysTest : public OfficeTest {
protected:
    wire::KeyCreated create(const wire::KeyOrder& order) {
        const auto answer = call("POST", "/api/v1/keys", wire::key_order_body(order));
        EXPECT_EQ(answer.status, 201) << answer.body;
        const auto created = wire::parse_key_created(answer.body);
        EXPECT_TRUE(created) << answer.body;
        return created.value_or(wire::KeyCreated{});
    }
    wire::KeyBookPage page(const wire::KeyBookRequest& request) {
        const auto answer = ask(*gateway, test_subjects.coordinator_keys(), wire::encode(request));
        EXPECT_TRUE(answer);
        const auto decoded = wire::decode_key_book_page(answer.value_or(""));
        EXPECT_TRUE(decoded);
        return decoded.value_or(wire::KeyBookPage{});
    }

    std::unique_ptr<bus::Bus> gateway = hub.connect("G_gw", "G_gw");
};

TEST_F(KeysTest, AKeyIsShownOnceAndKeptAsItsHash) {
    const auto created = create({"ci", core::KeyRole::customer, {60, 1000, 2}});
    EXPECT_TRUE(created.secret.starts_with("iw-"));
    ASSERT_EQ(database->keys.size(), 1U);
    EXPECT_EQ(database->keys.begin()->second.secret_sha256, identity::sha256_hex(created.secret));
    const auto list = call("GET", "/api/v1/keys");
    EXPECT_EQ(list.body.find(created.secret), std::string::npos);
    EXPECT_EQ(list.body.find(identity::sha256_hex(created.secret)), std::string::npos);
    const auto keys = wire::parse_keys_body(list.body);
    ASSERT_TRUE(keys) << list.body;
    ASSERT_EQ(keys->size(), 1U);
    EXPECT_EQ(keys->front().limits, (core::KeyLimits{60, 1000, 2}));
}

TEST_F(KeysTest, AListLongerThanAPageOfTheStoreIsWhole) {
    for (int i = 0; i < 10'001; ++i) {
        core::ApiKey key;
        key.id = core::KeyId("key-" + std::to_string(100'000 + i));
        key.secret_sha256 = identity::sha256_hex(key.id.value);
        database->keys.emplace(key.id, key);
    }
    const auto keys = wire::parse_keys_body(call("GET", "/api/v1/keys").body);
    ASSERT_TRUE(keys);
    ASSERT_EQ(keys->size(), 10'001U);
    EXPECT_EQ(keys->back().id.value, "key-110000");
}

TEST_F(KeysTest, TooManyKeysAreNotABrokenDatabase) {
    for (std::size_t i = 0; i < core::keys_max; ++i) {
        const core::KeyId id("key-" + std::to_string(i));
        database->keys[id].id = id;
    }
    const auto answer = call("POST", "/api/v1/keys", wire::key_order_body({"one more"}));
    EXPECT_EQ(answer.status, 429) << answer.body;
    EXPECT_NE(answer.body.find("insufficient_quota"), std::string::npos) << answer.body;
}

TEST_F(KeysTest, OnlyOperatorsMayAndOnlyUntilTheyAreRevoked) {
    const auto customer = create({"c"});
    const auto analyst = create({"a", core::KeyRole::analyst});
    const auto boss = create({"o", core::KeyRole::fleet_operator});
    EXPECT_EQ(call("GET", "/api/v1/keys", "", customer.secret).status, 403);
    EXPECT_EQ(call("GET", "/api/v1/keys", "", analyst.secret).status, 403);
    EXPECT_EQ(call("GET", "/api/v1/keys", "", "iw-made-up").status, 401);
    EXPECT_EQ(call("GET", "/api/v1/keys", "", "").status, 401);
    EXPECT_EQ(call("GET", "/api/v1/keys", "", boss.secret).status, 200);
    EXPECT_EQ(call("DELETE", "/api/v1/keys/" + boss.key.id.value, "", boss.secret).status, 200);
    EXPECT_EQ(call("GET", "/api/v1/keys", "", boss.secret).status, 401);
    EXPECT_EQ(call("DELETE", "/api/v1/keys/nobody").status, 404);
}

TEST_F(KeysTest, NothingIsDoneForWhomTheStoreCannotVouch) {
    const auto boss = create({"o", core::KeyRole::fleet_operator});
    database->failing = true;
    const auto answer = call("GET", "/api/v1/keys", "", boss.secret);
    EXPECT_EQ(answer.status, 503);
    EXPECT_EQ(answer.body.find("memory"), std::string::npos) << "which database it is, stays here";
    EXPECT_EQ(call("POST", "/api/v1/keys", wire::key_order_body({"x"})).status, 503);
}

TEST_F(KeysTest, GatewaysAreToldAndReadTheBookInPages) {
    int told = 0;
    gateway->subscribe(test_subjects.coordinator_changed(), [&](const auto&) { ++told; });
    loop.run_for(base::seconds(1));
    const auto first = create({"first"});
    ASSERT_TRUE(run_until([&] { return told == 1; }));
    for (int i = 0; i < 2500; ++i) {
        core::ApiKey key;
        key.id = core::KeyId("key-" + std::to_string(10'000 + i));
        key.secret_sha256 = identity::sha256_hex(key.id.value);
        database->keys.emplace(key.id, key);
    }
    std::set<core::KeyId> seen;
    wire::KeyBookRequest request;
    while (true) {
        const auto got = page(request);
        for (const core::ApiKey& key : got.book.keys)
            EXPECT_TRUE(seen.insert(key.id).second);
        if (!got.more)
            break;
        request.after = got.book.keys.back().id;
    }
    EXPECT_EQ(seen.size(), 2501U);
    const auto again = page({1, {}});
    EXPECT_TRUE(again.unchanged);
    EXPECT_TRUE(again.book.keys.empty());
    call("DELETE", "/api/v1/keys/" + first.key.id.value);
    ASSERT_TRUE(run_until([&] { return told == 2; }));
    EXPECT_FALSE(page({1, {}}).unchanged);
}

TEST_F(KeysTest, BadOrdersAndUnknownPathsAreErrorObjects) {
    for (const char* body :
         {"", "{", "[]", "{\"label\":7}", "{\"label\":\"x\",\"rol\":\"customer\"}"}) {
        const auto answer = call("POST", "/api/v1/keys", body);
        EXPECT_EQ(answer.status, 400) << body;
        EXPECT_TRUE(wire::parse_error_body(answer.body)) << answer.body;
    }
    EXPECT_EQ(call("PUT", "/api/v1/keys").status, 405);
    EXPECT_EQ(call("GET", "/api/v1/cake").status, 404);
    EXPECT_EQ(call("GET", "/v1/models").status, 404);
    EXPECT_EQ(call("GET", "/healthz", "", "").status, 200);
}

}  // namespace
}  // namespace idlewatt::coordinator
