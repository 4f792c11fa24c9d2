// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Credentials from strangers: user JWTs, memberships, credentials files, keys. Whatever is taken
// must be exactly what was signed. Claims that this cell's account signed, but which say what they
// like, are an input that begins with a brace.
#include "base/encoding.hpp"
#include "fuzz.hpp"
#include "identity/identity.hpp"
#include "identity/membership.hpp"
#include "identity/user_claims.hpp"

namespace idlewatt::fuzz {

namespace {

using namespace identity;

constexpr base::WallTime now{1'790'000'000'000'000};
constexpr const char* jwt_head = R"({"typ":"JWT","alg":"ed25519-nkey"})";

const KeyPair& account() {
    static const KeyPair pair = KeyPair::for_test(KeyKind::account, 1);
    return pair;
}

const KeyPair& user() {
    static const KeyPair pair = KeyPair::for_test(KeyKind::user, 2);
    return pair;
}

const std::string& good_jwt() {
    static const std::string jwt =
        mint_user_jwt(account(), user().public_key(), "car-1", {{"a.>"}, {"b.>"}}, now,
                      now + base::minutes(60), vehicle_tag);
    return jwt;
}

const std::string& good_membership() {
    static const std::string text =
        mint_membership(account(), {core::VehicleId("car-1"), "fleet", now + base::minutes(60)});
    return text;
}

const std::string& good_credentials() {
    static const std::string text = credentials(good_jwt(), user().seed());
    return text;
}

std::string good_claims() {
    const std::size_t first = good_jwt().find('.') + 1;
    return *base::from_base64url(
        std::string_view(good_jwt()).substr(first, good_jwt().rfind('.') - first));
}

// A stranger's mistake, never "try again later".
template <class T>
void check_error(const base::Result<T>& result) {
    if (result)
        return;
    require(result.error().kind == base::ErrorKind::bad_input ||
                result.error().kind == base::ErrorKind::denied,
            "malformed or denied: " + result.error().message);
    require(!result.error().message.empty() && result.error().message.size() < 400,
            "a short error");
}

bool check_signed_claims(std::string_view claims) {
    const std::string text = base::to_base64url(jwt_head) + '.' + base::to_base64url(claims);
    const auto read = verify_user_jwt(text + '.' + base::to_base64url(account().sign(text)),
                                      account().public_key(), now);
    check_error(read);
    if (!read)
        return false;
    require(!read->name.empty() && read->name.size() <= user_name_bytes_max &&
                read->tags.size() <= user_tags_max && read->public_key.size() == 56,
            "claims are bounded");
    require(!read->expires_at || *read->expires_at > now, "an end is in the future");
    return true;
}

}  // namespace

bool one_input(std::string_view bytes) {
    if (bytes.starts_with('{'))
        return check_signed_claims(bytes);
    const auto claims = verify_user_jwt(bytes, account().public_key(), now);
    check_error(claims);
    require(!claims || bytes == good_jwt(), "only what was signed is believed");
    const auto membership = verify_membership(bytes, account().public_key(), now);
    check_error(membership);
    require(!membership || bytes == good_membership(), "only what was signed is believed");
    const auto key = key_of_credentials(bytes);
    check_error(key);
    require(!key || key->public_key() == user().public_key() || bytes.find("SU") != bytes.npos,
            "a key is one that stands there");
    const auto jwt = user_jwt_of_credentials(bytes);
    check_error(jwt);
    require(!verify(bytes, "message", "signature"), "a stranger's key proves nothing");
    return claims || membership || key || jwt;
}

std::vector<std::string> seeds() {
    return {good_jwt(), good_membership(), good_credentials(), good_claims()};
}

}  // namespace idlewatt::fuzz
