// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// JWTs of version 2 as nats-server 2.x reads them. A user's JWT is checked by the account's key
// alone, so a server needs no word from us for a new car.
#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "identity/identity.hpp"
#include "identity/secret.hpp"

namespace idlewatt::identity {

namespace {

using SignedJson = nlohmann::ordered_json;

constexpr int jwt_version = 2;
constexpr int no_limit = -1;

// Whatever came in as a name must not make a claim that throws.
std::string dumped(const SignedJson& json) {
    return json.dump(-1, ' ', false, SignedJson::error_handler_t::replace);
}

// The id is the hash of the claims, as NATS's own tools make it; no server checks it.
std::string claim_id(const SignedJson& claims) {
    return base::to_base64url(sha256(dumped(claims)));
}

std::string mint(const KeyPair& issuer, std::string_view subject, std::string_view name,
                 base::WallTime now, std::optional<base::WallTime> expires, SignedJson nats) {
    SignedJson claims;
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
    const std::string text = base::to_base64url(head) + '.' + base::to_base64url(dumped(claims));
    return text + '.' + base::to_base64url(issuer.sign(text));
}

SignedJson allow_list(const std::vector<std::string>& subjects) {
    if (subjects.empty())
        return SignedJson::object();
    return SignedJson{{"allow", subjects}};
}

}  // namespace

std::string mint_operator_jwt(const KeyPair& operator_key, std::string_view name,
                              std::string_view system_account, base::WallTime now) {
    SignedJson nats = {{"type", "operator"}};
    if (!system_account.empty())
        nats["system_account"] = system_account;
    return mint(operator_key, operator_key.public_key(), name, now, std::nullopt, std::move(nats));
}

std::string mint_account_jwt(const KeyPair& operator_key, std::string_view account_public_key,
                             std::string_view name, base::WallTime now,
                             const Revocations& revocations) {
    // A limit that is missing means zero.
    SignedJson limits;
    for (const char* limit : {"subs", "data", "payload", "imports", "exports", "conn", "leaf"}) {
        limits[limit] = no_limit;
    }
    limits["wildcards"] = true;
    SignedJson nats = {{"type", "account"}, {"limits", std::move(limits)}};
    for (const auto& [user, time] : revocations)
        nats["revocations"][user] = time.us / 1'000'000;
    return mint(operator_key, account_public_key, name, now, std::nullopt, std::move(nats));
}

std::string mint_user_jwt(const KeyPair& account_key, std::string_view user_public_key,
                          std::string_view name, const Permissions& permissions, base::WallTime now,
                          std::optional<base::WallTime> expires, std::string_view tag) {
    SignedJson nats = {
        {"type", "user"}, {"subs", no_limit}, {"data", no_limit}, {"payload", no_limit}};
    nats["pub"] = allow_list(permissions.publish_allow);
    nats["sub"] = allow_list(permissions.subscribe_allow);
    if (!permissions.publish_allow.empty()) {
        // To the inbox of whoever asked, which no list of subjects could name.
        nats["resp"] = {{"max", replies_per_request_max}, {"ttl", reply_allowed.ns}};
    }
    if (!tag.empty())
        nats["tags"] = SignedJson::array({tag});
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

namespace {

// The text under the line that begins a part of a credentials file.
base::Result<std::string_view> part_of(std::string_view credentials_text, std::string_view begin) {
    const std::size_t head = credentials_text.find(begin);
    if (head == std::string_view::npos) {
        return base::fail(base::ErrorKind::bad_input,
                          "not whole credentials: expected a NATS credentials file with a line '" +
                              std::string(begin) + "'; enrol again to get one");
    }
    std::string_view text = credentials_text.substr(head + begin.size());
    text.remove_prefix(std::min(text.find_first_not_of("\r\n\t "), text.size()));
    return text.substr(0, text.find_first_of("\r\n\t "));
}

}  // namespace

base::Result<KeyPair> key_of_credentials(std::string_view credentials_text) {
    return part_of(credentials_text, "-----BEGIN USER NKEY SEED-----").and_then(KeyPair::from_seed);
}

base::Result<std::string> user_jwt_of_credentials(std::string_view credentials_text) {
    return part_of(credentials_text, "-----BEGIN NATS USER JWT-----").map([](std::string_view jwt) {
        return std::string(jwt);
    });
}

}  // namespace idlewatt::identity
