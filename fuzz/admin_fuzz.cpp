// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// JSON of the coordinator's interface, requests and answers, and of the gateway's own.
#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "wire/admin.hpp"
#include "wire/api_samples.hpp"
#include "wire/fleet.hpp"
#include "wire/models.hpp"
#include "wire/notice.hpp"

namespace idlewatt::fuzz {

namespace {

using nlohmann::json;

// A request: what is taken is written and read again unchanged, what is refused gets its object.
template <class Parse, class Write>
bool request(std::string_view bytes, Parse parse, Write write) {
    const auto first = parse(bytes);
    if (!first) {
        const json body = json::parse(wire::error_body(first.error()), nullptr, false);
        require(body.is_object() && body["error"].size() == 4, "an error object");
        return false;
    }
    const auto again = parse(write(*first));
    require(again && *again == *first, "what was taken can be written and read again");
    return true;
}

template <class Parse, class Write>
bool answer(std::string_view bytes, Parse parse, Write write) {
    const auto first = parse(bytes);
    if (!first) {
        require(!first.error().message.empty(), "an error has words");
        return false;
    }
    require(static_cast<bool>(parse(write(*first))), "what was taken can be read again");
    return true;
}

}  // namespace

bool one_input(std::string_view bytes) {
    using namespace wire;
    bool taken = false;
    taken |= request(bytes, parse_key_order, key_order_body);
    taken |= request(bytes, parse_model_order, registered_model_body);
    taken |= request(bytes, parse_enrolment_order, enrolment_order_body);
    taken |= request(bytes, parse_enrol_request, enrol_request_body);
    taken |= answer(bytes, parse_key_created, key_created_body);
    taken |= answer(bytes, parse_keys_body, keys_body);
    taken |= answer(bytes, parse_registered_models, registered_models_body);
    taken |= answer(bytes, parse_enrolment_created, enrolment_created_body);
    taken |= answer(bytes, parse_enrolments_body, enrolments_body);
    taken |= answer(bytes, parse_enrol_answer, enrol_answer_body);
    taken |= answer(bytes, parse_enrolled_vehicles, enrolled_vehicles_body);
    taken |= answer(bytes, parse_signal_order, signal_order_body);
    taken |= answer(bytes, parse_notice_order, notice_order_body);
    taken |= answer(bytes, parse_models_body, [](const auto& rows) { return models_body(rows); });
    taken |= answer(bytes, parse_vehicles_body, vehicles_body);
    taken |= parse_error_body(bytes).has_value();
    return taken;
}

std::vector<std::string> seeds() {
    using namespace wire;
    ApiSamples make(1);
    return {key_order_body(make.key_order()),
            registered_model_body([&] {
                core::Model model = make.json_model();
                model.added_at = {};
                return model;
            }()),
            enrolment_order_body(make.enrolment_order()),
            enrol_request_body(make.enrol_request()),
            key_created_body(make.key_created()),
            keys_body({make.key(), make.key()}),
            registered_models_body({make.registered_model()}),
            enrolment_created_body(make.enrolment_created()),
            enrolments_body({make.enrolment(), make.enrolment()}),
            enrol_answer_body(make.enrol_answer()),
            enrolled_vehicles_body({make.enrolled_vehicle()}),
            R"({"occupied": true, "state_of_charge_percent": 17.5, "locked": "missing"})",
            notice_order_body({"Somebody gets in.", base::seconds(5)}),
            models_body(std::vector{ModelRow{"m", {}}}),
            vehicles_body(std::vector<VehicleRow>(1)),
            error_body(api_error(ApiErrorCode::conflict, "It exists."))};
}

}  // namespace idlewatt::fuzz
