// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/demanded_calls.hpp"

#include <gtest/gtest.h>

#include "engine/request.hpp"

namespace idlewatt::engine {
namespace {

Json schema_for(const std::string& tools, bool several = true) {
    return Json::parse(demanded_calls_form(Json::parse(tools), several)).at("json_schema");
}

std::vector<core::ToolCall> calls_in(std::string_view text) {
    int made = 0;
    return read_demanded_calls(text, [&made] { return "id" + std::to_string(made++); });
}

TEST(DemandedCalls, TheFormNamesTheFunctionBeforeItsArguments) {
    const Json one =
        schema_for(R"([{"type":"function","function":{"name":"f","parameters":{"type":"object",)"
                   R"("properties":{"z":{"type":"integer"},"a":{"type":"string"}}}}}])",
                   false);
    EXPECT_EQ(one.at("minItems"), 1);
    EXPECT_EQ(one.at("maxItems"), 1);
    EXPECT_EQ(one.at("items").at("properties").dump(),
              R"({"name":{"const":"f"},"arguments":{"type":"object","properties":)"
              R"({"z":{"type":"integer"},"a":{"type":"string"}}}})");
    const Json two = schema_for(R"([{"function":{"name":"f"}},{"function":{"name":"g"}}])");
    EXPECT_EQ(two.at("maxItems"), demanded_calls_max);
    EXPECT_EQ(two.at("items").at("anyOf").size(), 2U);
    EXPECT_EQ(two.at("items").at("anyOf")[1].at("properties").at("name").at("const"), "g");
}

TEST(DemandedCalls, ArgumentsAreAnObject) {
    const auto arguments_for = [](const std::string& parameters) {
        return schema_for(R"([{"function":{"name":"f")" + parameters + "}}]")
            .at("items")
            .at("properties")
            .at("arguments");
    };
    EXPECT_EQ(arguments_for("").at("additionalProperties"), false);
    EXPECT_EQ(arguments_for(R"(,"parameters":null)").at("type"), "object");
    EXPECT_EQ(arguments_for(R"(,"parameters":{})").at("type"), "object");
    EXPECT_FALSE(arguments_for(R"(,"parameters":{"anyOf":[]})").contains("type"));
}

TEST(DemandedCalls, AReferenceStillMeansTheParameters) {
    const Json schema = schema_for(
        R"([{"function":{"name":"f","parameters":{"type":"object","properties":{"next":)"
        R"({"$ref":"#/$defs/node"},"self":{"$ref":"#"}},"$defs":{"node":{"type":"object",)"
        R"("properties":{"$ref":{"type":"string"}}}}}}}])");
    EXPECT_EQ(schema.at("items").at("properties").at("arguments").at("$ref"), "#/$defs/f0");
    const Json& moved = schema.at("$defs").at("f0");
    EXPECT_EQ(moved.at("properties").at("next").at("$ref"), "#/$defs/f0/$defs/node");
    EXPECT_EQ(moved.at("properties").at("self").at("$ref"), "#/$defs/f0");
    EXPECT_TRUE(moved.at("$defs").at("node").at("properties").at("$ref").is_object());
}

TEST(DemandedCalls, AreReadWholeAndACutOneIsLeftOut) {
    const std::string text =
        R"([{"name":"f","arguments":{"b":"x]}\"","a":[1,{}]}}, {"name":"g","arguments":{}}])";
    const auto calls = calls_in(text);
    ASSERT_EQ(calls.size(), 2U);
    EXPECT_EQ(calls[0], (core::ToolCall{"id0", "f", R"({"b":"x]}\"","a":[1,{}]})"}));
    EXPECT_EQ(calls[1], (core::ToolCall{"id1", "g", "{}"}));
    const std::size_t first_ends = text.find("}, {") + 1;
    for (std::size_t cut = 0; cut < text.size(); ++cut) {
        EXPECT_EQ(calls_in(text.substr(0, cut)).size(), cut < first_ends        ? 0U
                                                        : cut < text.size() - 1 ? 1U
                                                                                : 2U)
            << text.substr(0, cut);
    }
    EXPECT_TRUE(calls_in("Good morning.").empty());
    EXPECT_TRUE(calls_in(R"([{"name":"f","arguments":"text"},{"arguments":{}},3])").empty());
}

