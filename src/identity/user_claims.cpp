// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "identity/user_claims.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"
#include "identity/identity.hpp"
#include "identity/nkey.hpp"

namespace idlewatt::identity {

namespace {

using ClaimsJson = nlohmann::json;

constexpr std::int64_t us_per_second = 1'000'000;
constexpr std::int64_t seconds_max = INT64_MAX / us_per_second;

tl::unexpected<base::Error> malformed(const char* what) {
    return base::fail(base::ErrorKind::bad_input, std::string("not a user JWT of this cell: ") +
                                                      what + "; enrol again to get one");
}

ClaimsJson member(const ClaimsJson& object, const char* key) {
    const auto found = object.is_object() ? object.find(key) : object.end();
    return found == object.end() ? ClaimsJson() : *found;
}

std::string text(const ClaimsJson& object, const char* key) {
    const ClaimsJson found = member(object, key);
    return found.is_string() ? found.get<std::string>() : std::string();
}

// nullopt: missing, or no point in time.
std::optional<base::WallTime> time(const ClaimsJson& object, const char* key) {
    const ClaimsJson found = member(object, key);
    if (!found.is_number_integer())
        return std::nullopt;
    if (found.is_number_unsigned() &&
        found.get<std::uint64_t>() > static_cast<std::uint64_t>(seconds_max))
        return std::nullopt;
    const auto seconds = found.get<std::int64_t>();
    if (seconds < 0)
        return std::nullopt;
    return base::WallTime{seconds * us_per_second};
}

ClaimsJson decoded(std::string_view base64url) {
    const auto bytes = base::from_base64url(base64url);
    return bytes ? ClaimsJson::parse(*bytes, nullptr, false)
                 : ClaimsJson(ClaimsJson::value_t::discarded);
}

// Cars' names are ids; gateways' names have a capital, so that no car can have the same.
bool is_name(std::string_view name) {
    return !name.empty() && name.size() <= user_name_bytes_max &&
           std::all_of(name.begin(), name.end(), [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
           });
}

base::Result<UserClaims> read(const ClaimsJson& claims) {
    const ClaimsJson nats = member(claims, "nats");
    if (text(nats, "type") != "user")
        return malformed("it is not of type user");
    UserClaims user;
    user.name = text(claims, "name");
    user.public_key = text(claims, "sub");
    if (!is_name(user.name))
        return malformed("its name is not letters, digits, _ and -");
    if (!user.public_key.starts_with('U') || !decode_public_key(user.public_key))
        return malformed("its subject is not a user's public key");
    const auto issued_at = time(claims, "iat");
    if (!issued_at)
        return malformed("it does not say when it was issued");
    user.issued_at = *issued_at;
    user.expires_at = time(claims, "exp");
    if (!user.expires_at && !member(claims, "exp").is_null())
        return malformed("its expiry is not a time");
    const ClaimsJson tags = member(nats, "tags");
    if (!tags.is_null() && !tags.is_array())
        return malformed("its tags are not a list");
    if (tags.size() > user_tags_max)
        return malformed("it has too many tags");
    for (const ClaimsJson& tag : tags) {
        if (!tag.is_string())
            return malformed("a tag is not text");
        user.tags.push_back(tag.get<std::string>());
    }
    return user;
}

}  // namespace

bool UserClaims::has_tag(std::string_view tag) const {
    return std::find(tags.begin(), tags.end(), tag) != tags.end();
}

base::Result<UserClaims> verify_user_jwt(std::string_view jwt, std::string_view account_public_key,
                                         base::WallTime now) {
    if (jwt.size() > user_jwt_bytes_max)
        return malformed("it is too long");
    const std::size_t first = jwt.find('.');
    const std::size_t second = first == jwt.npos ? jwt.npos : jwt.find('.', first + 1);
    if (second == jwt.npos || jwt.find('.', second + 1) != jwt.npos)
        return malformed("it has not three parts");
    const auto signature = base::from_base64url(jwt.substr(second + 1));
    if (!signature)
        return malformed("its signature cannot be read");
    if (!verify(account_public_key, jwt.substr(0, second), *signature)) {
        return base::fail(base::ErrorKind::denied,
                          "the JWT is not signed by this cell's account; enrol with this cell");
    }
    const ClaimsJson header = decoded(jwt.substr(0, first));
    const ClaimsJson claims = decoded(jwt.substr(first + 1, second - first - 1));
    if (header.is_discarded() || claims.is_discarded())
        return malformed("it is not JSON");
    if (text(header, "alg") != "ed25519-nkey" || text(claims, "iss") != account_public_key)
        return malformed("it names another algorithm or issuer");
    base::Result<UserClaims> user = read(claims);
    if (user && user->expires_at && *user->expires_at <= now) {
        return base::fail(base::ErrorKind::denied,
                          "the JWT of '" + user->name + "' has expired; renew it, or enrol again");
    }
    return user;
}

}  // namespace idlewatt::identity
