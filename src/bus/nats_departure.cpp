// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "bus/nats_departure.hpp"

#include <string>

#include <nlohmann/json.hpp>

#include "base/encoding.hpp"

namespace idlewatt::bus {

namespace {

std::string text_of(const nlohmann::json& object, const char* key) {
    const auto found = object.find(key);
    if (found == object.end() || !found->is_string())
        return {};
    return found->get<std::string>();
}

// What stands in the JWT of a user whom the server has let in is what the server has checked.
std::string name_in_jwt(std::string_view jwt) {
    const std::size_t first = jwt.find('.');
    const std::size_t second = jwt.find('.', first + 1);
    if (first == std::string_view::npos || second == std::string_view::npos)
        return {};
    const auto text = base::from_base64url(jwt.substr(first + 1, second - first - 1));
    if (!text)
        return {};
    const nlohmann::json claims = nlohmann::json::parse(*text, nullptr, false);
    return claims.is_object() ? text_of(claims, "name") : std::string{};
}

}  // namespace

std::optional<Departure> parse_departure(std::string_view payload) {
    const nlohmann::json event = nlohmann::json::parse(payload, nullptr, false);
    if (!event.is_object())
        return std::nullopt;
    const auto client = event.find("client");
    if (client == event.end() || !client->is_object())
        return std::nullopt;
    // Of one whom it has refused, the server repeats all words unchecked, but knows neither user
    // nor issuer.
    if (text_of(*client, "user").empty() || text_of(*client, "issuer_key").empty())
        return std::nullopt;
    // name_tag is the account's name, and name what the connection says of itself: the only place
    // of the user's true name is the JWT.
    Departure departure{name_in_jwt(text_of(*client, "jwt")), text_of(*client, "name")};
    if (departure.name.empty())
        return std::nullopt;
    return departure;
}

}  // namespace idlewatt::bus
