// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/admin_json.hpp"

#include <algorithm>
#include <array>

namespace idlewatt::wire {

namespace {

bool is_plain(std::string_view text) {
    return std::ranges::none_of(
        text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

// Days since 1970-01-01 of the proleptic Gregorian calendar, by Howard Hinnant's method.
std::int64_t days_from_civil(std::int64_t year, std::int64_t month, std::int64_t day) {
    year -= month <= 2 ? 1 : 0;
    const std::int64_t era = year / 400;
    const std::int64_t year_of_era = year - era * 400;
    const std::int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    const std::int64_t day_of_era =
        year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    return era * 146'097 + day_of_era - 719'468;
}

std::int64_t days_of_month(std::int64_t year, std::int64_t month) {
    constexpr std::array<std::int64_t, 12> days{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    const bool leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    return days.at(static_cast<std::size_t>(month - 1)) + (month == 2 && leap ? 1 : 0);
}

}  // namespace

std::optional<base::WallTime> parse_rfc3339(std::string_view text) {
    constexpr std::string_view form = "0000-00-00T00:00:00";
    if (text.size() < form.size() + 1 || text.size() > form.size() + 8 || text.back() != 'Z')
        return std::nullopt;
    const auto digit = [](char c) { return c >= '0' && c <= '9'; };
    for (std::size_t i = 0; i < form.size(); ++i) {
        if (form[i] == '0' ? !digit(text[i]) : text[i] != form[i])
            return std::nullopt;
    }
    const auto number = [&](std::size_t at, std::size_t length) {
        std::int64_t value = 0;
        for (std::size_t i = at; i < at + length; ++i)
            value = value * 10 + (text[i] - '0');
        return value;
    };
    const std::int64_t year = number(0, 4);
    const std::int64_t month = number(5, 2);
    const std::int64_t day = number(8, 2);
    const std::int64_t hour = number(11, 2);
    const std::int64_t minute = number(14, 2);
    const std::int64_t second = number(17, 2);
    if (year < 1970 || month < 1 || month > 12 || day < 1 || day > days_of_month(year, month) ||
        hour > 23 || minute > 59 || second > 59) {
        return std::nullopt;
    }
    std::int64_t us = 0;
    const std::string_view rest = text.substr(form.size(), text.size() - form.size() - 1);
    if (!rest.empty()) {
        if (rest.size() < 2 || rest[0] != '.' || !std::all_of(rest.begin() + 1, rest.end(), digit))
            return std::nullopt;
        us = number(form.size() + 1, rest.size() - 1);
        for (std::size_t i = rest.size() - 1; i < 6; ++i)
            us *= 10;
    }
    const std::int64_t seconds =
        ((days_from_civil(year, month, day) * 24 + hour) * 60 + minute) * 60 + second;
    return base::WallTime{seconds * 1'000'000 + us};
}

const AdminJson* Members::find(const char* name, bool needed, const std::string& expected) {
    asked_.emplace_back(name);
    const AdminJson* found = field(object_, name);
    if (found == nullptr && needed)
        refuse(name, expected);
    return found;
}

void Members::refuse(std::string_view name, const std::string& expected) {
    if (!objection_) {
        objection_ = wrong(place_ + std::string(name), expected, field(object_, name));
    }
}

void Members::refuse_others() {
    if (objection_)
        return;
    for (const auto& [name, value] : object_.items()) {
        if (std::ranges::find(asked_, name) != asked_.end())
            continue;
        std::string known;
        for (const std::string_view asked : asked_)
            known.append(known.empty() ? "" : ", ").append(asked);
        objection_ = api_error(ApiErrorCode::unsupported_parameter,
                               "There is no member '" + place_ + name.substr(0, 64) +
                                   "' here; there are " + known + ".",
                               place_ + name.substr(0, 64));
        return;
    }
}

std::string Members::text(const char* name, std::size_t bytes_max, bool needed) {
    const std::string expected = "a string of " + std::string(needed ? "1 to " : "at most ") +
                                 std::to_string(bytes_max) + " bytes without control characters";
    const AdminJson* found = find(name, needed, expected);
    if (found == nullptr)
        return {};
    if (found->is_string()) {
        const auto& text = found->get_ref<const std::string&>();
        if (text.size() <= bytes_max && is_plain(text) && !(needed && text.empty()))
            return text;
    }
    refuse(name, expected);
    return {};
}

std::vector<std::string> Members::texts(const char* name, std::size_t items_max,
                                        std::size_t bytes_max) {
    const std::string expected =
        "an array of 1 to " + std::to_string(items_max) + " strings without control characters";
    const AdminJson* found = find(name, true, expected);
    std::vector<std::string> texts;
    if (found == nullptr)
        return texts;
    if (found->is_array() && !found->empty() && found->size() <= items_max) {
        for (const AdminJson& item : *found) {
            if (!item.is_string() || item.get_ref<const std::string&>().size() > bytes_max ||
                !is_plain(item.get_ref<const std::string&>())) {
                break;
            }
            texts.push_back(item);
        }
    }
    if (texts.empty() || texts.size() != found->size())
        refuse(name, expected);
    return texts;
}

std::string Members::id(const char* name, bool needed) {
    std::string text = this->text(name, core::id_bytes_max, needed);
    if (!text.empty() && !core::is_id(text)) {
        refuse(name, "1 to 64 characters of [a-z0-9_-]");
        text.clear();
    }
    return text;
}

std::string Members::model(const char* name, bool needed) {
    return text(name, core::model_name_bytes_max, needed);
}

std::string Members::sha256(const char* name) {
    std::string text = this->text(name, 64, true);
    if (!core::is_sha256(text)) {
        refuse(name, "64 hexadecimal digits in lower case");
        text.clear();
    }
    return text;
}

std::uint64_t Members::number(const char* name, std::uint64_t min, std::uint64_t max,
                              std::uint64_t absent) {
    const std::string expected =
        "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
    const AdminJson* found = find(name, false, expected);
    if (found == nullptr)
        return absent;
    if (found->is_number_unsigned()) {
        const auto value = found->get<std::uint64_t>();
        if (value >= min && value <= max)
            return value;
    }
    refuse(name, expected);
    return absent;
}

bool Members::flag(const char* name) {
    const AdminJson* found = find(name, false, "true or false");
    if (found != nullptr && !found->is_boolean())
        refuse(name, "true or false");
    return found != nullptr && found->is_boolean() && found->get<bool>();
}

std::optional<base::WallTime> Members::time(const char* name) {
    const AdminJson* found = find(name, false, "a time");
    if (found == nullptr)
        return std::nullopt;
    if (found->is_string()) {
        if (const auto time = parse_rfc3339(found->get_ref<const std::string&>()))
            return time;
    }
    refuse(name, "a time as in 2026-11-22T10:15:00.250Z");
    return std::nullopt;
}

base::WallTime Members::needed_time(const char* name) {
    const auto time = this->time(name);
    if (!time)
        refuse(name, "a time as in 2026-11-22T10:15:00.250Z");
    return time.value_or(base::WallTime{});
}

AdminJson time_or_null(const std::optional<base::WallTime>& time) {
    return time ? AdminJson(base::to_rfc3339(*time)) : AdminJson();
}

AdminJson text_or_null(const std::string& text) {
    return text.empty() ? AdminJson() : AdminJson(text);
}

Parsed<AdminJson> admin_request_tree(std::string_view body) {
    if (body.size() > admin_request_bytes_max) {
        return tl::unexpected(
            api_error(ApiErrorCode::request_too_large, "The body is larger than 64 KiB."));
    }
    return parse_request_tree(body);
}

base::Result<AdminJson> admin_answer_tree(std::string_view body) {
    if (body.size() > admin_answer_bytes_max) {
        return base::fail(base::ErrorKind::limit_exceeded,
                          "the coordinator's answer is larger than 64 MiB");
    }
    AdminJson tree = AdminJson::parse(body, nullptr, false);
    if (!tree.is_object()) {
        return base::fail(base::ErrorKind::bad_input,
                          "the coordinator's answer is not a JSON object; is this address the "
                          "coordinator's?");
    }
    return tree;
}

base::Error unexpected_answer(const ApiError& objection) {
    return {base::ErrorKind::bad_input,
            "the coordinator's answer is not what was expected: " + objection.message};
}

}  // namespace idlewatt::wire
