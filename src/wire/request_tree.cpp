// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests from strangers. What is built of the bytes is bounded by size and depth, so that it is
// never much larger than the body.
#include <array>
#include <set>

#include "wire/chat_text.hpp"
#include "wire/request_checks.hpp"
#include "wire/request_reader.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::size_t word_bytes_max = 32;

ApiError too_much(std::string message) {
    return api_error(ApiErrorCode::invalid_value, std::move(message));
}

// Counts brackets and commas outside of strings: an upper bound of values, depth and members in
// one cheap pass, right for every text that is JSON at all.
class Shape {
public:
    Objection check(std::string_view body) {
        bool in_string = false;
        for (std::size_t i = 0; i < body.size(); ++i) {
            const char c = body[i];
            if (in_string) {
                i += c == '\\' ? 1 : 0;
                in_string = c != '"';
                continue;
            }
            in_string = c == '"';
            if (c != '{' && c != '[' && c != '}' && c != ']' && c != ',')
                continue;
            if (Objection objection = take(c))
                return objection;
        }
        return std::nullopt;
    }

private:
    struct Level {
        bool object = false;
        std::size_t commas = 0;
    };

    Objection take(char c) {
        if (c == '}' || c == ']') {
            depth_ -= depth_ > 0 ? 1 : 0;
            return std::nullopt;
        }
        if (c == ',') {
            Level& level = levels_.at(depth_);
            ++level.commas;
            comparisons_ += level.object ? level.commas : 0;
            if (level.object && level.commas >= request_members_max) {
                return too_much("An object of the body has more than " +
                                std::to_string(request_members_max) + " members.");
            }
            if (comparisons_ > request_comparisons_max)
                return too_much("The body has too many objects with many members.");
        } else if (++depth_ > request_depth_max) {
            return too_much("The body is nested deeper than " + std::to_string(request_depth_max) +
                            " levels.");
        } else {
            levels_.at(depth_) = {c == '{', 0};
        }
        if (++values_ > request_values_max) {
            return too_much("The body holds more than " + std::to_string(request_values_max) +
                            " values. Send fewer or larger messages.");
        }
        return std::nullopt;
    }

    std::array<Level, request_depth_max + 1> levels_{};
    std::size_t depth_ = 0;
    std::size_t values_ = 0;
    std::size_t comparisons_ = 0;  // of names, to build the tree
};

std::string describe(const RequestJson* value) {
    if (value == nullptr)
        return "null";
    switch (value->type()) {
        case RequestJson::value_t::null:
            return "null";
        case RequestJson::value_t::string:
            return "a string";
        case RequestJson::value_t::array:
            return value->empty() ? "an empty array"
                                  : "an array of " + std::to_string(value->size());
        case RequestJson::value_t::object:
            return "an object";
        default:
            return value->dump();
    }
}

}  // namespace

// Two members of one name mean something else to every reader, so they are refused where this
// gateway and the engine both look: at the top.
tl::expected<RequestJson, ApiError> parse_request_tree(std::string_view body) {
    const auto fail = [](ApiErrorCode code, std::string message, std::string param = {}) {
        return tl::unexpected(api_error(code, std::move(message), std::move(param)));
    };
    if (body.size() > core::request_bytes_max)
        return fail(ApiErrorCode::request_too_large, "The body is larger than 16 MiB.");
    if (const auto bad = first_bad_utf8(body)) {
        return fail(ApiErrorCode::bad_json,
                    "The body is not valid UTF-8: see byte " + std::to_string(*bad) + ".");
    }
    if (auto read = read_request(body); read && read->is_object())
        return std::move(*read);
    if (Objection objection = Shape().check(body))
        return tl::unexpected(std::move(*objection));
    std::set<std::string> names;
    std::string repeated;
    const auto watch = [&](int depth, RequestJson::parse_event_t event, RequestJson& parsed) {
        if (event == RequestJson::parse_event_t::key && depth == 1) {
            const auto& name = parsed.get_ref<const std::string&>();
            if (!names.insert(name).second)
                repeated = name;
        }
        return true;
    };
    RequestJson document;
    try {
        document = RequestJson::parse(body.begin(), body.end(), watch);
    } catch (const RequestJson::parse_error& error) {
        return fail(ApiErrorCode::bad_json, "The body is not valid JSON: it breaks at byte " +
                                                std::to_string(error.byte) +
                                                ". Expected one object.");
    } catch (const RequestJson::exception&) {
        return fail(ApiErrorCode::bad_json, "The body holds a number that is out of range.");
    }
    if (!repeated.empty()) {
        return fail(ApiErrorCode::invalid_value, "'" + repeated + "' is given twice. Give it once.",
                    repeated);
    }
    if (!document.is_object()) {
        return fail(ApiErrorCode::invalid_value,
                    "The body must be a JSON object, not " + describe(&document) + ".");
    }
    return document;
}

const RequestJson* field(const RequestJson& object, std::string_view name) {
    const auto* members = object.get_ptr<const RequestJson::object_t*>();
    if (members == nullptr)
        return nullptr;
    for (const auto& [member, value] : *members) {
        if (member == name)
            return value.is_null() ? nullptr : &value;
    }
    return nullptr;
}

ApiError wrong(const std::string& parameter, const std::string& expected,
               const RequestJson* found) {
    return api_error(ApiErrorCode::invalid_value,
                     "'" + parameter + "' must be " + expected + ", not " + describe(found) + ".",
                     parameter);
}

ApiError wrong_word(const std::string& parameter, const std::string& expected,
                    const RequestJson* found) {
    const bool short_word = found != nullptr && found->is_string() &&
                            found->get_ref<const std::string&>().size() <= word_bytes_max;
    if (!short_word)
        return wrong(parameter, expected, found);
    return api_error(
        ApiErrorCode::invalid_value,
        "'" + parameter + "' must be " + expected + ", not '" + found->get<std::string>() + "'.",
        parameter);
}

ApiError unsupported(const std::string& parameter, const std::string& what) {
    return api_error(ApiErrorCode::unsupported_parameter,
                     what + " not supported. Leave out '" + parameter + "'.", parameter);
}

std::string dump(const RequestJson& json) {
    return json.dump(-1, ' ', false, RequestJson::error_handler_t::replace);
}

}  // namespace idlewatt::wire
