// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/completion_reader.hpp"

#include <array>
#include <string>
#include <utility>

namespace idlewatt::engine {

namespace {

constexpr std::size_t digits_max = 9;  // of a number that fits 32 bits without a doubt

class Reader {
public:
    explicit Reader(std::string_view json) : rest_(json) {}

    bool read(CompletionEvent& event) {
        skip(" ");
        if (!skip("{"))
            return false;
        do {
            std::string_view name;
            if (!read_name(name) || !read_member(name, event))
                return false;
        } while (skip(","));
        return skip("}") && rest_.empty();
    }

private:
    enum Member : unsigned { content, tokens, stop, predicted, evaluated, index, slot };
    static constexpr std::array<std::pair<std::string_view, Member>, 7> members = {{
        {"index", index},
        {"content", content},
        {"tokens", tokens},
        {"stop", stop},
        {"id_slot", slot},
        {"tokens_predicted", predicted},
        {"tokens_evaluated", evaluated},
    }};

    bool skip(std::string_view word) {
        if (!rest_.starts_with(word))
            return false;
        rest_.remove_prefix(word.size());
        return true;
    }

    bool read_name(std::string_view& name) {
        if (!skip("\""))
            return false;
        const std::size_t end = rest_.find('"');
        if (end == rest_.npos)
            return false;
        name = rest_.substr(0, end);
        rest_.remove_prefix(end + 1);
        return skip(":");
    }

    bool read_member(std::string_view name, CompletionEvent& event) {
        for (const auto& [known, member] : members) {
            if (known != name)
                continue;
            const unsigned bit = 1U << member;
            return (std::exchange(seen_, seen_ | bit) & bit) == 0 && read_value(member, event);
        }
        return false;
    }

    bool read_value(Member member, CompletionEvent& event) {
        std::int32_t number = 0;
        switch (member) {
            case content:
                return read_text(event.text);
            case tokens:
                return read_tokens(event.ids);
            case stop:
                return skip("false");
            case predicted:
                event.counts = true;
                return read_count(event.tokens_predicted);
            case evaluated:
                return read_count(event.tokens_evaluated);
            case index:
            case slot:
                return read_number(number);
        }
        return false;
    }

    bool read_text(std::string& text) {
        if (!skip("\""))
            return false;
        for (std::size_t i = 0; i < rest_.size(); ++i) {
            auto c = static_cast<unsigned char>(rest_[i]);
            if (c == '"') {
                rest_.remove_prefix(i + 1);
                return true;
            }
            if (c == '\\') {
                constexpr std::string_view escapes = "\"\\/nrtbf";
                constexpr std::string_view meant = "\"\\/\n\r\t\b\f";
                const std::size_t which =
                    ++i < rest_.size() ? escapes.find(rest_[i]) : escapes.npos;
                if (which == escapes.npos)
                    return false;
                c = static_cast<unsigned char>(meant[which]);
            } else if (c < 0x20 || c >= 0x80) {
                return false;  // the library checks what is no ASCII
            }
            text += static_cast<char>(c);
        }
        return false;
    }

    bool read_tokens(core::TokenIds& ids) {
        if (!skip("["))
            return false;
        if (skip("]"))
            return true;
        do {
            if (!read_number(ids.emplace_back()))
                return false;
        } while (skip(","));
        return skip("]");
    }

    bool read_number(std::int32_t& number) {
        const bool negative = skip("-");
        std::uint32_t size = 0;
        if (!read_count(size) || (negative && size == 0))
            return false;
        number = static_cast<std::int32_t>(size);
        if (negative)
            number = -number;
        return true;
    }

    bool read_count(std::uint32_t& count) {
        std::size_t digits = 0;
        count = 0;
        while (digits < rest_.size() && rest_[digits] >= '0' && rest_[digits] <= '9') {
            if (digits == digits_max)
                return false;
            count = count * 10 + static_cast<std::uint32_t>(rest_[digits++] - '0');
        }
        const bool good = digits == 1 || (digits > 1 && rest_[0] != '0');
        rest_.remove_prefix(digits);
        // A fraction or an exponent follows: the caller finds neither ',' nor an end there.
        return good;
    }

    std::string_view rest_;
    unsigned seen_ = 0;
};

}  // namespace

std::optional<CompletionEvent> read_common_event(std::string_view json) {
    CompletionEvent event;
    if (!Reader(json).read(event))
        return std::nullopt;
    return event;
}

}  // namespace idlewatt::engine
