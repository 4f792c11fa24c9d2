// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds announcement_bounds{"Announcement", 16 * 1024, core::announced_models_max + 24};
constexpr base::Duration stay_max = base::minutes(365 * 24 * 60);

// It goes into every answer as it is.
bool is_fingerprint(std::string_view text) {
    return text.size() <= core::fingerprint_bytes_max &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void check_stay(const v1::StayForecast& stay, Checks& checks) {
    checks.that(stay.p10_ns() >= 0 && stay.p10_ns() <= stay.p50_ns() &&
                    stay.p50_ns() <= stay.p90_ns() && stay.p90_ns() <= stay_max.ns,
                "stay", "three rising times of at most a year");
}

}  // namespace

std::string encode(const core::Announcement& announcement) {
    v1::Announcement out;
    out.set_vehicle(announcement.vehicle.value);
    out.set_incarnation(announcement.incarnation.value);
    out.set_sequence(announcement.sequence);
    out.set_reason(to_wire(announcement.reason));
    out.set_allowed_w(announcement.allowed_w);
    if (announcement.state_of_charge_percent) {
        out.set_state_of_charge_percent(*announcement.state_of_charge_percent);
    }
    for (const std::string& model : announcement.models)
        out.add_models(model);
    out.set_slots_total(announcement.slots_total);
    out.set_slots_free(announcement.slots_free);
    out.set_tokens_per_second(announcement.tokens_per_second);
    out.set_context_tokens(announcement.context_tokens);
    out.set_embeddings(announcement.embeddings);
    out.set_image_input(announcement.image_input);
    if (announcement.stay) {
        out.mutable_stay()->set_p10_ns(announcement.stay->p10.ns);
        out.mutable_stay()->set_p50_ns(announcement.stay->p50.ns);
        out.mutable_stay()->set_p90_ns(announcement.stay->p90.ns);
    }
    out.set_membership(announcement.membership);
    out.set_fingerprint(announcement.fingerprint);
    return out.SerializeAsString();
}

base::Result<core::Announcement> decode_announcement(std::string_view bytes) {
    v1::Announcement in;
    if (base::Result<void> parsed = parse(in, bytes, announcement_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(announcement_bounds.message);
    const std::optional<core::Reason> reason = from_wire(in.reason());
    checks.id("vehicle", in.vehicle());
    checks.that(reason.has_value(), "reason", "one of api/reasons.toml");
    checks.real("allowed_w", in.allowed_w(), 0, 1e6);
    checks.real("state_of_charge_percent", in.state_of_charge_percent(), 0, 100);
    checks.number("the number of models", static_cast<std::size_t>(in.models_size()), 0,
                  core::announced_models_max);
    for (const std::string& model : in.models())
        checks.model("models", model);
    checks.number("slots_total", in.slots_total(), 0, core::slots_max);
    checks.number("slots_free", in.slots_free(), 0, in.slots_total());
    checks.real("tokens_per_second", in.tokens_per_second(), 0, 1e9);
    check_stay(in.stay(), checks);
    checks.number("membership's length", in.membership().size(), 0, core::membership_bytes_max);
    checks.that(is_fingerprint(in.fingerprint()), "fingerprint",
                "at most 16 hexadecimal digits in small letters");
    if (!checks.ok())
        return checks.error();

    core::Announcement announcement;
    announcement.vehicle = core::VehicleId(std::move(*in.mutable_vehicle()));
    announcement.incarnation = core::Incarnation(in.incarnation());
    announcement.sequence = in.sequence();
    announcement.reason = *reason;
    announcement.allowed_w = in.allowed_w();
    if (in.has_state_of_charge_percent()) {
        announcement.state_of_charge_percent = in.state_of_charge_percent();
    }
    announcement.models.assign(in.models().begin(), in.models().end());
    announcement.slots_total = in.slots_total();
    announcement.slots_free = in.slots_free();
    announcement.tokens_per_second = in.tokens_per_second();
    announcement.context_tokens = in.context_tokens();
    announcement.embeddings = in.embeddings();
    announcement.image_input = in.image_input();
    if (in.has_stay()) {
        announcement.stay = core::StayForecast{base::Duration{in.stay().p10_ns()},
                                               base::Duration{in.stay().p50_ns()},
                                               base::Duration{in.stay().p90_ns()}};
    }
    announcement.membership = std::move(*in.mutable_membership());
    announcement.fingerprint = std::move(*in.mutable_fingerprint());
    return announcement;
}

}  // namespace idlewatt::wire
