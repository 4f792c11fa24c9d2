// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "agent_enrol.hpp"

#include "base/durable_file.hpp"
#include "base/log.hpp"
#include "base/loopback.hpp"
#include "http/client.hpp"
#include "wire/admin.hpp"
#include "wire/api_error.hpp"

namespace idlewatt {

namespace {

constexpr std::size_t credentials_bytes_max = 64 * 1024;

base::Result<wire::EnrolAnswer> ask(base::AsioLoop& loop, const CarOptions& options,
                                    const wire::EnrolRequest& request) {
    http::Call call;
    call.url = options.coordinator_url + "/api/v1/enrol";
    call.method = "POST";
    call.headers = {{"content-type", "application/json"}};
    call.body = wire::enrol_request_body(request);
    call.ca_file = options.ca_file;
    const auto answer = http::call_and_wait(loop, std::move(call));
    if (!answer)
        return tl::unexpected(answer.error());
    if (answer->status / 100 == 2)
        return wire::parse_enrol_answer(answer->body);
    const auto refusal = wire::parse_error_body(answer->body);
    const bool denied = answer->status == 401 || answer->status == 403;
    return base::fail(denied ? base::ErrorKind::denied : base::ErrorKind::unavailable,
                      "the coordinator answers " + std::to_string(answer->status) +
                          (refusal ? ": " + refusal->message : ""));
}

}  // namespace

base::Result<agent::Enrolment> enrol(base::AsioLoop& loop, const CarOptions& options) {
    if (options.coordinator_url.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "enrolling needs --coordinator URL, as http(s)://HOST:PORT");
    }
    if (!options.enrolment_token || options.enrolment_token->empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "enrolling needs a one-time token: --token-file FILE, --token-file - for "
                          "stdin, or IDLEWATT_ENROLMENT_TOKEN; an operator makes one with "
                          "'idlewatt vehicle token'");
    }
    const bool encrypted = options.coordinator_url.starts_with("https://");
    if (!encrypted && !base::url_is_loopback(options.coordinator_url) && !options.insecure) {
        return base::fail(base::ErrorKind::bad_input,
                          options.coordinator_url +
                              " is on another machine and not https://: the token could be read on "
                              "the way; use https:// or say --insecure");
    }
    const agent::EnrolmentFolder folder(options.state_dir);
    const auto key = folder.key();
    if (!key)
        return tl::unexpected(key.error());
    auto answer = ask(loop, options, {*options.enrolment_token, key->public_key(), options.name});
    if (!answer)
        return tl::unexpected(answer.error());
    if (auto kept = folder.keep(*answer, options.coordinator_url); !kept)
        return tl::unexpected(kept.error());
    auto enrolment = folder.read();
    if (!enrolment)
        return tl::unexpected(enrolment.error());
    return **enrolment;
}

namespace {

base::Result<Place> place_by_hand(const CarOptions& options) {
    if (options.vehicle.empty() || options.nats_urls.empty() || options.credentials_file.empty()) {
        return base::fail(base::ErrorKind::bad_input,
                          "--vehicle, --nats and --credentials belong together; without all of "
                          "them the car enrols");
    }
    const auto text = base::read_whole(options.credentials_file, credentials_bytes_max);
    if (!text)
        return tl::unexpected(text.error());
    const auto key = identity::key_of_credentials(*text);
    if (!key)
        return tl::unexpected(key.error());
    return Place{options.vehicle, options.cell.value_or("c1"), options.nats_urls,
                 options.credentials_file, *key};
}

}  // namespace

base::Result<Place> find_place(base::AsioLoop& loop, const CarOptions& options) {
    if (!options.vehicle.empty() || !options.credentials_file.empty())
        return place_by_hand(options);
    const agent::EnrolmentFolder folder(options.state_dir);
    auto enrolment = folder.read();
    if (!enrolment)
        return tl::unexpected(enrolment.error());
    if (!*enrolment) {
        auto made = enrol(loop, options);
        if (!made) {
            made.error().message = "this car belongs to no cell yet: " + made.error().message;
            return tl::unexpected(made.error());
        }
        *enrolment = std::move(*made);
    }
    const auto key = folder.key();
    if (!key)
        return tl::unexpected(key.error());
    Place place{(*enrolment)->vehicle.value, (*enrolment)->cell, (*enrolment)->nats_urls,
                folder.credentials_path(), *key};
    place.enrolled = true;
    place.membership = folder.membership();
    auto life = folder.life(**enrolment, loop.wall_now());
    if (life)
        place.life = *life;
    else
        base::log_error("credentials", life.error().message);
    return place;
}

}  // namespace idlewatt
