// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "core/api_key.hpp"

#include <array>
#include <utility>

namespace idlewatt::core {

namespace {

constexpr std::array role_names{std::pair{KeyRole::customer, std::string_view("customer")},
                                std::pair{KeyRole::fleet_operator, std::string_view("operator")},
                                std::pair{KeyRole::analyst, std::string_view("analyst")}};
constexpr std::array class_names{std::pair{DataClass::any_car, std::string_view("public")},
                                 std::pair{DataClass::own_fleet, std::string_view("own_fleet")},
                                 std::pair{DataClass::refuse, std::string_view("refuse")}};

template <class Table, class Value>
std::string_view name_in(const Table& table, Value value) {
    for (const auto& [known, name] : table) {
        if (known == value)
            return name;
    }
    return {};
}

template <class Value, class Table>
std::optional<Value> value_in(const Table& table, std::string_view name) {
    for (const auto& [value, known] : table) {
        if (known == name)
            return value;
    }
    return std::nullopt;
}

}  // namespace

std::string_view name(KeyRole role) {
    return name_in(role_names, role);
}

std::optional<KeyRole> key_role(std::string_view name) {
    return value_in<KeyRole>(role_names, name);
}

std::string_view name(DataClass data_class) {
    return name_in(class_names, data_class);
}

std::optional<DataClass> data_class(std::string_view name) {
    return value_in<DataClass>(class_names, name);
}

}  // namespace idlewatt::core
