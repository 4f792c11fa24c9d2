// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/plain_template.hpp"

#include <string>

#include <gtest/gtest.h>

#include "engine/random_vocabulary.hpp"

namespace idlewatt::engine {
namespace {

std::string in_loop(const std::string& code) {
    return "{% for message in messages %}" + code + "{% endfor %}";
}

TEST(PlainTemplate, PrintingRolesAndWordsIsPlain) {
    for (const std::string plain : {
             "no code at all {",
             "{{ bos_token }}{# about the words: message.content[0] #}",
             "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}",
         }) {
        EXPECT_TRUE(is_plain_template(plain)) << plain;
    }
    for (const std::string plain : {
             "{{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}",
             "{{ '[' ~ message['role'] ~ ']' }}{{ message[\"content\"] | trim }}",
             "{% if message.role == 'user' %}U{% elif 'system' != message['role'] %}A{% else %}S"
             "{% endif %}{{ message.content }}{{ eos_token }}",
             "{% if loop.first and not (messages[0]['role'] == 'system') %}You help.{% endif %}",
             "{% if message.content %}{{ message.content }}{% endif %}",
             "{% if message.tool_calls %}{% for call in message.tool_calls %}{{ call | tojson }}"
             "{% for a in call.b %}{{ a }}{% endfor %}{% endfor %}{% endif %}",
         }) {
        EXPECT_TRUE(is_plain_template(in_loop(plain))) << plain;
    }
    EXPECT_TRUE(
        is_plain_template("{%- set rest = messages -%}"
                          "{%- if tools or (messages and messages[0].role == 'system') -%}"
                          "{{- messages[0].content -}}{%- set rest = messages[1:] -%}"
                          "{%- for tool in tools -%}{{- tool | tojson -}}{%- endfor -%}"
                          "{%- endif -%}{%- for message in rest -%}"
                          "{{- message.content -}}{%- endfor -%}"));
}

TEST(PlainTemplate, LookingIntoTheWordsIsNot) {
    for (const std::string looks : {
             "{{ message.content[0] }}",
             "{{ message.content | upper }}",
             "{{ message.content | trim | upper }}",
             "{{ message.content.split('</think>')[-1] }}",
             "{{ message.content * 2 }}",
             "{{ 'a' if message.content else 'b' }}",
             "{{ message }}",
             "{{ message | tojson }}",
             "{{ messages }}",
             "{{ message.role | upper }}",
             "{{ message.content + loop.index }}",
             "{{ strftime_now('%d') }}",
             "{{ raise_exception('no') }}",
             "{{ '}}' }}",
             "{{ message.content",
             "{% if message.content == 'a' %}{% endif %}",
             "{% if 'a' == message.content %}{% endif %}",
             "{% if 'a' in message.content %}{% endif %}",
             "{% if message.content is string %}{% endif %}",
             "{% if message.content | length > 3 %}{% endif %}",
             "{% if message['content'][0] == 'a' %}{% endif %}",
             "{% if message == messages[0] %}{% endif %}",
             "{% if messages | length %}{% endif %}",
             "{% set content = message.content %}",
             "{% set message = messages %}",
             "{% set ns = namespace(a=1) %}",
             "{% set rest = messages[::-1] %}",
             "{% macro m() %}{% endmacro %}",
             "{% raw %}{{ message.content }}{% endraw %}",
             "{% for c in message.content %}{{ c }}{% endfor %}",
             "{% for other in messages %}{{ other.content }}{% endfor %}",
             "{% for tool in tools[1:] %}{% endfor %}",
             "{% if unknown %}{% endif %}",
             "{% if (message.content) == 'a' %}{% endif %}",
             "{% if (message.content or 'x') == 'a' %}{% endif %}",
             "{% if 'a' == (true and message.content) %}{% endif %}",
             "{% if message.role == ('a' and message.content) %}{% endif %}",
         }) {
        EXPECT_FALSE(is_plain_template(in_loop(looks))) << looks;
        // Nor behind what runs for nobody here.
        for (const std::string dead :
             {"{% for tool in tools %}{% endfor %}",
              "{% for call in message.tool_calls %}{% for a in call %}{% endfor %}{% endfor %}"}) {
            EXPECT_FALSE(is_plain_template(in_loop(dead + looks))) << dead << looks;
        }
    }
    EXPECT_FALSE(
        is_plain_template("{% for t in tools %}{% else %}{{ messages[0].content | upper }}"
                          "{% endfor %}"));
    EXPECT_FALSE(
        is_plain_template("{% for t in tools %}{% raw %}{% for x in y %}{% endraw %}"
                          "{% endfor %}{{ messages[0].content | upper }}"));
    EXPECT_FALSE(is_plain_template("{% for t in tools %}"));
    EXPECT_TRUE(is_plain_template(random_model_chat_template()));
    EXPECT_FALSE(is_plain_template(random_model_chat_template(RandomSyntax::thinking)));
    EXPECT_FALSE(is_plain_template(""));
    EXPECT_FALSE(is_plain_template("{% for message in messages if message.content %}{% endfor %}"));
    EXPECT_FALSE(is_plain_template("{% for message in messages | reverse %}{% endfor %}"));
    EXPECT_FALSE(is_plain_template("{{ message.content }}")) << "outside of a loop";
}

// What is cut off somewhere must not crash, and is not taken for something else.
TEST(PlainTemplate, AnyBeginningOfATemplateIsReadToItsEnd) {
    const std::string whole = in_loop("{{ '<' ~ message['role'] }}{# a #}{{ message.content }}");
    std::size_t plain = 0;
    for (std::size_t size = 0; size <= whole.size(); ++size)
        plain += is_plain_template(whole.substr(0, size)) ? 1 : 0;
    EXPECT_LT(plain, whole.size() / 2);
    EXPECT_TRUE(is_plain_template(whole));
}

}  // namespace
}  // namespace idlewatt::engine
