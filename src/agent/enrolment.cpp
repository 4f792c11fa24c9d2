// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent/enrolment.hpp"

#include <nlohmann/json.hpp>

#include "base/durable_file.hpp"
#include "identity/user_claims.hpp"

namespace idlewatt::agent {

namespace {

using Json = nlohmann::ordered_json;

constexpr std::size_t state_file_bytes_max = 64 * 1024;

std::string text(const Json& object, const char* name) {
    const auto found = object.find(name);
    return found != object.end() && found->is_string() ? found->get<std::string>() : std::string{};
}

base::Result<Enrolment> parse(const std::string& bytes, const std::string& path) {
    const Json json = Json::parse(bytes, nullptr, false);
    Enrolment enrolment;
    if (json.is_object()) {
        enrolment.vehicle = core::VehicleId(text(json, "vehicle"));
        enrolment.cell = text(json, "cell");
        enrolment.coordinator_url = text(json, "coordinator_url");
        enrolment.account_public_key = text(json, "account_public_key");
        const auto urls = json.find("nats_urls");
        if (urls != json.end() && urls->is_array()) {
            for (const Json& url : *urls) {
                if (url.is_string())
                    enrolment.nats_urls.push_back(url.get<std::string>());
            }
        }
    }
    if (!core::is_id(enrolment.vehicle.value) || !core::is_id(enrolment.cell) ||
        enrolment.nats_urls.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          path + ": not an enrolment of a car; remove it and enrol again");
    }
    return enrolment;
}

}  // namespace

base::Result<std::optional<Enrolment>> EnrolmentFolder::read() const {
    const std::string path = path_ + "/enrolment.json";
    const auto bytes = base::read_whole(path, state_file_bytes_max);
    if (!bytes && bytes.error().kind == base::ErrorKind::not_found)
        return std::nullopt;
    if (!bytes)
        return tl::unexpected(bytes.error());
    auto enrolment = parse(*bytes, path);
    if (!enrolment)
        return tl::unexpected(enrolment.error());
    return std::optional<Enrolment>(std::move(*enrolment));
}

base::Result<identity::KeyPair> EnrolmentFolder::key() const {
    const std::string path = path_ + "/car.seed";
    const auto seed = base::read_whole(path, state_file_bytes_max);
    if (seed)
        return identity::KeyPair::from_seed(*seed);
    if (seed.error().kind != base::ErrorKind::not_found)
        return tl::unexpected(seed.error());
    identity::KeyPair made = identity::KeyPair::generate(identity::KeyKind::user);
    if (auto kept = base::write_durably(path, made.seed()); !kept)
        return tl::unexpected(kept.error());
    return made;
}

base::Result<void> EnrolmentFolder::keep(const wire::EnrolAnswer& answer,
                                         const std::string& coordinator_url) const {
    if (auto kept = keep_credentials(answer.user_jwt, answer.membership); !kept)
        return kept;
    Json json;
    json["vehicle"] = answer.vehicle.value;
    json["cell"] = answer.cell;
    json["nats_urls"] = answer.nats_urls;
    json["coordinator_url"] = coordinator_url;
    json["account_public_key"] = answer.account_public_key;
    return base::write_durably(path_ + "/enrolment.json",
                               json.dump(2, ' ', false, Json::error_handler_t::replace) + '\n');
}

base::Result<void> EnrolmentFolder::keep(const wire::Renewal& renewal) const {
    return keep_credentials(renewal.user_jwt, renewal.membership);
}

base::Result<void> EnrolmentFolder::keep_credentials(const std::string& user_jwt,
                                                     const std::string& membership) const {
    const auto car = key();
    if (!car)
        return tl::unexpected(car.error());
    // The membership first: it is of no use to anybody else, and the JWT says that both are there.
    if (auto kept = base::write_durably(path_ + "/membership", membership); !kept)
        return kept;
    return base::write_durably(credentials_path(), identity::credentials(user_jwt, car->seed()));
}

base::Result<std::string> EnrolmentFolder::user_jwt() const {
    const auto text = base::read_whole(credentials_path(), state_file_bytes_max);
    if (!text)
        return tl::unexpected(text.error());
    return identity::user_jwt_of_credentials(*text);
}

std::string EnrolmentFolder::membership() const {
    return base::read_whole(path_ + "/membership", core::membership_bytes_max).value_or("");
}

base::Result<std::optional<CredentialsLife>> EnrolmentFolder::life(const Enrolment& enrolment,
                                                                   base::WallTime now) const {
    const auto jwt = user_jwt();
    if (!jwt)
        return tl::unexpected(jwt.error());
    const auto claims = identity::verify_user_jwt(*jwt, enrolment.account_public_key, now);
    if (!claims)
        return tl::unexpected(claims.error());
    if (!claims->expires_at)
        return std::nullopt;
    return std::optional<CredentialsLife>({claims->issued_at, *claims->expires_at});
}

}  // namespace idlewatt::agent
