// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/plain_template.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <optional>
#include <vector>

namespace idlewatt::engine {

namespace {

constexpr std::size_t template_bytes_max = 64 * 1024;

// Names that say nothing about words.
constexpr std::array harmless_names = {"add_generation_prompt",
                                       "bos_token",
                                       "eos_token",
                                       "and",
                                       "or",
                                       "not",
                                       "true",
                                       "false",
                                       "True",
                                       "False"};
constexpr std::array loop_members = {"first", "last", "index", "index0"};
constexpr std::array compared_by = {"==", "!="};

template <class Names>
bool is_one_of(const Names& names, std::string_view word) {
    return std::find(names.begin(), names.end(), word) != names.end();
}

struct Token {
    enum class Kind { name, text, number, sign } kind;
    std::string_view word;  // of a text: between its quotes
};
using Tokens = std::vector<Token>;

std::optional<Tokens> tokens_of(std::string_view code) {
    Tokens tokens;
    while (!code.empty()) {
        const auto c = static_cast<unsigned char>(code.front());
        std::size_t size = 1;
        if (std::isspace(c)) {
            code.remove_prefix(1);
            continue;
        }
        if (c == '\'' || c == '"') {
            while (size < code.size() && code[size] != code.front())
                size += code[size] == '\\' ? 2 : 1;
            if (size >= code.size())
                return std::nullopt;
            tokens.push_back({Token::Kind::text, code.substr(1, size - 1)});
            code.remove_prefix(size + 1);
            continue;
        }
        const bool word = std::isalpha(c) || c == '_';
        const bool number = std::isdigit(c);
        while ((word || number) && size < code.size()) {
            const auto next = static_cast<unsigned char>(code[size]);
            if (!std::isalnum(next) && next != '_')
                break;
            ++size;
        }
        if (!word && !number && code.size() > 1 && code[1] == '=')
            size = 2;
        tokens.push_back({word     ? Token::Kind::name
                          : number ? Token::Kind::number
                                   : Token::Kind::sign,
                          code.substr(0, size)});
        code.remove_prefix(size);
    }
    return tokens;
}

// Reads a template whose chat has roles and words only, none of them empty: neither tools nor
// calls.
class Reading {
public:
    bool output(const Tokens& tokens) {
        begin(tokens);
        if (dead_loops_ > 0)
            return true;
        do {
            if (!term(true))
                return false;
        } while (take("+") || take("~"));
        return at_end();
    }

    bool statement(const Tokens& tokens) {
        begin(tokens);
        const bool loops = take("for");
        const bool loop_ends = !loops && take("endfor");
        if (dead_loops_ > 0)
            return dead_statement(loops, loop_ends);
        if (loops)
            return loop();
        if (loop_ends) {
            message_ = {};
            return at_end();
        }
        if (take("if") || take("elif"))
            return condition();
        if (take("set"))
            return assignment();
        return (take("else") || take("endif")) && at_end();
    }

    [[nodiscard]] bool whole() const { return dead_loops_ == 0 && message_.empty(); }

private:
    // Runs for nobody; but a loop's else would, where there is nothing to loop over, and what is
    // raw is no code.
    bool dead_statement(bool loops, bool loop_ends) {
        if (loops)
            ++dead_loops_;
        if (loop_ends)
            --dead_loops_;
        if (take("if"))
            ++dead_ifs_;
        if (take("endif"))
            --dead_ifs_;
        return dead_ifs_ >= 0 && !take("raw") && (dead_ifs_ > 0 || !take("else"));
    }

    void begin(const Tokens& tokens) {
        tokens_ = &tokens;
        at_ = 0;
    }
    [[nodiscard]] bool at_end() const { return at_ == tokens_->size(); }
    [[nodiscard]] const Token* next() const { return at_end() ? nullptr : &(*tokens_)[at_]; }
    bool take(std::string_view word) {
        const Token* token = next();
        if (token == nullptr || token->kind == Token::Kind::text || token->word != word)
            return false;
        ++at_;
        return true;
    }
    bool take(Token::Kind kind) {
        if (next() == nullptr || next()->kind != kind)
            return false;
        ++at_;
        return true;
    }

    // A name that the template gives; empty: it is one of those that mean something.
    [[nodiscard]] std::string_view fresh_name() {
        const Token* name = next();
        const bool taken = !take(Token::Kind::name) || name->word == "loop" ||
                           name->word == "tools" || name->word == message_ ||
                           is_one_of(harmless_names, name->word);
        return taken ? std::string_view() : name->word;
    }

    // The messages, or those from one on.
    bool list() {
        const Token* name = next();
        if (!take(Token::Kind::name) || !is_one_of(lists_, name->word))
            return false;
        return !take("[") || (take(Token::Kind::number) && take(":") && take("]"));
    }

