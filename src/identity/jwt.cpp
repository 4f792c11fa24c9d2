// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// JWTs of version 2 as nats-server 2.x reads them. A user's JWT is checked by the account's key
// alone, so a server needs no word from us for a new car.
#include <nlohmann/json.hpp>
#include <sodium.h>

#include "base/assert.hpp"
#include "identity/identity.hpp"

namespace idlewatt::identity {

namespace {

using Json = nlohmann::ordered_json;

constexpr int jwt_version = 2;
constexpr int no_limit = -1;

std::string base64url(std::string_view bytes) {
    constexpr int variant = sodium_base64_VARIANT_URLSAFE_NO_PADDING;
    std::string text(sodium_base64_ENCODED_LEN(bytes.size(), variant), '\0');
    sodium_bin2base64(text.data(), text.size(),
                      reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), variant);
    text.pop_back();  // the terminator
    return text;
}

// Whatever came in as a name must not make a claim that throws.
std::string dumped(const Json& json) {
    return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// The id is the hash of the claims, as NATS's own tools make it; no server checks it.
std::string claim_id(const Json& claims) {
    const std::string text = dumped(claims);
    std::string hash(crypto_hash_sha256_BYTES, '\0');
    crypto_hash_sha256(reinterpret_cast<unsigned char*>(hash.data()),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
    return base64url(hash);
}

std::string mint(const KeyPair& issuer, std::string_view subject, std::string_view name,
                 base::WallTime now, std::optional<base::WallTime> expires, Json nats) {
    Json claims;
    claims["iat"] = now.us / 1'000'000;
    claims["iss"] = issuer.public_key();
    claims["name"] = name;
    claims["sub"] = subject;
    if (expires)
        claims["exp"] = expires->us / 1'000'000;
    nats["version"] = jwt_version;
    claims["nats"] = std::move(nats);
    claims["jti"] = claim_id(claims);
    const std::string head = R"({"typ":"JWT","alg":"ed25519-nkey"})";
    const std::string text = base64url(head) + '.' + base64url(dumped(claims));
    return text + '.' + base64url(issuer.sign(text));
}

Json allow_list(const std::vector<std::string>& subjects) {
    if (subjects.empty())
        return Json::object();
    return Json{{"allow", subjects}};
}

}  // namespace

std::string mint_operator_jwt(const KeyPair& operator_key, std::string_view name,
                              std::string_view system_account, base::WallTime now) {
    Json nats = {{"type", "operator"}};
    if (!system_account.empty())
        nats["system_account"] = system_account;
    return mint(operator_key, operator_key.public_key(), name, now, std::nullopt, std::move(nats));
}

std::string mint_account_jwt(const KeyPair& operator_key, std::string_view account_public_key,
                             std::string_view name, base::WallTime now) {
    // A limit that is missing means zero.
    Json limits;
    for (const char* limit : {"subs", "data", "payload", "imports", "exports", "conn", "leaf"}) {
        limits[limit] = no_limit;
    }
    limits["wildcards"] = true;
    Json nats = {{"type", "account"}, {"limits", std::move(limits)}};
    return mint(operator_key, account_public_key, name, now, std::nullopt, std::move(nats));
}

std::string mint_user_jwt(const KeyPair& account_key, std::string_view user_public_key,
                          std::string_view name, const Permissions& permissions, base::WallTime now,
                          std::optional<base::WallTime> expires) {
    Json nats = {{"type", "user"}, {"subs", no_limit}, {"data", no_limit}, {"payload", no_limit}};
    nats["pub"] = allow_list(permissions.publish_allow);
    nats["sub"] = allow_list(permissions.subscribe_allow);
    if (!permissions.publish_allow.empty()) {
        // To the inbox of whoever asked, which no list of subjects could name.
        nats["resp"] = {{"max", replies_per_request_max}, {"ttl", reply_allowed.ns}};
    }
    return mint(account_key, user_public_key, name, now, expires, std::move(nats));
}

std::string credentials(std::string_view user_jwt, std::string_view user_seed) {
    std::string text = "-----BEGIN NATS USER JWT-----\n";
    text.append(user_jwt);
    text += "\n------END NATS USER JWT------\n\n-----BEGIN USER NKEY SEED-----\n";
    text.append(user_seed);
    text += "\n------END USER NKEY SEED------\n";
    return text;
}

base::Result<KeyPair> key_of_credentials(std::string_view credentials_text) {
    constexpr std::string_view begin = "-----BEGIN USER NKEY SEED-----";
    const std::size_t head = credentials_text.find(begin);
    if (head == std::string_view::npos) {
        return base::fail(base::ErrorKind::bad_input,
                          "no seed in the credentials: expected a NATS credentials file with a "
                          "line '-----BEGIN USER NKEY SEED-----'; enrol again to get one");
    }
    std::string_view seed = credentials_text.substr(head + begin.size());
    const std::size_t start = seed.find_first_not_of("\r\n\t ");
    seed = start == std::string_view::npos ? std::string_view{} : seed.substr(start);
    return KeyPair::from_seed(seed.substr(0, seed.find_first_of("\r\n\t -")));
}

}  // namespace idlewatt::identity
