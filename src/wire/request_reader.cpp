// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/request_reader.hpp"

#include <charconv>

namespace idlewatt::wire {

namespace {

// So many digits fit into 64 bits, with or without a sign.
constexpr std::size_t short_digits_max = 18;
constexpr std::size_t members_expected = 4;
// Above it finding out whether a name is there already is left to others.
constexpr std::size_t members_compared_max = 32;
static_assert(members_compared_max <= request_members_max &&
                  members_compared_max * request_values_max <= request_comparisons_max,
              "what is read here is within the bounds of a request");

class RequestReader {
public:
    explicit RequestReader(std::string_view bytes)
        : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

    bool read_all(RequestJson& value) {
        if (!read_value(value))
            return false;
        skip_space();
        return at_ == end_;
    }

private:
    void skip_space() {
        while (at_ != end_ && (*at_ == ' ' || *at_ == '\n' || *at_ == '\r' || *at_ == '\t'))
            ++at_;
    }

    bool take(char wanted) {
        skip_space();
        if (at_ == end_ || *at_ != wanted)
            return false;
        ++at_;
        return true;
    }

    bool take_word(std::string_view word) {
        if (!std::string_view(at_, static_cast<std::size_t>(end_ - at_)).starts_with(word))
            return false;
        at_ += word.size();
        return true;
    }

    bool read_value(RequestJson& value) {
        skip_space();
        if (at_ == end_)
            return false;
        switch (*at_) {
            case '{':
                return read_object(value);
            case '[':
                return read_array(value);
            case '"':
                value = RequestJson::value_t::string;
                return read_string(value.get_ref<std::string&>());
            case 't':
                value = true;
                return take_word("true");
            case 'f':
                value = false;
                return take_word("false");
            case 'n':
                value = nullptr;
                return take_word("null");
            default:
                return read_number(value);
        }
    }

    // Of an object or array: false where it would be one too deep or too many.
    bool go_in() {
        ++at_;
        skip_space();
        return ++depth_ <= request_depth_max && count_value();
    }

    bool go_out(char bracket) {
        --depth_;
        return take(bracket);
    }

    bool goes_on() { return take(',') && count_value(); }

    // By brackets and commas, as the other bounds are.
    bool count_value() { return ++values_ <= request_values_max; }

    bool read_object(RequestJson& value) {
        if (!go_in())
            return false;
        value = RequestJson::value_t::object;
        if (at_ != end_ && *at_ == '}')
            return go_out('}');
        auto& members = value.get_ref<RequestJson::object_t&>();
        members.reserve(members_expected);
        do {
            std::string name;
            skip_space();
            if (at_ == end_ || *at_ != '"' || !read_string(name) || !take(':') ||
                members.size() == members_compared_max)
                return false;
            for (const auto& [known, ignored] : members) {
                if (known == name)
                    return false;
            }
            members.emplace_back(std::move(name), nullptr);
            if (!read_value(members.back().second))
                return false;
        } while (goes_on());
        return go_out('}');
    }

    bool read_array(RequestJson& value) {
        if (!go_in())
            return false;
        value = RequestJson::value_t::array;
        if (at_ != end_ && *at_ == ']')
            return go_out(']');
        auto& elements = value.get_ref<RequestJson::array_t&>();
        do {
            if (!read_value(elements.emplace_back()))
                return false;
        } while (goes_on());
        return go_out(']');
    }

    bool read_string(std::string& text) {
        ++at_;
        for (;;) {
            const char* const begin = at_;
            while (at_ != end_ && *at_ != '"' && *at_ != '\\' &&
                   static_cast<unsigned char>(*at_) >= 0x20)
                ++at_;
            text.append(begin, at_);
            if (at_ == end_ || (*at_ != '"' && *at_ != '\\'))
                return false;
            if (*at_++ == '"')
                return true;
            if (!read_escape(text))
                return false;
        }
    }

