// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_form.hpp"

#include <algorithm>

#include "engine/memory_hash.hpp"

namespace idlewatt::engine {

namespace {

constexpr int depth_max = 12;

class Maker {
public:
    Maker(const Json& root, std::uint64_t seed) : root_(root), seed_(seed) {}

    Json make(const Json& schema, int depth) {
        if (depth > depth_max || !schema.is_object())
            return nullptr;
        if (schema.contains("const"))
            return schema["const"];
        if (const Json& values = member(schema, "enum"); values.is_array() && !values.empty())
            return values[next() % values.size()];
        if (const Json& reference = member(schema, "$ref"); reference.is_string())
            return make(resolve(reference.get<std::string>()), depth + 1);
        for (const char* name : {"anyOf", "oneOf"}) {
            if (const Json& choices = member(schema, name); choices.is_array() && !choices.empty())
                return make(choices[next() % choices.size()], depth + 1);
        }
        if (const Json& parts = member(schema, "allOf"); parts.is_array())
            return merged(schema, parts, depth);
        return of_type(type_of(schema), schema, depth);
    }

private:
    std::uint64_t next() { return seed_ = memory_mix(seed_); }

    [[nodiscard]] const Json& resolve(const std::string& reference) const {
        static const Json none;
        if (reference == "#")
            return root_;
        if (!reference.starts_with("#/"))
            return none;
        const Json::json_pointer pointer(reference.substr(1));
        return root_.contains(pointer) ? root_.at(pointer) : none;
    }

    [[nodiscard]] static std::string type_of(const Json& schema) {
        const Json& type = member(schema, "type");
        if (type.is_array() && !type.empty())
            return text_of(type[0]);
        if (type.is_string())
            return type.get<std::string>();
        return schema.contains("items") ? "array" : "object";
    }

    Json merged(const Json& schema, const Json& parts, int depth) {
        Json all = make_object(schema, depth);
        for (const Json& part : parts) {
            const Json made = make(part, depth + 1);
            if (made.is_object())
                all.update(made);
        }
        return all;
    }

    Json of_type(const std::string& type, const Json& schema, int depth) {
        if (type == "string")
            return make_string(schema);
        if (type == "integer" || type == "number")
            return make_number(schema);
        if (type == "boolean")
            return next() % 2 == 0;
        if (type == "array")
            return make_array(schema, depth);
        return type == "object" ? make_object(schema, depth) : Json();
    }

    Json make_object(const Json& schema, int depth) {
        Json object = Json::object();
        if (const Json& properties = member(schema, "properties"); properties.is_object()) {
            for (const auto& [name, value] : properties.items())
                object[name] = make(value, depth + 1);
        }
        return object;
    }

    Json make_array(const Json& schema, int depth) {
        const std::uint32_t least = count_of(member(schema, "minItems"));
        std::uint32_t size = std::max(least, static_cast<std::uint32_t>(next() % 3));
        if (is_set(schema, "maxItems"))
            size = std::min(size, count_of(member(schema, "maxItems")));
        Json list = Json::array();
        for (std::uint32_t i = 0; i < size; ++i)
            list.push_back(make(member(schema, "items"), depth + 1));
        return list;
    }

    Json make_string(const Json& schema) {
        const std::uint32_t least = count_of(member(schema, "minLength"));
        std::uint32_t size = std::max(least, 3 + static_cast<std::uint32_t>(next() % 6));
        if (is_set(schema, "maxLength"))
            size = std::min(size, count_of(member(schema, "maxLength")));
        std::string text;
        for (std::uint32_t i = 0; i < size; ++i)
            text.push_back(static_cast<char>('a' + next() % 26));
        return text;
    }

    Json make_number(const Json& schema) {
        const Json& low = member(schema, "minimum");
        const Json& high = member(schema, "maximum");
        const std::int64_t from = low.is_number() ? low.get<std::int64_t>() : 0;
        const std::int64_t to = high.is_number() ? high.get<std::int64_t>() : from + 99;
        if (to <= from)
            return from;
        return from + static_cast<std::int64_t>(next() % static_cast<std::uint64_t>(to - from + 1));
    }

    const Json& root_;
    std::uint64_t seed_;
};

}  // namespace

Json example_of(const Json& schema, std::uint64_t seed) {
    try {
        return Maker(schema, seed).make(schema, 0);
    } catch (const Json::exception&) {
        return nullptr;  // a reference that is no pointer
    }
}

}  // namespace idlewatt::engine