// A grammar lets through what a strict reader of JSON refuses: half a pair of surrogates, a number
// that no double holds. What the engine said is what the client gets.
TEST(DemandedCalls, ArgumentsArePassedOnAsTheyWereSaid) {
    const std::string arguments = R"({ "a": "\ud83d \"}{", "b": [1e999, {}], "c": 0.10 })";
    const auto calls =
        calls_in(R"( [ { "name" : "f\u0020g" , "arguments" : )" + arguments + R"( } ] )");
    ASSERT_EQ(calls.size(), 1U);
    EXPECT_EQ(calls[0].name, "f g");
    EXPECT_EQ(calls[0].arguments_json, arguments);
    for (const char* cut :
         {"[", "[{", R"([{"name")", R"([{"name":"f)", R"([{"name":"f\)",
          R"([{"name":"f","arguments":{"x":"\)", R"([{"name":"f","arguments":{})"})
        EXPECT_TRUE(calls_in(cut).empty()) << cut;
}

// A schema may allow arguments that are no object where it does not say so with its type.
TEST(DemandedCalls, ArgumentsThatAreNoObjectAreToldFromACut) {
    for (const char* other :
         {R"([{"name":"f","arguments":"text"}])", R"([{"name":"f","arguments": [1]}])",
          R"( [ { "name" : "f" , "arguments" : 7 } ] )", R"([{"name":"f","arguments":null}])"}) {
        EXPECT_TRUE(calls_without_object(other)) << other;
        EXPECT_TRUE(calls_in(other).empty()) << other;
    }
    for (const char* later :
         {R"([{"name":"f","arguments":{}},{"name":"f","arguments":"text"}])",
          R"([{"name":"f","arguments":{"a":[1]}} , {"name":"f","arguments": 7},{"name)"}) {
        EXPECT_TRUE(calls_without_object(later)) << later;
    }
    for (const char* fine :
         {R"([{"name":"f","arguments":{}},{"name":"g","arguments":)",
          R"([{"name":"f","arguments":{}},{"name":"g","arguments":{"a":"b"}}])",
          R"([{"name":"f","arguments":{}},{"na)", "", "[", "[{", R"([{"name":"f","arguments":)",
          R"([{"name":"f","arguments": )", R"([{"name":"f","arguments":{"a)",
          R"([{"name":"f","arguments":{}}])", "Good morning."}) {
        EXPECT_FALSE(calls_without_object(fine)) << fine;
    }
}

TEST(DemandedCalls, ARequestDemandsThemByTheChoiceOfATool) {
    const auto read = [](const std::string& more) {
        return read_request(R"({"messages":[],"stop":["x"],"temperature":1,"tools":[{"type":)"
                            R"("function","function":{"name":"f"}}])" +
                            more + "}");
    };
    const auto demanded = read(R"(,"tool_choice":"required")");
    ASSERT_TRUE(demanded);
    EXPECT_TRUE(demanded->calls_demanded);
    // A stop word must not cut the call.
    EXPECT_EQ(demanded->fields_json, R"({"temperature":1})");
    const auto named = read(R"(,"tool_choice":{"type":"function","function":{"name":"f"}})");
    EXPECT_TRUE(named && named->calls_demanded);
    const auto free_choice = read(R"(,"tool_choice":"auto")");
    EXPECT_TRUE(free_choice && !free_choice->calls_demanded);
    EXPECT_TRUE(free_choice->fields_json.find("stop") != std::string::npos);
    EXPECT_FALSE(read(R"(,"tool_choice":"required","grammar":"root ::= \"a\"")"));
}

// Whoever asks for the reasons first wants them made first.
TEST(DemandedCalls, ASchemaKeepsItsOrder) {
    const auto request = read_request(
        R"({"messages":[],"response_format":{"type":"json_schema","json_schema":{"name":"s",)"
        R"("schema":{"type":"object","properties":{"why":{},"answer":{}}}}}})");
    ASSERT_TRUE(request);
    EXPECT_EQ(request->form_json,
              R"({"json_schema":{"type":"object","properties":{"why":{},"answer":{}}}})");
}

}  // namespace
}  // namespace idlewatt::engine
