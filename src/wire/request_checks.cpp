// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/request_checks.hpp"

#include <algorithm>
#include <array>
#include <limits>

#include "core/announcement.hpp"
#include "wire/checks.hpp"

namespace idlewatt::wire {

namespace {

constexpr std::int64_t int32_max = std::numeric_limits<std::int32_t>::max();

struct Range {
    const char* name;
    double low;
    double high;
    const char* text;
};
constexpr std::array ranges{
    Range{"temperature", 0.0, 2.0, "a number from 0 to 2"},
    Range{"top_p", 0.0, 1.0, "a number from 0 to 1"},
    Range{"presence_penalty", -2.0, 2.0, "a number from -2 to 2"},
    Range{"frequency_penalty", -2.0, 2.0, "a number from -2 to 2"},
};

Objection check_ranges(const RequestJson& document) {
    for (const Range& range : ranges) {
        const RequestJson* value = field(document, range.name);
        if (value == nullptr)
            continue;
        if (!value->is_number() || !(value->get<double>() >= range.low) ||
            !(value->get<double>() <= range.high)) {
            return wrong(range.name, range.text, value);
        }
    }
    return std::nullopt;
}

Objection check_stop(const RequestJson& document) {
    const RequestJson* stop = field(document, "stop");
    if (stop == nullptr)
        return std::nullopt;
    // An empty one would end every answer before its first word.
    const auto is_word = [](const RequestJson& value) {
        return value.is_string() && !value.get_ref<const std::string&>().empty();
    };
    const bool listed = stop->is_array() && !stop->empty() && stop->size() <= stops_max;
    if (is_word(*stop) || (listed && std::ranges::all_of(*stop, is_word)))
        return std::nullopt;
    const std::string expected = "a string or an array of at most " + std::to_string(stops_max) +
                                 " strings, none of them empty";
    if (listed || stop->is_string()) {
        return api_error(ApiErrorCode::invalid_value, "'stop' must be " + expected + ".", "stop");
    }
    return wrong("stop", expected, stop);
}

// llama-server's own fields, which only it reads: what it says of a wrong one is of no use.
enum class ExtraType { number, whole, truth };
struct Extra {
    std::string_view name;
    ExtraType type;
};
constexpr std::array extras{
    Extra{"top_k", ExtraType::whole},
    Extra{"min_p", ExtraType::number},
    Extra{"typical_p", ExtraType::number},
    Extra{"top_n_sigma", ExtraType::number},
    Extra{"xtc_probability", ExtraType::number},
    Extra{"xtc_threshold", ExtraType::number},
    Extra{"dynatemp_range", ExtraType::number},
    Extra{"dynatemp_exponent", ExtraType::number},
    Extra{"repeat_penalty", ExtraType::number},
    Extra{"repeat_last_n", ExtraType::whole},
    Extra{"dry_multiplier", ExtraType::number},
    Extra{"dry_base", ExtraType::number},
    Extra{"dry_allowed_length", ExtraType::whole},
    Extra{"dry_penalty_last_n", ExtraType::whole},
    Extra{"mirostat", ExtraType::whole},
    Extra{"mirostat_tau", ExtraType::number},
    Extra{"mirostat_eta", ExtraType::number},
    Extra{"min_keep", ExtraType::whole},
    Extra{"n_predict", ExtraType::whole},
    Extra{"ignore_eos", ExtraType::truth},
    Extra{"cache_prompt", ExtraType::truth},
};

Objection check_extra(const Extra& extra, const RequestJson& value) {
    const std::string name(extra.name);
    if (extra.type == ExtraType::whole && !is_whole(value, -int32_max, int32_max))
        return wrong(name, "a whole number of 32 bits", &value);
    if (extra.type == ExtraType::number && !value.is_number())
        return wrong(name, "a number", &value);
    if (extra.type == ExtraType::truth && !value.is_boolean())
        return wrong(name, "true or false", &value);
    return std::nullopt;
}

// There are many of them, and a request has few fields.
Objection check_extras(const RequestJson& document) {
    for (const auto& [name, value] : document.get_ref<const RequestJson::object_t&>()) {
        const auto extra = std::ranges::find(extras, std::string_view(name), &Extra::name);
        if (extra == extras.end() || value.is_null())
            continue;
        if (Objection objection = check_extra(*extra, value))
            return objection;
    }
    return std::nullopt;
}

// Engines take it: from token id to bias.
Objection check_logit_bias(const RequestJson& document) {
    const RequestJson* biases = field(document, "logit_bias");
    if (biases == nullptr)
        return std::nullopt;
    const std::string expected = "an object of at most " + std::to_string(logit_biases_max) +
                                 " token ids, each with a number from -100 to 100";
    if (!biases->is_object() || biases->size() > logit_biases_max)
        return wrong("logit_bias", expected, biases);
    for (const auto& [token, bias] : biases->items()) {
        const bool is_token = !token.empty() && token.size() <= 9 &&
                              token.find_first_not_of("0123456789") == std::string::npos;
        if (!is_token || !bias.is_number() || !(bias.get<double>() >= -100.0) ||
            !(bias.get<double>() <= 100.0)) {
            return wrong("logit_bias", expected, &bias);
        }
    }
    return std::nullopt;
}

}  // namespace

Objection check_boolean(const RequestJson& object, const char* name) {
    const RequestJson* value = field(object, name);
    if (value == nullptr || value->is_boolean())
        return std::nullopt;
    return wrong(name, "true or false", value);
}

bool is_true(const RequestJson& object, const char* name) {
    const RequestJson* value = field(object, name);
    return value != nullptr && value->is_boolean() && value->get<bool>();
}

bool is_whole(const RequestJson& value, std::int64_t min, std::int64_t max) {
    if (!value.is_number_integer())
        return false;
    if (value.is_number_unsigned() &&
        value.get<std::uint64_t>() >
            static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
        return false;
    }
    const auto number = value.get<std::int64_t>();
    return number >= min && number <= max;
}

bool is_one_of(const RequestJson& value, std::span<const std::string_view> names) {
    return value.is_string() &&
           std::ranges::find(names, value.get_ref<const std::string&>()) != names.end();
}

bool is_function_name(const RequestJson& value) {
    if (!value.is_string())
        return false;
    const auto& name = value.get_ref<const std::string&>();
    return !name.empty() && name.size() <= function_name_bytes_max &&
           std::ranges::all_of(name, [](char c) {
               return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                      c == '_' || c == '-';
           });
}

Objection read_addressing(const RequestJson& document, ApiRequest& request) {
    if (const RequestJson* model = field(document, "model")) {
        if (!model->is_string() || !(model->get_ref<const std::string&>().empty() ||
                                     is_model_name(model->get_ref<const std::string&>()))) {
            return wrong("model",
                         "a string of at most " + std::to_string(core::model_name_bytes_max) +
                             " bytes without control characters",
                         model);
        }
        request.model = model->get<std::string>();
    }
    if (const RequestJson* given = field(document, "data_class")) {
        if (given->is_string())
            request.data_class = core::data_class(given->get_ref<const std::string&>());
        if (!request.data_class)
            return wrong("data_class", "public, own_fleet or refuse", given);
    }
    return std::nullopt;
}

Objection read_sampling(const RequestJson& document, ApiRequest& request) {
    for (const auto check : {&check_ranges, &check_stop, &check_extras, &check_logit_bias}) {
        if (Objection objection = check(document))
            return objection;
    }
    if (const RequestJson* seed = field(document, "seed")) {
        if (!is_whole(*seed, std::numeric_limits<std::int64_t>::min(),
                      std::numeric_limits<std::int64_t>::max())) {
            return wrong("seed", "a whole number of 64 bits", seed);
        }
        request.seed = seed->get<std::int64_t>();
    }
    return std::nullopt;
}

Objection read_delivery(const RequestJson& document, ApiRequest& request) {
    constexpr std::array<std::string_view, 6> tiers{"auto",  "default",  "flex",
                                                    "scale", "priority", "fast"};
    if (const RequestJson* n = field(document, "n")) {
        if (!is_whole(*n, 1, int32_max))
            return wrong("n", "a positive whole number", n);
        if (!is_whole(*n, 1, choices_max))
            return unsupported("n", "More than " + std::to_string(choices_max) + " choices are");
        request.n = n->get<std::uint32_t>();
    }
    if (const RequestJson* tier = field(document, "service_tier")) {
        if (!is_one_of(*tier, tiers))
            return wrong_word("service_tier", "auto, default, flex, scale, priority or fast", tier);
        request.service_tier = tier->get<std::string>();
    }
    if (Objection objection = check_boolean(document, "stream"))
        return objection;
    request.stream = is_true(document, "stream");
    const RequestJson* options = field(document, "stream_options");
    if (options == nullptr)
        return std::nullopt;
    if (!options->is_object())
        return wrong("stream_options", "an object", options);
    if (!request.stream) {
        return api_error(ApiErrorCode::invalid_value,
                         "'stream_options' is only allowed when 'stream' is true.",
                         "stream_options");
    }
    for (const char* name : {"include_usage", "include_obfuscation"}) {
        const RequestJson* value = field(*options, name);
        if (value != nullptr && !value->is_boolean())
            return wrong("stream_options." + std::string(name), "true or false", value);
    }
    request.include_usage = is_true(*options, "include_usage");
    return std::nullopt;
}

Objection read_token_limit(const RequestJson& document, ApiRequest& request) {
    const RequestJson* newer = field(document, "max_completion_tokens");
    const RequestJson* older = field(document, "max_tokens");
    for (const RequestJson* limit : {newer, older}) {
        if (limit != nullptr && !is_whole(*limit, 1, int32_max)) {
            return wrong(limit == newer ? "max_completion_tokens" : "max_tokens",
                         "a positive whole number", limit);
        }
    }
    if (newer != nullptr && older != nullptr && *newer != *older) {
        return api_error(ApiErrorCode::invalid_value,
                         "'max_tokens' and 'max_completion_tokens' differ. Give only the latter.",
                         "max_tokens");
    }
    if (newer != nullptr || older != nullptr)
        request.max_tokens = (newer != nullptr ? newer : older)->get<std::uint32_t>();
    return std::nullopt;
}

Objection append_works(RequestJson& document, ApiRequest& request) {
    if (document.contains("n"))
        document["n"] = 1;
    std::size_t bytes = 0;
    for (const std::string& work : request.works)
        bytes += work.size();
    for (std::uint32_t choice = 0; choice < request.n; ++choice) {
        // The same seed would give the same answer n times.
        if (request.seed && request.n > 1)
            document["seed"] = static_cast<std::int64_t>(
                (static_cast<std::uint64_t>(*request.seed) + choice) & 0x7fff'ffff'ffff'ffffULL);
        request.works.push_back(dump(document));
        bytes += request.works.back().size();
        if (bytes > works_bytes_max || request.works.size() > works_max ||
            request.works.back().size() > core::request_bytes_max) {
            return api_error(ApiErrorCode::request_too_large,
                             "All choices together are larger than 32 MiB or more than " +
                                 std::to_string(works_max) + ". Ask for fewer in one request.");
        }
    }
    return std::nullopt;
}

}  // namespace idlewatt::wire