    // set NAME = LIST
    bool assignment() {
        const std::string_view name = fresh_name();
        if (name.empty() || !take("=") || !list())
            return false;
        lists_.push_back(name);
        return at_end();
    }

    // for NAME in LIST, or in what is not there
    bool loop() {
        const std::string_view name = fresh_name();
        if (name.empty() || is_one_of(lists_, name) || !take("in"))
            return false;
        const std::size_t before = at_;
        if (take("tools") ||
            (!message_.empty() && take(message_) && message_member() == "tool_calls")) {
            dead_loops_ = 1;
            return at_end();
        }
        at_ = before;
        if (!message_.empty())
            return false;
        message_ = name;
        return list() && at_end();
    }

    // A member of a message, as .NAME or ['NAME'].
    [[nodiscard]] std::string_view message_member() {
        const bool bracket = take("[");
        if (!bracket && !take("."))
            return {};
        const Token* name = next();
        if (!take(bracket ? Token::Kind::text : Token::Kind::name) || (bracket && !take("]")))
            return {};
        return name->word;
    }

    // The member that a term names, of a message in a list or of the one of the loop.
    [[nodiscard]] std::string_view member_of(std::string_view name) {
        if (name == message_)
            return message_member();
        const bool one = take("[") && take(Token::Kind::number) && take("]");
        return one ? message_member() : std::string_view();
    }

    // Words may be printed, also with their ends trimmed. In a condition they are just there.
    bool term(bool printed) {
        if (take(Token::Kind::text))
            return true;
        const Token* name = next();
        if (!take(Token::Kind::name))
            return false;
        if (name->word == "loop") {
            const Token* place = take(".") ? next() : nullptr;
            return !printed && place != nullptr && take(Token::Kind::name) &&
                   is_one_of(loop_members, place->word);
        }
        const bool in_list = is_one_of(lists_, name->word);
        if (!in_list && (message_.empty() || name->word != message_))
            return is_one_of(harmless_names, name->word) || (!printed && name->word == "tools");
        if (in_list && !printed && (next() == nullptr || next()->word != "["))
            return true;
        const std::string_view member = member_of(name->word);
        if (member == "content" || (member == "tool_calls" && !printed))
            return printed ? !take("|") || take("trim") : !compares();
        return member == "role" && (!printed || !take("|") || take("trim"));
    }

    [[nodiscard]] bool compares() const {
        const Token* token = next();
        return compared_ || (token != nullptr && is_one_of(compared_by, token->word));
    }

    // Where its brackets stand does not matter to what is looked at.
    bool condition() {
        compared_ = false;
        while (!at_end()) {
            if (!compared_ && take("("))
                continue;
            if (take(")")) {
                if (compares())
                    return false;
                continue;
            }
            const Token& token = *next();
            if (token.kind == Token::Kind::sign && is_one_of(compared_by, token.word)) {
                compared_ = true;
                ++at_;
                continue;
            }
            if (!take(Token::Kind::number) && !term(false))
                return false;
            compared_ = false;
        }
        return true;
    }

    const Tokens* tokens_ = nullptr;
    std::size_t at_ = 0;
    std::vector<std::string_view> lists_{"messages"};
    std::string_view message_;
    bool compared_ = false;
    std::size_t dead_loops_ = 0;
    int dead_ifs_ = 0;
};

}  // namespace

bool is_plain_template(std::string_view chat_template) {
    if (chat_template.empty() || chat_template.size() > template_bytes_max)
        return false;
    Reading reading;
    for (std::size_t begin = 0; begin < chat_template.size();) {
        begin = chat_template.find('{', begin);
        if (begin == chat_template.npos || begin + 1 == chat_template.size())
            break;
        const char kind = chat_template[begin + 1];
        if (kind != '{' && kind != '%' && kind != '#') {
            ++begin;
            continue;
        }
        const char close[] = {kind == '{' ? '}' : kind, '}'};
        // A mark of an end within a text of the code makes code that is not understood.
        const std::size_t end = chat_template.find(std::string_view(close, 2), begin + 2);
        if (end == chat_template.npos)
            return false;
        std::string_view code = chat_template.substr(begin + 2, end - begin - 2);
        begin = end + 2;
        if (kind == '#')
            continue;
        if (!code.empty() && (code.front() == '-' || code.front() == '+'))
            code.remove_prefix(1);
        if (!code.empty() && (code.back() == '-' || code.back() == '+'))
            code.remove_suffix(1);
        const auto tokens = tokens_of(code);
        if (!tokens || !(kind == '{' ? reading.output(*tokens) : reading.statement(*tokens)))
            return false;
    }
    return reading.whole();
}

}  // namespace idlewatt::engine
