// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include <array>
#include <limits>

#include "wire.pb.h"
#include "wire/checks.hpp"
#include "wire/enums.hpp"
#include "wire/wire.hpp"

namespace idlewatt::wire {

namespace {

constexpr Bounds override_bounds{"SignalOverride", 1024, core::signal_count};
constexpr Bounds order_answer_bounds{"OrderAnswer", error_text_bytes_max + 64, 4};
constexpr double any = std::numeric_limits<double>::max();

}  // namespace

std::string encode(const SignalOverride& order) {
    v1::SignalOverride out;
    for (const auto& [signal, value] : order.values) {
        v1::SignalValue& message = *out.add_values();
        message.set_signal(to_wire(signal));
        if (value)
            message.set_value(*value);
    }
    return out.SerializeAsString();
}

base::Result<SignalOverride> decode_signal_override(std::string_view bytes) {
    v1::SignalOverride in;
    if (base::Result<void> parsed = parse(in, bytes, override_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(override_bounds.message);
    std::array<bool, core::signal_count> seen{};
    SignalOverride order;
    for (const v1::SignalValue& message : in.values()) {
        const std::optional<core::SignalId> signal = from_wire(message.signal());
        checks.that(signal.has_value(), "values.signal", "a Signal of this version");
        // Nonsense such as a charge of 150 % passes: the car itself must know it for what it is.
        checks.real("values.value", message.value(), -any, any);
        if (!signal)
            break;
        bool& named = seen.at(static_cast<std::size_t>(*signal));
        checks.that(!named, "values.signal", "each signal at most once");
        named = true;
        order.values.emplace_back(
            *signal, message.has_value() ? std::optional(message.value()) : std::nullopt);
    }
    if (!checks.ok())
        return checks.error();
    return order;
}

std::string encode(const OrderAnswer& answer) {
    v1::OrderAnswer out;
    out.set_error(std::string(cut_to_fit(answer.error, error_text_bytes_max)));
    return out.SerializeAsString();
}

base::Result<OrderAnswer> decode_order_answer(std::string_view bytes) {
    v1::OrderAnswer in;
    if (base::Result<void> parsed = parse(in, bytes, order_answer_bounds); !parsed) {
        return tl::unexpected(parsed.error());
    }
    Checks checks(order_answer_bounds.message);
    checks.number("error's length", in.error().size(), 0, error_text_bytes_max);
    if (!checks.ok())
        return checks.error();
    return OrderAnswer{std::move(*in.mutable_error())};
}

}  // namespace idlewatt::wire
