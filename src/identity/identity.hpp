// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Who is who: Ed25519 key pairs in NATS's NKey form, user JWTs that a NATS server accepts without
// a look-up, and signatures under receipts. Hides libsodium. Beside it: user_claims.hpp reads a
// JWT of ours, membership.hpp says to which fleet a car belongs, secret.hpp makes and hashes keys.
//
// All functions are pure but for key generation; any thread. Seeds are secret: files that hold one
// are made with mode 0600.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "base/time.hpp"

namespace idlewatt::identity {

enum class KeyKind { operator_key, account, user };

// An NKey pair. The public key's text begins with O, A or U; the seed's with SO, SA or SU.
class KeyPair {
public:
    ~KeyPair();  // wipes the secret
    KeyPair(const KeyPair&) = default;
    KeyPair& operator=(const KeyPair&) = default;
    // A move would leave short secrets behind in the source; a copy is wiped with it.

    [[nodiscard]] static KeyPair generate(KeyKind kind);
    [[nodiscard]] static base::Result<KeyPair> from_seed(std::string_view seed_text);
    // Deterministic, for simulations and tests only.
    [[nodiscard]] static KeyPair for_test(KeyKind kind, std::uint64_t number);

    [[nodiscard]] const std::string& public_key() const { return public_text_; }
    [[nodiscard]] const std::string& seed() const { return seed_text_; }
    // 64 raw bytes.
    [[nodiscard]] std::string sign(std::string_view message) const;

private:
    KeyPair() = default;
    static KeyPair from_raw(KeyKind kind, std::string_view seed);

    std::string public_text_;
    std::string seed_text_;
    std::string secret_;  // libsodium's 64-byte secret key
};

// False also for a malformed key or signature.
[[nodiscard]] bool verify(std::string_view public_key, std::string_view message,
                          std::string_view signature);

// Whoever may publish only to a list of subjects may also answer each request this often and this
// long, into the inbox of whoever asked.
inline constexpr int replies_per_request_max = 1;
inline constexpr base::Duration reply_allowed = base::seconds(30);

struct Permissions {
    std::vector<std::string> publish_allow;    // empty: everything in the account
    std::vector<std::string> subscribe_allow;  // empty: everything in the account
};

// JWTs by NATS's rules; see
// https://docs.nats.io/running-a-nats-service/configuration/securing_nats/auth_intro/jwt
[[nodiscard]] std::string mint_operator_jwt(const KeyPair& operator_key, std::string_view name,
                                            std::string_view system_account, base::WallTime now);

// By the user's public key: a JWT of that key issued at this time or earlier is refused (NATS
// counts whole seconds). A later one is accepted again.
using Revocations = std::map<std::string, base::WallTime, std::less<>>;
[[nodiscard]] std::string mint_account_jwt(const KeyPair& operator_key,
                                           std::string_view account_public_key,
                                           std::string_view name, base::WallTime now,
                                           const Revocations& revocations = {});

// What a user is; checked by user_claims.hpp.
inline constexpr std::string_view vehicle_tag = "vehicle";
inline constexpr std::string_view gateway_tag = "gateway";
inline constexpr std::string_view coordinator_tag = "coordinator";
[[nodiscard]] std::string mint_user_jwt(const KeyPair& account_key,
                                        std::string_view user_public_key, std::string_view name,
                                        const Permissions& permissions, base::WallTime now,
                                        std::optional<base::WallTime> expires,
                                        std::string_view tag = {});

// The text of a NATS credentials file.
[[nodiscard]] std::string credentials(std::string_view user_jwt, std::string_view user_seed);

// The seed in a credentials file; for an agent that signs with its own key.
[[nodiscard]] base::Result<KeyPair> key_of_credentials(std::string_view credentials_text);
// The JWT in it; for a gateway that shows who it is.
[[nodiscard]] base::Result<std::string> user_jwt_of_credentials(std::string_view credentials_text);

}  // namespace idlewatt::identity
