// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/user_claims.hpp"

#include <gtest/gtest.h>

#include "base/encoding.hpp"
#include "base/prng.hpp"
#include "identity/identity.hpp"

namespace idlewatt::identity {
namespace {

constexpr base::WallTime now{1'790'000'000'000'000};
const KeyPair account = KeyPair::for_test(KeyKind::account, 1);
const KeyPair user = KeyPair::for_test(KeyKind::user, 1);

std::string sample(std::optional<base::WallTime> expires = now + base::minutes(60)) {
    return mint_user_jwt(account, user.public_key(), "car-1", {{"a.>"}, {"b.>"}}, now, expires,
                         vehicle_tag);
}

// Signed by the account, whatever it says.
std::string signed_text(const std::string& header, const std::string& claims) {
    const std::string text = base::to_base64url(header) + '.' + base::to_base64url(claims);
    return text + '.' + base::to_base64url(account.sign(text));
}

TEST(UserClaims, say_what_was_minted) {
    const auto claims = verify_user_jwt(sample(), account.public_key(), now);
    ASSERT_TRUE(claims) << claims.error().message;
    EXPECT_EQ(
        *claims,
        (UserClaims{
            "car-1", user.public_key(), now, now + base::minutes(60), {std::string(vehicle_tag)}}));
    EXPECT_TRUE(claims->has_tag(vehicle_tag));
    EXPECT_FALSE(claims->has_tag(gateway_tag));
    const auto for_ever = verify_user_jwt(sample(std::nullopt), account.public_key(), now);
    ASSERT_TRUE(for_ever);
    EXPECT_FALSE(for_ever->expires_at);
}

TEST(UserClaims, end_and_belong_to_one_account) {
    const auto late = verify_user_jwt(sample(), account.public_key(), now + base::minutes(60));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().kind, base::ErrorKind::denied);
    const KeyPair stranger = KeyPair::for_test(KeyKind::account, 2);
    const auto forged =
        verify_user_jwt(mint_user_jwt(stranger, user.public_key(), "car-1", {}, now, std::nullopt),
                        account.public_key(), now);
    ASSERT_FALSE(forged);
    EXPECT_EQ(forged.error().kind, base::ErrorKind::denied);
}

TEST(UserClaims, what_the_account_signed_for_others_is_none_of_a_user) {
    const std::string head = R"({"typ":"JWT","alg":"ed25519-nkey"})";
    const auto claims = [](const std::string& rest) {
        return R"({"iat":1790000000,"iss":")" + account.public_key() + R"(","sub":")" +
               user.public_key() + "\"," + rest + "}";
    };
    const std::string good = R"("name":"x","nats":{"type":"user"})";
    EXPECT_TRUE(verify_user_jwt(signed_text(head, claims(good)), account.public_key(), now));
    const std::pair<std::string, std::string> bad[] = {
        {R"({"alg":"none"})", claims(good)},
        {"[]", claims(good)},
        {head, claims(R"("name":"x","nats":{"type":"account"})")},
        {head, claims(R"("name":"x","nats":[])")},
        {head, claims(R"("name":"x")")},
        {head, claims(R"("name":"../x","nats":{"type":"user"})")},
        {head, claims(R"("name":7,"nats":{"type":"user"})")},
        {head, claims(R"("name":"x","exp":"soon","nats":{"type":"user"})")},
        {head, claims(R"("name":"x","exp":1e300,"nats":{"type":"user"})")},
        {head, claims(R"("name":"x","exp":-5,"nats":{"type":"user"})")},
        {head, claims(R"("name":"x","exp":18446744073709551615,"nats":{"type":"user"})")},
        {head, claims(R"("name":"x","nats":{"type":"user","tags":"vehicle"})")},
        {head, claims(R"("name":"x","nats":{"type":"user","tags":[1]})")},
        {head, "{}"},
        {head, "\xff\xfe"},
        {head, std::string(2900, '[')},
        {"", ""},
    };
    for (const auto& [header, text] : bad) {
        const auto read = verify_user_jwt(signed_text(header, text), account.public_key(), now);
        ASSERT_FALSE(read) << text;
        EXPECT_EQ(read.error().kind, base::ErrorKind::bad_input) << text;
    }
}

TEST(UserClaims, no_damage_goes_unseen) {
    const std::string text = sample();
    base::Prng prng(1);
    for (int i = 0; i < 20'000; ++i) {
        std::string bad = text;
        const std::size_t at = prng.below(bad.size());
        switch (prng.below(4)) {
            case 0:
                bad[at] = static_cast<char>(prng.below(256));
                break;
            case 1:
                bad.erase(at, 1 + prng.below(9));
                break;
            case 2:
                bad.insert(at, 1, '.');
                break;
            default:
                bad.append(bad.substr(at));
        }
        if (bad != text) {
            EXPECT_FALSE(verify_user_jwt(bad, account.public_key(), now)) << bad;
        }
    }
    EXPECT_FALSE(verify_user_jwt(std::string(100'000, '.'), account.public_key(), now));
    EXPECT_FALSE(verify_user_jwt("", account.public_key(), now));
}

TEST(Account, names_whom_it_revokes) {
    const KeyPair operator_key = KeyPair::for_test(KeyKind::operator_key, 1);
    const std::string jwt = mint_account_jwt(operator_key, account.public_key(), "cell", now,
                                             {{user.public_key(), now}});
    const std::size_t first = jwt.find('.');
    const auto claims = base::from_base64url(jwt.substr(first + 1, jwt.rfind('.') - first - 1));
    ASSERT_TRUE(claims);
    EXPECT_NE(claims->find("\"revocations\":{\"" + user.public_key() + "\":1790000000}"),
              std::string::npos)
        << *claims;
}

TEST(Credentials, give_their_jwt_back) {
    EXPECT_EQ(user_jwt_of_credentials(credentials("a.b.c", user.seed())), "a.b.c");
    EXPECT_FALSE(user_jwt_of_credentials("x"));
}

}  // namespace
}  // namespace idlewatt::identity
