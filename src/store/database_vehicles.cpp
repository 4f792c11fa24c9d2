// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Cars and the tokens that let them in.
#include "store/row.hpp"

namespace idlewatt::store {

namespace {

struct VehicleRow {
    static constexpr const char* table = "vehicle";
    std::string id, public_key, label, fleet;
    long long enrolled_at_us = 0;
    long long paused = 0;
    long long draining = 0;
    long long revoked_at_us = 0;
    long long jwt_expires_at_us = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("public_key", public_key), f("label", label), f("fleet", fleet);
        f("enrolled_at_us", enrolled_at_us), f("paused", paused), f("draining", draining);
        f("revoked_at_us", revoked_at_us), f("jwt_expires_at_us", jwt_expires_at_us);
    }
};

VehicleRow to_row(const Vehicle& vehicle) {
    VehicleRow row;
    row.id = vehicle.id.value;
    row.public_key = vehicle.public_key;
    row.label = vehicle.label;
    row.fleet = vehicle.fleet;
    row.enrolled_at_us = vehicle.enrolled_at.us;
    row.paused = vehicle.paused ? 1 : 0;
    row.draining = vehicle.draining ? 1 : 0;
    row.revoked_at_us = us_or_zero(vehicle.revoked_at);
    row.jwt_expires_at_us = vehicle.jwt_expires_at.us;
    return row;
}

Vehicle from_row(const VehicleRow& row) {
    return {core::VehicleId(row.id),
            row.public_key,
            base::WallTime{row.enrolled_at_us},
            row.label,
            row.fleet,
            row.paused != 0,
            row.draining != 0,
            time_or_none(row.revoked_at_us),
            base::WallTime{row.jwt_expires_at_us}};
}

struct EnrolmentRow {
    static constexpr const char* table = "enrolment";
    std::string id, token_sha256, label, fleet, vehicle;
    long long created_at_us = 0;
    long long expires_at_us = 0;
    long long used_at_us = 0;
    long long revoked_at_us = 0;

    template <class F>
    void each(F f) {
        f("id", id), f("token_sha256", token_sha256), f("label", label), f("fleet", fleet);
        f("created_at_us", created_at_us), f("expires_at_us", expires_at_us);
        f("used_at_us", used_at_us), f("vehicle", vehicle), f("revoked_at_us", revoked_at_us);
    }
};

Enrolment from_row(const EnrolmentRow& row) {
    return {row.id,
            row.token_sha256,
            row.label,
            row.fleet,
            base::WallTime{row.created_at_us},
            base::WallTime{row.expires_at_us},
            time_or_none(row.used_at_us),
            core::VehicleId(row.vehicle),
            time_or_none(row.revoked_at_us)};
}

tl::unexpected<base::Error> denied(const char* why) {
    return base::fail(base::ErrorKind::denied, std::string("the car cannot be enrolled: ") + why);
}

// In the claim's transaction, the token being used up.
base::Result<Vehicle> make_vehicle(soci::session& sql, const EnrolmentClaim& claim,
                                   const EnrolmentRow& token) {
    const auto known = select<VehicleRow>(sql, "WHERE public_key = :value", claim.public_key);
    Vehicle vehicle{{}, claim.public_key, claim.now};
    if (!known.empty()) {
        vehicle = from_row(known.front());
        if (vehicle.revoked_at)
            return denied("its key has been revoked; make it a new one");
    }
    vehicle.label = claim.label.empty() ? token.label : claim.label;
    vehicle.fleet = token.fleet;
    vehicle.jwt_expires_at = claim.jwt_expires_at;
    if (!known.empty()) {
        insert(sql, to_row(vehicle), or_replace<VehicleRow>());
        return vehicle;
    }
    for (const core::VehicleId& id : claim.ids) {
        vehicle.id = id;
        if (insert(sql, to_row(vehicle), or_nothing))
            return vehicle;
    }
    return denied("no free id was found for it; try again");
}

// The winner of this token asks again.
base::Result<Vehicle> claimed_before(soci::session& sql, const EnrolmentClaim& claim) {
    const auto tokens =
        select<EnrolmentRow>(sql, "WHERE token_sha256 = :value", claim.token_sha256);
    if (tokens.empty())
        return denied("the token is unknown");
    const EnrolmentRow& token = tokens.front();
    if (token.revoked_at_us != 0)
        return denied("the token was withdrawn");
    if (token.expires_at_us <= claim.now.us)
        return denied("the token is too old");
    const auto cars = select<VehicleRow>(sql, "WHERE id = :value", token.vehicle);
    if (cars.empty() || cars.front().public_key != claim.public_key)
        return denied("the token has been used by another car");
    if (cars.front().revoked_at_us != 0)
        return denied("its key has been revoked; make it a new one");
    return from_row(cars.front());
}

}  // namespace

