// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/identity.hpp"

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "base/prng.hpp"
#include "identity/nkey.hpp"

namespace idlewatt::identity {
namespace {

constexpr base::WallTime issued_at{1'790'000'000'000'000};

std::string from_base64url(std::string_view text) {
    constexpr std::string_view alphabet =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    std::string out;
    unsigned bits = 0;
    unsigned held = 0;
    for (const char c : text) {
        bits = (bits << 6U) | static_cast<unsigned>(alphabet.find(c));
        held += 6;
        if (held >= 8) {
            held -= 8;
            out += static_cast<char>((bits >> held) & 0xffU);
        }
    }
    return out;
}

struct Jwt {
    std::string signed_part;
    nlohmann::json header;
    nlohmann::json claims;
    std::string signature;
};

Jwt parse(const std::string& text) {
    const std::size_t first = text.find('.');
    const std::size_t second = text.rfind('.');
    return {text.substr(0, second), nlohmann::json::parse(from_base64url(text.substr(0, first))),
            nlohmann::json::parse(from_base64url(text.substr(first + 1, second - first - 1))),
            from_base64url(text.substr(second + 1))};
}

TEST(KeyPair, text_begins_as_nats_wants_and_survives_the_round_trip) {
    const std::pair<KeyKind, char> kinds[] = {
        {KeyKind::operator_key, 'O'}, {KeyKind::account, 'A'}, {KeyKind::user, 'U'}};
    for (const auto& [kind, letter] : kinds) {
        for (std::uint64_t i = 0; i < 50; ++i) {
            const KeyPair pair = KeyPair::for_test(kind, i);
            EXPECT_EQ(pair.public_key().front(), letter);
            EXPECT_EQ(pair.public_key().size(), 56U);
            EXPECT_EQ(pair.seed().substr(0, 2), std::string("S") + letter);
            const auto again = KeyPair::from_seed(pair.seed());
            ASSERT_TRUE(again.has_value());
            EXPECT_EQ(again->public_key(), pair.public_key());
        }
    }
    EXPECT_NE(KeyPair::generate(KeyKind::user).seed(), KeyPair::generate(KeyKind::user).seed());
}

// From the documentation of NATS, so that our text is theirs.
TEST(KeyPair, knows_a_seed_made_by_nats) {
    const auto pair =
        KeyPair::from_seed("SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY");
    ASSERT_TRUE(pair.has_value());
    EXPECT_EQ(pair->public_key(), "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4");
}

TEST(KeyPair, one_wrong_letter_is_found_and_never_repeated_in_the_message) {
    const std::string seed = KeyPair::for_test(KeyKind::user, 1).seed();
    const std::string public_key = KeyPair::for_test(KeyKind::user, 1).public_key();
    base::Prng prng(3);
    for (std::size_t i = 0; i < seed.size(); ++i) {
        std::string bad = seed;
        bad[i] = bad[i] == 'Q' ? 'R' : 'Q';
        const auto result = KeyPair::from_seed(bad);
        ASSERT_FALSE(result.has_value()) << i;
        EXPECT_EQ(result.error().message.find(bad), std::string::npos);
    }
    for (std::size_t i = 0; i < public_key.size(); ++i) {
        std::string bad = public_key;
        bad[i] = bad[i] == 'Q' ? 'R' : 'Q';
        EXPECT_FALSE(decode_public_key(bad).has_value()) << i;
    }
    for (int i = 0; i < 20'000; ++i) {
        std::string noise(prng.below(70), '\0');
        for (char& c : noise)
            c = static_cast<char>(prng.below(256));
        EXPECT_FALSE(KeyPair::from_seed(noise).has_value());
        EXPECT_FALSE(verify(noise, "m", noise));
    }
}

TEST(Signature, holds_for_this_key_and_message_only) {
    const KeyPair pair = KeyPair::for_test(KeyKind::user, 1);
    const KeyPair other = KeyPair::for_test(KeyKind::user, 2);
    const std::string message = "receipt";
    const std::string signature = pair.sign(message);
    EXPECT_EQ(signature.size(), 64U);
    EXPECT_TRUE(verify(pair.public_key(), message, signature));
    EXPECT_FALSE(verify(other.public_key(), message, signature));
    EXPECT_FALSE(verify(pair.public_key(), message + "x", signature));
    for (std::size_t bit = 0; bit < 8 * signature.size(); ++bit) {
        std::string bad = signature;
        bad[bit / 8] = static_cast<char>(bad[bit / 8] ^ (1 << (bit % 8)));
        EXPECT_FALSE(verify(pair.public_key(), message, bad)) << bit;
    }
    EXPECT_FALSE(verify(pair.public_key(), message, signature.substr(1)));
    EXPECT_FALSE(verify(pair.seed(), message, signature));
}

TEST(Jwt, claims_say_what_was_asked_and_are_signed_by_the_issuer) {
    const KeyPair account = KeyPair::for_test(KeyKind::account, 1);
    const KeyPair user = KeyPair::for_test(KeyKind::user, 1);
    const Permissions permissions{{"iw.c1.v.car1.out.>"}, {"_INBOX_car1.>"}};
    const Jwt jwt = parse(mint_user_jwt(account, user.public_key(), "car\"1", permissions,
                                        issued_at, issued_at + base::minutes(60)));
    EXPECT_EQ(jwt.header.dump(), R"({"alg":"ed25519-nkey","typ":"JWT"})");
    EXPECT_TRUE(verify(account.public_key(), jwt.signed_part, jwt.signature));
    EXPECT_EQ(jwt.claims["name"], "car\"1");
    EXPECT_EQ(jwt.claims["iss"], account.public_key());
    EXPECT_EQ(jwt.claims["sub"], user.public_key());
    EXPECT_EQ(jwt.claims["iat"], 1'790'000'000);
    EXPECT_EQ(jwt.claims["exp"], 1'790'003'600);
    EXPECT_EQ(jwt.claims["nats"]["pub"]["allow"][0], "iw.c1.v.car1.out.>");
    EXPECT_EQ(jwt.claims["nats"]["sub"]["allow"][0], "_INBOX_car1.>");
    EXPECT_EQ(jwt.claims["nats"]["resp"]["max"], replies_per_request_max);

    const Jwt free =
        parse(mint_user_jwt(account, user.public_key(), "g", {}, issued_at, std::nullopt));
    EXPECT_FALSE(free.claims.contains("exp"));
    EXPECT_FALSE(free.claims["nats"].contains("resp"));
}

TEST(Jwt, a_name_that_is_not_utf8_does_not_throw) {
    const KeyPair key = KeyPair::for_test(KeyKind::operator_key, 1);
    EXPECT_NO_THROW((void)mint_operator_jwt(key, "\xff\xfe", "", issued_at));
}

TEST(Credentials, give_their_key_back) {
    const KeyPair user = KeyPair::for_test(KeyKind::user, 9);
    const auto key = key_of_credentials(credentials("a.b.c", user.seed()));
    ASSERT_TRUE(key.has_value());
    EXPECT_EQ(key->public_key(), user.public_key());
    EXPECT_FALSE(key_of_credentials("").has_value());
    EXPECT_FALSE(key_of_credentials("-----BEGIN USER NKEY SEED-----").has_value());
    EXPECT_FALSE(key_of_credentials("-----BEGIN USER NKEY SEED-----\nSUA\n").has_value());
}

}  // namespace
}  // namespace idlewatt::identity
