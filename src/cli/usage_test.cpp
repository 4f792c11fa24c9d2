// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Small parts of the commands, without a server: words, tables, progress, event streams.
#include "cli/usage.hpp"

#include <sstream>

#include <gtest/gtest.h>

#include "cli/chat_session.hpp"
#include "cli/columns.hpp"
#include "cli/config_commands.hpp"
#include "cli/doctor.hpp"
#include "cli/fake_gateway_test.hpp"
#include "cli/progress.hpp"
#include "cli/role_commands.hpp"
#include "cli/run_command.hpp"

namespace idlewatt::cli {
namespace {

base::Instant at(std::int64_t milliseconds) {
    return base::Instant{} + base::milliseconds(milliseconds);
}

TEST(Columns, words_for_people) {
    EXPECT_EQ(bytes_text(999), "999 bytes");
    EXPECT_EQ(bytes_text(1'500'000), "1.5 MB");
    EXPECT_EQ(bytes_text(999'960'000), "1.0 GB");
    EXPECT_EQ(parse_span("90")->ns, base::seconds(90).ns);
    EXPECT_EQ(parse_span("7d")->ns, base::minutes(7 * 24 * 60).ns);
    for (const char* bad : {"", "x", "-1", "0", "1w", "99999999999999d", "1 h"})
        EXPECT_FALSE(parse_span(bad)) << bad;
    EXPECT_EQ(path_segment("a/b:c d"), "a%2Fb%3Ac%20d");
}

TEST(ProgressLines, a_plain_line_every_ten_seconds_and_never_back) {
    std::ostringstream err;
    Progress progress(err, ProgressStyle::plain, "send m", 1'000);
    progress.begin(0, at(0));
    for (std::int64_t i = 1; i <= 100; ++i)
        progress.update(static_cast<std::uint64_t>(i * 10), at(i * 350));
    progress.update(500, at(35'100));
    progress.finish(at(35'200));
    const std::string text = err.str();
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 4) << text;
    EXPECT_EQ(text.find('\r'), std::string::npos);
    EXPECT_EQ(text.find("-"), std::string::npos);
}

TEST(ProgressLines, what_takes_a_moment_is_one_line) {
    std::ostringstream err;
    Progress progress(err, ProgressStyle::plain, "send m", 7'000'000);
    progress.begin(0, at(0));
    for (std::int64_t i = 1; i <= 100; ++i)
        progress.update(static_cast<std::uint64_t>(i * 70'000), at(i * 20));
    progress.finish(at(2'100));
    EXPECT_EQ(err.str(), "send m: 7.0 MB in 2s\n");
    err.str("");
    Progress lines(err, ProgressStyle::plain, "batch_1", 3, ProgressUnit::lines);
    lines.begin(2, at(0));
    EXPECT_EQ(err.str(), "batch_1: 2 of 3 lines are answered already\n");
}

TEST(ProgressLines, a_bar_is_drawn_ten_times_a_second_and_cleared) {
    std::ostringstream err;
    {
        Progress progress(err, ProgressStyle::bar, "send m", 1'000);
        progress.begin(500, at(0));
        for (std::int64_t i = 0; i < 1'000; ++i)
            progress.update(static_cast<std::uint64_t>(500 + i / 2), at(i));
    }
    const std::string text = err.str();
    EXPECT_LE(std::count(text.begin(), text.end(), '#'), 11 * 24);
    EXPECT_LE(std::count(text.begin(), text.end(), '\r'), 11);
    EXPECT_TRUE(text.ends_with("\r\x1b[K"));
}

TEST(EventLines, come_whole_from_any_cut) {
    const std::string stream =
        ": keep-alive\n\ndata: {\"a\":1}\n\ndata: two\r\ndata: lines\r\n\r\ndata: [DONE]\n\n";
    const std::vector<std::string> expected{"{\"a\":1}", "two\nlines", "[DONE]"};
    for (std::size_t cut = 1; cut <= stream.size(); ++cut) {
        EventLines lines;
        std::vector<std::string> events;
        for (std::size_t at_byte = 0; at_byte < stream.size(); at_byte += cut) {
            for (std::string& event : lines.feed(std::string_view(stream).substr(at_byte, cut)))
                events.push_back(std::move(event));
        }
        EXPECT_EQ(events, expected) << "cut " << cut;
    }
}

TEST(Run, streams_the_answer_and_remembers_it) {
    FakeGateway server([](http::Server& to, const http::Request& request) {
        const std::string chunk = R"({"choices":[{"index":0,"delta":{"content":"Hello)";
        to.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
        to.write(request.id, "data: " + chunk + R"( you"},"finish_reason":null}]})" + "\n\n");
        to.write(request.id,
                 R"(data: {"choices":[{"index":0,"delta":{},"finish_reason":"stop"}]})"
                 "\n\n"
                 R"(data: {"choices":[],"usage":{"prompt_tokens":5,"completion_tokens":2}})"
                 "\n\ndata: [DONE]\n\n");
        to.end(request.id);
    });
    std::ostringstream out, err;
    const Output output{out, err};
    ChatOptions options;
    options.model = "tiny";
    options.verbose = true;
    ChatSession session(server.connection(), options, output);
    std::istringstream in("\"\"\"one\ntwo\"\"\"\nagain\n/?\n/bye\nnever\n");
    EXPECT_EQ(run_conversation(session, in, output), 0);
    EXPECT_EQ(out.str(), "Hello you\nHello you\n");
    EXPECT_NE(err.str().find("2 tokens in"), std::string::npos) << err.str();
    ASSERT_EQ(server.requests().size(), 2U);
    EXPECT_NE(server.requests()[0].body.find("one\\ntwo"), std::string::npos);
    EXPECT_NE(server.requests()[1].body.find("Hello you"), std::string::npos);
}

TEST(Refusals, what_waiting_does_not_end_is_not_waited_for) {
    const auto said = [](const std::string& code) {
        std::ostringstream err;
        const std::string body = R"({"error":{"message":"Full.","code":")" + code + "\"}}";
        EXPECT_EQ(report_refusal({}, {429, {}, body}, false, err), ExitCode::no_capacity);
        return err.str();
    };
    EXPECT_NE(said("slow_down").find("Try again later"), std::string::npos);
    EXPECT_EQ(said("insufficient_quota").find("Try again later"), std::string::npos);
}

TEST(Run, a_broken_answer_is_an_error) {
    std::ostringstream out, err;
    const auto code_of_run = [&](const std::string& error_code) {
        FakeGateway server([error_code](http::Server& to, const http::Request& request) {
            to.begin(request.id, {200, {{"content-type", "text/event-stream"}}, ""});
            to.write(request.id,
                     R"(data: {"error":{"message":"No car.","code":")" + error_code + "\"}}\n\n");
            to.end(request.id);
        });
        ChatSession session(server.connection(), {}, {out, err});
        return run_once(session, "hi");
    };
    for (const char* later : {"worker_preempted", "no_capacity", "model_loading"})
        EXPECT_EQ(code_of_run(later), to_int(ExitCode::no_capacity)) << later;
    EXPECT_EQ(code_of_run("internal_error"), to_int(ExitCode::failure));
    EXPECT_NE(err.str().find("No car."), std::string::npos);
    Connection nowhere{"http://127.0.0.1:1", ""};
    ChatSession lost(nowhere, {}, {out, err});
    EXPECT_EQ(run_once(lost, "hi"), to_int(ExitCode::failure));
}

TEST(Doctor, a_broken_finding_is_a_failure) {
    std::ostringstream out, err;
    EXPECT_EQ(report_findings({{"a", Finding::Status::notice, "so so", "better"}}, {out, err}),
              ExitCode::ok);
    EXPECT_EQ(report_findings({{"a", Finding::Status::broken, "no", "do"}}, {out, err, true}),
              ExitCode::failure);
    EXPECT_NE(out.str().find(R"({"ok":false,"checks":[{"name":"a","status":"broken")"),
              std::string::npos)
        << out.str();
}

TEST(ConfigShow, names_the_origin_and_hides_secrets) {
    config::Settings settings;
    ASSERT_TRUE(settings.read_environment([](std::string_view key) -> std::optional<std::string> {
        if (key == "IDLEWATT_API_KEY")
            return "iw-hidden";
        return std::nullopt;
    }));
    std::ostringstream out, err;
    EXPECT_EQ(config_show(settings, true, {out, err}), ExitCode::ok);
    EXPECT_EQ(out.str().find("iw-hidden"), std::string::npos);
    EXPECT_NE(out.str().find("# environment: IDLEWATT_API_KEY"), std::string::npos);
}

TEST(Usage, only_a_near_word_is_suggested) {
    const std::vector<std::string_view> names{"run", "up", "vehicle", "model"};
    EXPECT_EQ(near_word("vehicel", names), "vehicle");
    EXPECT_EQ(near_word("modle", names), "model");
    EXPECT_EQ(near_word("frob", names), "");
    EXPECT_EQ(near_word("nonsense", names), "");
    EXPECT_EQ(near_word("x", {}), "");
}

TEST(Usage, help_is_a_word_too) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(words_meant({"help"}), Words{"--help"});
    EXPECT_EQ(words_meant({"help", "vehicle", "why"}), (Words{"vehicle", "why", "--help"}));
    EXPECT_EQ(words_meant({"run", "help"}), (Words{"run", "help"}));
    EXPECT_EQ(words_meant({}), Words{});
}

TEST(Usage, the_agents_words_are_not_read) {
    using Words = std::vector<std::string>;
    EXPECT_EQ(words_for_agent({"agent", "--", "--help"}), Words{"--help"});
    EXPECT_EQ(words_for_agent({"agent", "--", "enrol", "--coordinator", "u", "--", "x"}),
              (Words{"enrol", "--coordinator", "u", "--", "x"}));
    EXPECT_EQ(words_for_agent({"agent", "--"}), Words{});
    for (const Words& other : {Words{}, {"agent"}, {"agent", "--help"}, {"run", "--", "agent"}})
        EXPECT_FALSE(words_for_agent(other));
}

TEST(Usage, descriptions_have_a_first_line_and_examples) {
    EXPECT_EQ(summary_of("One\n\nExamples:\n  x"), "One");
    EXPECT_EQ(examples_of("One\n\nExamples:\n  x"), "Examples:\n  x");
    EXPECT_EQ(examples_of("One"), "");
}

}  // namespace
}  // namespace idlewatt::cli