base::Result<void> Database::put_vehicle(const Vehicle& vehicle) {
    return guarded("write a vehicle",
                   [&] { insert(*session_, to_row(vehicle), or_replace<VehicleRow>()); });
}

base::Result<std::vector<Vehicle>> Database::list_vehicles() {
    return guarded("list the vehicles", [this] {
        std::vector<Vehicle> all;
        for (const VehicleRow& row : select<VehicleRow>(*session_, "ORDER BY id"))
            all.push_back(from_row(row));
        return all;
    });
}

base::Result<void> Database::add_enrolment(const Enrolment& enrolment) {
    return guarded("write an enrolment token", [&] {
        EnrolmentRow row;
        row.id = enrolment.id;
        row.token_sha256 = enrolment.token_sha256;
        row.label = enrolment.label;
        row.fleet = enrolment.fleet;
        row.vehicle = enrolment.vehicle.value;
        row.created_at_us = enrolment.created_at.us;
        row.expires_at_us = enrolment.expires_at.us;
        row.used_at_us = us_or_zero(enrolment.used_at);
        row.revoked_at_us = us_or_zero(enrolment.revoked_at);
        insert(*session_, row, or_nothing);
    });
}

base::Result<std::vector<Enrolment>> Database::list_enrolments() {
    return guarded("list the enrolment tokens", [this] {
        std::vector<Enrolment> all;
        for (const EnrolmentRow& row : select<EnrolmentRow>(*session_, "ORDER BY id"))
            all.push_back(from_row(row));
        return all;
    });
}

base::Result<Enrolment> Database::revoke_enrolment(const std::string& id, base::WallTime at) {
    return guarded("withdraw an enrolment token", [&]() -> base::Result<Enrolment> {
        const long long at_us = at.us;
        change(*session_,
               "UPDATE enrolment SET revoked_at_us = :at WHERE id = :id AND revoked_at_us = 0",
               soci::use(at_us, "at"), soci::use(id, "id"));
        const auto rows = select<EnrolmentRow>(*session_, "WHERE id = :value", id);
        if (rows.empty())
            return base::fail(base::ErrorKind::not_found, "no enrolment token has this id");
        return from_row(rows.front());
    });
}

base::Result<Vehicle> Database::claim_enrolment(const EnrolmentClaim& claim) {
    return guarded("enrol a vehicle", [&]() -> base::Result<Vehicle> {
        const long long now_us = claim.now.us;
        soci::transaction transaction(*session_);
        // Whoever comes second waits here for the first one's end, and then finds it used.
        const long long taken =
            change(*session_,
                   "UPDATE enrolment SET used_at_us = :used WHERE token_sha256 = :token"
                   " AND used_at_us = 0 AND revoked_at_us = 0 AND expires_at_us > :now",
                   soci::use(now_us, "used"), soci::use(claim.token_sha256, "token"),
                   soci::use(now_us, "now"));
        if (taken == 0)
            return claimed_before(*session_, claim);
        const auto token =
            select<EnrolmentRow>(*session_, "WHERE token_sha256 = :value", claim.token_sha256);
        base::Result<Vehicle> vehicle = make_vehicle(*session_, claim, token.at(0));
        if (!vehicle)
            return vehicle;  // nothing is committed: the token is as it was
        change(*session_, "UPDATE enrolment SET vehicle = :vehicle WHERE token_sha256 = :token",
               soci::use(vehicle->id.value, "vehicle"), soci::use(claim.token_sha256, "token"));
        transaction.commit();
        return vehicle;
    });
}

}  // namespace idlewatt::store
