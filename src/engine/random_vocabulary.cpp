// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/random_vocabulary.hpp"

#include <array>
#include <cstdio>
#include <unordered_set>

namespace idlewatt::engine {

namespace {

// SentencePiece's mark of a space.
constexpr const char* space = "\xe2\x96\x81";

enum TokenType : std::int32_t { normal = 1, unknown = 2, control = 3, user = 4, byte = 6 };

constexpr float never = -12.0F;

constexpr std::array words = {
    "the",     "of",      "and",     "to",   "in",    "is",     "that",    "for",    "it",
    "as",      "was",     "with",    "be",   "by",    "on",     "not",     "he",     "his",
    "but",     "at",      "are",     "this", "have",  "from",   "or",      "had",    "an",
    "they",    "which",   "one",     "you",  "were",  "all",    "her",     "she",    "there",
    "would",   "their",   "we",      "him",  "been",  "has",    "when",    "who",    "will",
    "no",      "more",    "if",      "out",  "so",    "up",     "said",    "what",   "its",
    "about",   "than",    "into",    "them", "can",   "only",   "other",   "time",   "new",
    "some",    "could",   "these",   "two",  "may",   "first",  "then",    "do",     "any",
    "like",    "my",      "now",     "over", "such",  "our",    "man",     "me",     "even",
    "most",    "made",    "after",   "also", "well",  "did",    "many",    "before", "must",
    "years",   "back",    "through", "much", "where", "your",   "way",     "down",   "should",
    "because", "long",    "each",    "just", "state", "people", "those",   "too",    "little",
    "good",    "world",   "make",    "very", "year",  "still",  "see",     "work",   "car",
    "charge",  "battery", "energy",  "watt", "night", "street", "morning", "power",  "wheel",
    "engine",  "answer",  "token",   "grid", "quiet", "park",   "home",    "light",  "water",
};

constexpr std::array wide = {"é", "ü", "ß", "ñ", "→", "語", "車", "電", "😀", "🚗", "⚡"};

// The end of thoughts and the beginning of a call are likelier than a word, so that they come
// within some dozen tokens; the others only where template or grammar put them.
struct Mark {
    const char* text;
    float bias;
};
constexpr std::array marks = {Mark{"<think>", never}, Mark{"</think>", 1.0F},
                              Mark{"<tool_call>", 1.0F}, Mark{"</tool_call>", never}};

class Builder {
public:
    std::uint32_t add(std::string text, TokenType type, float bias, float score) {
        if (!seen_.insert(text).second)
            return 0;
        result.texts.push_back(std::move(text));
        result.types.push_back(type);
        result.biases.push_back(bias);
        result.scores.push_back(score);
        return static_cast<std::uint32_t>(result.texts.size() - 1);
    }
    RandomVocabulary result;

private:
    std::unordered_set<std::string> seen_;
};

float byte_bias(int value) {
    if (value == '\n')
        return -1.0F;
    if (value == '.' || value == ',')
        return 0.0F;
    if (value > 0x20 && value < 0x7f)
        return -1.5F;
    return never;
}

}  // namespace

RandomVocabulary random_vocabulary(RandomSyntax syntax) {
    Builder builder;
    builder.result.unknown = builder.add("<unk>", unknown, never, 0.0F);
    builder.result.begin_of_text = builder.add("<s>", control, never, 0.0F);
    builder.add("</s>", control, never, 0.0F);
    builder.add("<|im_start|>", control, never, 0.0F);
    // As likely as any word: an answer ends after as many tokens as there are likely ones.
    builder.result.end_of_turn = builder.add("<|im_end|>", control, 0.0F, 0.0F);
    for (int value = 0; value < 256; ++value) {
        char name[8];
        std::snprintf(name, sizeof name, "<0x%02X>", static_cast<unsigned>(value));
        builder.add(name, byte, byte_bias(value), 0.0F);
    }
    builder.add(space, normal, -1.0F, -1.0F);
    for (const char* character : wide)
        builder.add(character, normal, -0.5F, -2.0F);
    // Longer beginnings are joined first, so that a whole word wins.
    for (const char* word : words) {
        const std::string whole = std::string(space) + word;
        const std::size_t first = std::string_view(space).size() + 1;
        for (std::size_t length = first; length <= whole.size(); ++length) {
            const bool complete = length == whole.size();
            builder.add(whole.substr(0, length), normal, complete ? 0.5F : -1.5F,
                        -100.0F + static_cast<float>(length));
        }
    }
    // A word may be the beginning of another one.
    for (const char* word : words) {
        const std::string whole = std::string(space) + word;
        for (std::size_t i = 0; i < builder.result.texts.size(); ++i) {
            if (builder.result.texts[i] == whole)
                builder.result.biases[i] = 0.5F;
        }
    }
    // Closing brackets are one token, as in real vocabularies: a list comes to an end.
    if (syntax == RandomSyntax::plain)
        builder.add("}]", normal, 0.0F, -3.0F);
    if (syntax == RandomSyntax::thinking) {
        for (const Mark& mark : marks)
            builder.add(mark.text, user, mark.bias, 0.0F);
    }
    return builder.result;
}

std::string random_model_chat_template(RandomSyntax syntax) {
    static constexpr std::string_view thoughts =
        R"({%- if message.role == 'assistant' and message.reasoning_content -%}
{{- '<think>\n' + message.reasoning_content + '\n</think>\n\n' -}}
{%- endif -%}
)";
    static constexpr std::string_view begin = R"({%- set rest = messages -%}
{%- if tools or (messages and messages[0].role == 'system') -%}
{{- '<|im_start|>system\n' -}}
{%- if messages and messages[0].role == 'system' -%}
{{- messages[0].content -}}
{%- set rest = messages[1:] -%}
{%- endif -%}
{%- if tools -%}
{{- '\n\nYou may call these functions, one JSON signature per line:\n<tools>\n' -}}
{%- for tool in tools -%}
{{- tool | tojson -}}
{{- '\n' -}}
{%- endfor -%}
{{- '</tools>\nTo call one, answer with <tool_call>\n' -}}
{{- '{"name": <name>, "arguments": <object>}\n</tool_call>' -}}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- for message in rest -%}
{%- if message.role == 'tool' -%}
{{- '<|im_start|>user\n<tool_response>\n' + message.content + '\n</tool_response><|im_end|>\n' -}}
{%- else -%}
{{- '<|im_start|>' + message.role + '\n' -}}
)";
    static constexpr std::string_view content =
        R"({%- if message.content -%}{{- message.content -}}{%- endif -%}
{%- if message.tool_calls -%}
{%- for call in message.tool_calls -%}
)";
    static constexpr std::string_view call =
        R"({{- '<tool_call>\n{"name": "' + call.function.name + '", "arguments": ' -}}
{{- call.function.arguments | tojson -}}
{{- '}\n</tool_call>' -}}
)";
    // Right behind its mark: with that one token a random model has begun a call.
    static constexpr std::string_view marked_call =
        R"({{- '<tool_call>{"name": "' + call.function.name + '", "arguments": ' -}}
{{- call.function.arguments | tojson -}}
{{- '}</tool_call>' -}}
)";
    static constexpr std::string_view end = R"({%- endfor -%}
{%- endif -%}
{{- '<|im_end|>\n' -}}
{%- endif -%}
{%- endfor -%}
{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\n' -}}{%- endif -%})";
    // Thinking begins in the prompt, as with many models.
    static constexpr std::string_view begin_thoughts = R"(
{%- if add_generation_prompt -%}
{%- if enable_thinking is defined and enable_thinking is false -%}
{{- '<think>\n\n</think>\n\n' -}}
{%- else -%}
{{- '<think>\n' -}}
{%- endif -%}
{%- endif -%})";
    const bool thinks = syntax == RandomSyntax::thinking;
    std::string text(begin);
    text += thinks ? thoughts : "";
    text += content;
    text += thinks ? marked_call : call;
    text += end;
    text += thinks ? begin_thoughts : "";
    return text;
}

}  // namespace idlewatt::engine
