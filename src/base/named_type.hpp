// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// A distinct type around a plain value, so that two ids cannot be swapped.
//   using VehicleId = base::NamedType<std::string, struct VehicleIdTag>;
#pragma once

#include <compare>
#include <cstddef>
#include <functional>
#include <utility>

namespace idlewatt::base {

template <class T, class Tag>
struct NamedType {
    T value{};

    NamedType() = default;
    explicit NamedType(T v) : value(std::move(v)) {}

    friend auto operator<=>(const NamedType&, const NamedType&) = default;
};

}  // namespace idlewatt::base

template <class T, class Tag>
struct std::hash<idlewatt::base::NamedType<T, Tag>> {
    std::size_t operator()(const idlewatt::base::NamedType<T, Tag>& named) const {
        return std::hash<T>{}(named.value);
    }
};
