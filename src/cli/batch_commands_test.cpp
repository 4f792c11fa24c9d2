// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Commands for batches, against a server that answers as ours does.
#include "cli/batch_commands.hpp"

#include <filesystem>
#include <fstream>
#include <sstream>

#include <unistd.h>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "cli/batch_status.hpp"
#include "cli/batch_transfer.hpp"
#include "cli/fake_gateway_test.hpp"
#include "cli/files.hpp"

namespace idlewatt::cli {
namespace {

std::string batch_json(const std::string& status, int completed, int failed, int total = 9) {
    const auto file = [](bool there, const char* id) {
        return there ? nlohmann::json(id) : nlohmann::json();
    };
    return nlohmann::json{
        {"id", "batch_1"},
        {"object", "batch"},
        {"endpoint", "/v1/chat/completions"},
        {"status", status},
        {"created_at", 1'790'000'000},
        {"output_file_id", file(completed > 0, "file-out")},
        {"error_file_id", file(failed > 0, "file-err")},
        {"request_counts", {{"total", total}, {"completed", completed}, {"failed", failed}}}}
        .dump();
}

class BatchCommands : public testing::Test {
protected:
    void SetUp() override {
        std::string name = std::filesystem::temp_directory_path() / "idlewatt-batch-XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        folder = name;
        path = folder + "/lines \"1\".jsonl";
        std::ofstream(path) << R"({"custom_id":"a","method":"POST","url":"/v1/embeddings"})"
                            << "\nmore\n";
    }
    void TearDown() override { std::filesystem::remove_all(folder); }

    // On the server's thread.
    void answer(http::Server& to, const http::Request& request) {
        const auto reply = [&](int status, const std::string& body) {
            to.respond(request.id, {status, {{"content-type", "application/json"}}, body});
        };
        if (request.target == "/v1/files") {
            reply(200, R"({"id":"file-in","object":"file"})");
        } else if (request.target == "/v1/batches" && request.method == "POST") {
            reply(200, batch_json("validating", 0, 0, 0));
        } else if (request.target == "/v1/batches/batch_1/cancel") {
            reply(200, batch_json("cancelling", 2, 0));
        } else if (request.target == "/v1/batches/batch_1") {
            const std::size_t look = std::min(looks++, course.size() - 1);
            course[look].empty() ? reply(503, "{}") : reply(200, course[look]);
        } else if (request.target == "/v1/batches?limit=100") {
            reply(200, R"({"object":"list","data":[)" + course[0] + R"(],"has_more":true})");
        } else if (request.target.ends_with("/content") || request.target.ends_with("/x-partial")) {
            reply(200, request.target + "\n");
        } else {
            reply(404, R"({"error":{"message":"No.","param":"id","code":"not_found"}})");
        }
    }

    std::string folder;
    std::string path;
    std::vector<std::string> course{batch_json("completed", 9, 0)};
    std::size_t looks = 0;
    FakeGateway server{
        [this](http::Server& to, const http::Request& request) { answer(to, request); }};
    Connection connection = server.connection();
    std::ostringstream out, err;
};

TEST_F(BatchCommands, a_file_is_sent_as_a_form_and_a_batch_is_made_of_it) {
    ASSERT_EQ(batch_submit(connection, {path, "", false}, {out, err}), ExitCode::ok) << err.str();
    EXPECT_EQ(out.str(), "batch_1\n");
    EXPECT_NE(err.str().find("next: idlewatt batch watch batch_1"), std::string::npos);
    const auto requests = server.requests();
    ASSERT_EQ(requests.size(), 2U);
    const std::string type = requests[0].headers.find("content-type")->second;
    const std::string boundary = "--" + type.substr(type.find("boundary=") + 9);
    const std::string& form = requests[0].body;
    EXPECT_TRUE(form.starts_with(boundary + "\r\n"));
    EXPECT_TRUE(form.ends_with("\r\n" + boundary + "--\r\n"));
    EXPECT_NE(form.find("name=\"purpose\"\r\n\r\nbatch\r\n"), std::string::npos);
    EXPECT_NE(form.find("filename=\"lines _1_.jsonl\""), std::string::npos);
    EXPECT_NE(form.find("\r\n\r\n" + *read_file(path) + "\r\n--"), std::string::npos);
    const auto order = nlohmann::json::parse(requests[1].body);
    EXPECT_EQ(order["input_file_id"], "file-in");
    EXPECT_EQ(order["endpoint"], "/v1/embeddings");
    EXPECT_EQ(order["completion_window"], "24h");
}

TEST_F(BatchCommands, a_file_without_an_endpoint_is_refused_before_it_is_sent) {
    std::ofstream(path) << "hello\n";
    EXPECT_EQ(batch_submit(connection, {path, "", false}, {out, err}), ExitCode::usage);
    EXPECT_NE(err.str().find("--endpoint"), std::string::npos);
    EXPECT_TRUE(server.requests().empty());
    EXPECT_EQ(batch_submit(connection, {folder + "/none", "/v1/embeddings", false}, {out, err}),
              ExitCode::not_found);
}

// One whose thread has not begun when it ends hung here for ever.
TEST_F(BatchCommands, a_gateway_that_nobody_asks_ends) {
    for (int i = 0; i < 100; ++i)
        FakeGateway unasked([](http::Server&, const http::Request&) {});
}

TEST_F(BatchCommands, a_watch_rides_over_a_coordinator_that_is_away) {
    course = {batch_json("in_progress", 2, 0), "", batch_json("completed", 9, 0)};
    EXPECT_EQ(batch_watch(connection, "batch_1", {out, err}), ExitCode::ok) << err.str();
    EXPECT_NE(err.str().find("completed: 9 ok / 0 failed"), std::string::npos);
    EXPECT_EQ(out.str(), "");
    EXPECT_EQ(batch_watch(connection, "batch_2", {out, err}), ExitCode::not_found);
}

TEST_F(BatchCommands, how_it_ended_is_the_exit_code) {
    const auto code = [](const std::string& json) {
        return batch_exit_code(*parse_batch_status(json));
    };
    EXPECT_EQ(code(batch_json("completed", 9, 0)), ExitCode::ok);
    EXPECT_EQ(code(batch_json("completed", 8, 1)), ExitCode::partial);
    EXPECT_EQ(code(batch_json("completed", 0, 9)), ExitCode::failure);
    EXPECT_EQ(code(batch_json("failed", 0, 0)), ExitCode::failure);
    EXPECT_EQ(code(batch_json("cancelled", 3, 0)), ExitCode::partial);
    EXPECT_EQ(batch_verdict(*parse_batch_status(batch_json("completed", 0, 9))),
              "completed: 0 ok / 9 failed");
    EXPECT_EQ(batch_verdict(*parse_batch_status(batch_json("expired", 4, 1))),
              "expired: 4 ok / 1 failed / 4 not run");
    for (const char* bad : {"", "[]", "{}", R"({"id":1,"status":2})"})
        EXPECT_FALSE(parse_batch_status(bad)) << bad;
}

TEST_F(BatchCommands, faults_of_a_file_are_named_with_their_lines) {
    course = {R"({"id":"batch_1","status":"failed","errors":{"object":"list","data":[
        {"code":"x","message":"Twice.","param":null,"line":3}]}})"};
    EXPECT_EQ(batch_watch(connection, "batch_1", {out, err}), ExitCode::failure);
    EXPECT_NE(err.str().find("line 3: Twice."), std::string::npos);
}