    bool read_escape(std::string& text) {
        if (at_ == end_)
            return false;
        constexpr std::string_view letters = "\"\\/bfnrt";
        constexpr std::string_view meanings = "\"\\/\b\f\n\r\t";
        const char letter = *at_++;
        if (letter != 'u') {
            const std::size_t found = letters.find(letter);
            if (found == letters.npos)
                return false;
            text += meanings[found];
            return true;
        }
        std::uint32_t code = 0;
        if (!read_hex(code) || (code >= 0xDC00 && code <= 0xDFFF))
            return false;
        if (code >= 0xD800 && code <= 0xDBFF) {
            std::uint32_t low = 0;
            if (!take_word("\\u") || !read_hex(low) || low < 0xDC00 || low > 0xDFFF)
                return false;
            code = 0x10000 + ((code - 0xD800) << 10U) + (low - 0xDC00);
        }
        append_utf8(text, code);
        return true;
    }

    bool read_hex(std::uint32_t& code) {
        if (end_ - at_ < 4)
            return false;
        const auto [end, error] = std::from_chars(at_, at_ + 4, code, 16);
        const bool whole = error == std::errc{} && end == at_ + 4;
        at_ += 4;
        return whole;
    }

    static void append_utf8(std::string& text, std::uint32_t code) {
        const auto rest = [&](unsigned shift) {
            text += static_cast<char>(0x80 | ((code >> shift) & 0x3FU));
        };
        if (code < 0x80) {
            text += static_cast<char>(code);
        } else if (code < 0x800) {
            text += static_cast<char>(0xC0 | (code >> 6U));
            rest(0);
        } else if (code < 0x10000) {
            text += static_cast<char>(0xE0 | (code >> 12U));
            rest(6);
            rest(0);
        } else {
            text += static_cast<char>(0xF0 | (code >> 18U));
            rest(12);
            rest(6);
            rest(0);
        }
    }

    bool read_number(RequestJson& value) {
        const char* const begin = at_;
        const bool negative = *at_ == '-';
        const char* const digits = begin + (negative ? 1 : 0);
        for (at_ = digits; at_ != end_ && *at_ >= '0' && *at_ <= '9';)
            ++at_;
        const auto count = static_cast<std::size_t>(at_ - digits);
        if (count == 0 || (count > 1 && *digits == '0'))
            return false;
        if (at_ != end_ && (*at_ == '.' || *at_ == 'e' || *at_ == 'E'))
            return read_fraction(begin, value);
        if (count > short_digits_max)
            return false;
        if (negative) {
            std::int64_t number = 0;
            std::from_chars(begin, at_, number);
            value = number;
        } else {
            std::uint64_t number = 0;
            std::from_chars(begin, at_, number);
            value = number;
        }
        return true;
    }

    bool skip_digits() {
        const char* const begin = at_;
        while (at_ != end_ && *at_ >= '0' && *at_ <= '9')
            ++at_;
        return at_ != begin;
    }

    // Behind its whole part. Rounded to the nearest, like all.
    bool read_fraction(const char* begin, RequestJson& value) {
        if (*at_ == '.') {
            ++at_;
            if (!skip_digits())
                return false;
        }
        if (at_ != end_ && (*at_ == 'e' || *at_ == 'E')) {
            ++at_;
            if (at_ != end_ && (*at_ == '+' || *at_ == '-'))
                ++at_;
            if (!skip_digits())
                return false;
        }
        double number = 0.0;
        const auto [end, error] = std::from_chars(begin, at_, number);
        value = number;
        return error == std::errc{} && end == at_;
    }

    const char* at_;
    const char* end_;
    std::size_t depth_ = 0;
    std::size_t values_ = 0;
};

}  // namespace

std::optional<RequestJson> read_request(std::string_view bytes) {
    std::optional<RequestJson> value(std::in_place);
    if (!RequestReader(bytes).read_all(*value))
        value.reset();
    return value;
}

}  // namespace idlewatt::wire
