// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reading and writing members of the coordinator's JSON. Only for the sources of this module.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "wire/admin.hpp"
#include "wire/request_checks.hpp"

namespace idlewatt::wire {

using AdminJson = RequestJson;

// Takes members out of one object and remembers the first objection. What is absent or null is the
// default, unless it is needed.
class Members {
public:
    // place: what stands before a member's name in errors, as in "limits.".
    Members(const AdminJson& object, std::string place)
        : object_(object), place_(std::move(place)) {}

    [[nodiscard]] std::string text(const char* name, std::size_t bytes_max, bool needed = false);
    // A list of 1 to items_max such texts; needed.
    [[nodiscard]] std::vector<std::string> texts(const char* name, std::size_t items_max,
                                                 std::size_t bytes_max);
    [[nodiscard]] std::string id(const char* name, bool needed = false);
    [[nodiscard]] std::string model(const char* name, bool needed = false);
    [[nodiscard]] std::string sha256(const char* name);
    // Not beyond what every reader of JSON can hold: 2^53.
    [[nodiscard]] std::uint64_t number(const char* name, std::uint64_t min, std::uint64_t max,
                                       std::uint64_t absent);
    [[nodiscard]] std::uint32_t number32(const char* name, std::uint32_t absent = 0) {
        return static_cast<std::uint32_t>(number(name, 0, UINT32_MAX, absent));
    }
    [[nodiscard]] bool flag(const char* name);
    [[nodiscard]] std::optional<base::WallTime> time(const char* name);
    [[nodiscard]] base::WallTime needed_time(const char* name);
    // Calls use with the object of this name, if it is there.
    template <class Use>
    void object(const char* name, bool needed, Use use);
    template <class Use>
    void each(const char* name, std::size_t items_max, Use use);

    void refuse(std::string_view name, const std::string& expected);
    // Of requests: a member that nobody asked for is misspelt.
    void refuse_others();
    [[nodiscard]] const Objection& objection() const { return objection_; }

private:
    const AdminJson* find(const char* name, bool needed, const std::string& expected);
    void join(const Members& inner) {
        if (!objection_)
            objection_ = inner.objection();
    }

    const AdminJson& object_;
    std::string place_;
    std::vector<std::string_view> asked_;
    Objection objection_;
};

inline constexpr std::uint64_t json_number_max = std::uint64_t{1} << 53;

template <class Use>
void Members::object(const char* name, bool needed, Use use) {
    const AdminJson* found = find(name, needed, "an object");
    if (found == nullptr)
        return;
    if (!found->is_object())
        return refuse(name, "an object");
    Members inner(*found, place_ + name + ".");
    use(inner);
    join(inner);
}

template <class Use>
void Members::each(const char* name, std::size_t items_max, Use use) {
    const std::string expected = "an array of at most " + std::to_string(items_max) + " objects";
    const AdminJson* found = find(name, true, expected);
    if (found == nullptr)
        return;
    if (!found->is_array() || found->size() > items_max)
        return refuse(name, expected);
    for (const AdminJson& item : *found) {
        if (!item.is_object())
            return refuse(name, expected);
        Members inner(item, place_ + name + "[].");
        use(inner);
        join(inner);
        if (objection_)
            return;
    }
}

// nullopt: not RFC 3339 in UTC, or before 1970.
[[nodiscard]] std::optional<base::WallTime> parse_rfc3339(std::string_view text);
[[nodiscard]] AdminJson time_or_null(const std::optional<base::WallTime>& time);
[[nodiscard]] AdminJson text_or_null(const std::string& text);

[[nodiscard]] Parsed<AdminJson> admin_request_tree(std::string_view body);
[[nodiscard]] base::Result<AdminJson> admin_answer_tree(std::string_view body);
[[nodiscard]] base::Error unexpected_answer(const ApiError& objection);

// read: Members& → T
template <class Read>
auto parse_admin_request(std::string_view body, Read read)
    -> Parsed<decltype(read(std::declval<Members&>()))> {
    const auto tree = admin_request_tree(body);
    if (!tree)
        return tl::unexpected(tree.error());
    Members members(*tree, "");
    auto value = read(members);
    members.refuse_others();
    if (members.objection())
        return tl::unexpected(*members.objection());
    return value;
}

template <class Read>
auto parse_admin_answer(std::string_view body, Read read)
    -> base::Result<decltype(read(std::declval<Members&>()))> {
    const auto tree = admin_answer_tree(body);
    if (!tree)
        return tl::unexpected(tree.error());
    Members members(*tree, "");
    auto value = read(members);
    if (members.objection())
        return tl::unexpected(unexpected_answer(*members.objection()));
    return value;
}

}  // namespace idlewatt::wire