TEST_F(BatchCommands, results_are_both_files_or_what_there_is) {
    course = {batch_json("completed", 8, 1)};
    const std::string to = folder + "/answers";
    EXPECT_EQ(batch_results(connection, "batch_1", to, {out, err}), ExitCode::partial);
    EXPECT_EQ(*read_file(to), "/v1/files/file-out/content\n/v1/files/file-err/content\n");
    EXPECT_EQ(out.str(), "");
    EXPECT_FALSE(std::filesystem::exists(to + ".part"));
    course = {batch_json("in_progress", 8, 0)};
    EXPECT_EQ(batch_results(connection, "batch_1", "", {out, err}), ExitCode::partial);
    EXPECT_EQ(out.str(), "/v1/batches/batch_1/x-partial\n");
    EXPECT_NE(err.str().find("8 of 9 lines so far"), std::string::npos);
    EXPECT_EQ(batch_results(connection, "batch_1", folder, {out, err}), ExitCode::failure);
}

TEST_F(BatchCommands, lists_say_that_there_is_more) {
    EXPECT_EQ(batch_ls(connection, {out, err}), ExitCode::ok);
    EXPECT_NE(out.str().find("batch_1  completed  9   0"), std::string::npos) << out.str();
    EXPECT_NE(err.str().find("there are more"), std::string::npos);
    EXPECT_EQ(batch_cancel(connection, "batch_1", {out, err}), ExitCode::ok);
    EXPECT_NE(err.str().find("is cancelling"), std::string::npos);
}

TEST_F(BatchCommands, a_bar_counts_lines) {
    Progress progress(err, ProgressStyle::plain, "batch_1", 200, ProgressUnit::lines);
    progress.begin(0, base::Instant{});
    progress.update(100, base::Instant{} + base::seconds(10));
    EXPECT_EQ(err.str(), "batch_1: 50 %  100 lines of 200 lines  10 lines/s  10s\n");
}

}  // namespace
}  // namespace idlewatt::cli
