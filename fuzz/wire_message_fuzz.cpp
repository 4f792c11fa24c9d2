// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Messages on the bus: the first byte says which kind the rest is taken for.
#include <array>

#include "fuzz.hpp"
#include "wire/batch.hpp"
#include "wire/cell_samples.hpp"
#include "wire/subject.hpp"

namespace idlewatt::fuzz {

namespace {

using Check = bool (*)(std::string_view bytes);

// What is taken is within its bounds: it goes through encode and decode unchanged.
template <auto decode>
bool check(std::string_view bytes) {
    const auto first = decode(bytes);
    if (!first) {
        require(
            first.error().kind == base::ErrorKind::bad_input && first.error().message.size() < 400,
            "a short error");
        return false;
    }
    const auto again = decode(wire::encode(*first));
    require(again && *again == *first, "what was taken can be sent and taken again");
    return true;
}

bool check_subjects(std::string_view bytes) {
    const auto out = wire::parse_out(bytes);
    const auto vehicle = wire::parse_vehicle(bytes);
    const auto gateway = wire::parse_gateway(bytes);
    require(!out || (core::is_id(out->vehicle.value) && core::is_id(out->attempt.value)), "ids");
    require(!vehicle || core::is_id(vehicle->value), "an id");
    require(!gateway || core::is_id(gateway->value), "an id");
    return out || vehicle || gateway;
}

constexpr std::array<Check, 24> checks{
    check<wire::decode_announcement>,     check<wire::decode_to_car>,
    check<wire::decode_from_car>,         check<wire::decode_work>,
    check<wire::decode_receipt>,          check<wire::decode_receipts>,
    check<wire::decode_receipts_answer>,  check<wire::decode_signal_override>,
    check<wire::decode_order_answer>,     check<wire::decode_delivery>,
    check<wire::decode_delivery_batch>,   check<wire::decode_deliveries_answer>,
    check<wire::decode_key_book_request>, check<wire::decode_key_book_page>,
    check<wire::decode_key_book>,         check<wire::decode_capacity>,
    check<wire::decode_assignment>,       check<wire::decode_renewal>,
    check<wire::decode_demands>,          check_subjects,
    check<wire::decode_batch_ask>,        check<wire::decode_batch_work>,
    check<wire::decode_batch_result>,     check<wire::decode_batch_result_answer>};

wire::BatchItem batch_item(std::uint64_t seed) {
    return {seed,
            "batch_1",
            3,
            core::KeyId("key_1"),
            std::string(wire::batch_endpoints[seed % wire::batch_endpoints.size()]),
            R"({"model":"m","prompt":"a"})"};
}

}  // namespace

bool one_input(std::string_view bytes) {
    if (bytes.empty())
        return false;
    return checks.at(static_cast<unsigned char>(bytes[0]) % checks.size())(bytes.substr(1));
}

std::vector<std::string> seeds() {
    using wire::encode;
    std::vector<std::string> seeds;
    for (const std::uint64_t seed : {1, 2, 3}) {
        wire::CellSamples make(seed);
        char kind = 0;
        for (const std::string& message :
             {encode(make.announcement()),
              encode(make.to_car()),
              encode(make.from_car()),
              encode(make.work()),
              encode(make.receipt()),
              encode(make.batch()),
              encode(make.receipts_answer()),
              encode(make.signal_override()),
              encode(make.order_answer()),
              encode(make.delivery()),
              encode(make.delivery_batch()),
              encode(make.deliveries_answer()),
              encode(make.key_book_request()),
              encode(make.key_book_page()),
              encode(make.key_book()),
              encode(make.capacity()),
              encode(make.assignment()),
              encode(make.renewal()),
              encode(make.demands()),
              wire::Subjects{"c"}.deliveries(core::GatewayId(make.id())),
              encode(wire::BatchAsk{5, {seed, 7}}),
              encode(wire::BatchWork{{batch_item(seed)}, {seed + 1}}),
              encode(wire::BatchResult{seed, "batch_1", 2, 200, "req_1", 0, 1, "{}"}),
              encode(wire::BatchResultAnswer{wire::BatchResultState::send_again})}) {
            seeds.push_back(std::string(1, kind++) + message);
        }
    }
    return seeds;
}

}  // namespace idlewatt::fuzz
