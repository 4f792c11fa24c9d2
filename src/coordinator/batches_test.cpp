// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Batches from the first line to the last file, as clients and gateways see them.
#include "base/prng.hpp"
#include "coordinator/batch_desk.hpp"
#include "coordinator/batch_fixture_test.hpp"

namespace idlewatt::coordinator {
namespace {

using wire::BatchResultState;

class BatchesTest : public BatchOfficeTest {};

TEST_F(BatchesTest, FromAFileToItsAnswers) {
    const std::string input = file(request_lines(3));
    const auto created = create(input, {{"metadata", {{"who", "me"}}}});
    ASSERT_EQ(created.status, 200) << created.body;
    EXPECT_TRUE(created.headers.contains("x-request-id"));
    const Json first = Json::parse(created.body);
    const std::string id = first["id"];
    EXPECT_TRUE(id.starts_with("batch_"));
    EXPECT_EQ(first["object"], "batch");
    EXPECT_EQ(first["status"], "validating");
    EXPECT_EQ(first["metadata"]["who"], "me");
    EXPECT_EQ(first["expires_at"].get<int>() - first["created_at"].get<int>(), 86'400);
    EXPECT_TRUE(first["errors"].is_null());
    ASSERT_TRUE(becomes(id, "in_progress"));
    EXPECT_EQ(show(id)["request_counts"]["total"], 3);
    EXPECT_EQ(show(id)["model"], "tiny");

    const wire::BatchWork got = work(10);
    ASSERT_EQ(got.items.size(), 3U);
    EXPECT_EQ(got.items[0].endpoint, "/v1/chat/completions");
    EXPECT_EQ(Json::parse(got.items[0].body), (Json{{"model", "tiny"}, {"prompt", "2+2?"}}));
    EXPECT_EQ(got.items[0].key, database->keys.begin()->first);
    EXPECT_EQ(give(result_of(got.items[0])), BatchResultState::committed);
    EXPECT_EQ(give(result_of(got.items[1], 400)), BatchResultState::committed);
    EXPECT_EQ(show(id)["request_counts"]["completed"], 1);
    EXPECT_EQ(show(id)["request_counts"]["failed"], 1);
    wire::BatchResult late = result_of(got.items[2], 0);
    late.body.clear();
    EXPECT_EQ(give(late), BatchResultState::committed);

    ASSERT_TRUE(becomes(id, "completed"));
    const Json last = show(id);
    EXPECT_EQ(last["request_counts"], (Json{{"total", 3}, {"completed", 1}, {"failed", 2}}));
    EXPECT_EQ(last["usage"]["input_tokens"], 7);
    EXPECT_EQ(last["usage"]["input_tokens_details"]["cached_tokens"], 2);
    EXPECT_EQ(last["usage"]["output_tokens"], 3);
    EXPECT_EQ(last["usage"]["output_tokens_details"]["reasoning_tokens"], 1);
    EXPECT_EQ(last["usage"]["total_tokens"], 10);
    for (const char* time : {"in_progress_at", "finalizing_at", "completed_at"})
        EXPECT_TRUE(last[time].is_number()) << time;
    const auto output = lines_in(last["output_file_id"]);
    ASSERT_EQ(output.size(), 1U);
    EXPECT_EQ(output.at("id-1")["response"]["status_code"], 200);
    EXPECT_EQ(output.at("id-1")["response"]["request_id"], "req_1");
    EXPECT_EQ(output.at("id-1")["response"]["body"]["id"], "chatcmpl-1");
    EXPECT_TRUE(output.at("id-1")["error"].is_null());
    const auto errors = lines_in(last["error_file_id"]);
    ASSERT_EQ(errors.size(), 2U);
    EXPECT_EQ(errors.at("id-2")["response"]["status_code"], 400);
    EXPECT_EQ(errors.at("id-2")["response"]["body"]["error"]["message"], "no");
    EXPECT_TRUE(errors.at("id-3")["response"].is_null());
    EXPECT_EQ(errors.at("id-3")["error"]["code"], "request_timeout");
    const Json output_file =
        Json::parse(mine("GET", "/v1/files/" + last["output_file_id"].get<std::string>()).body);
    EXPECT_EQ(output_file["purpose"], "batch_output");
    EXPECT_TRUE(database->lines.empty()) << "the files have them now";
}

TEST_F(BatchesTest, NoOutputFileWhenNothingSucceeded) {
    const std::string id = batch(request_lines(2));
    run_all(500);
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_TRUE(show(id)["output_file_id"].is_null());
    EXPECT_EQ(lines_in(show(id)["error_file_id"]).size(), 2U);
}

TEST_F(BatchesTest, EveryFaultIsNamedWithItsLine) {
    const auto other = [](Json change, const char* id) {
        Json line = Json::parse(request_line(id));
        line.update(change, true);
        return line.dump() + "\n";
    };
    const std::string lines =
        request_line("a") + "{\"custom_id\":\n" + "\n" + other({{"custom_id", ""}}, "x") +
        request_line("a") + other({{"method", "GET"}}, "b") +
        other({{"url", "/v1/embeddings"}}, "c") + request_line("d", "?", "nobody's") +
        other({{"body", {{"stream", true}}}}, "e") + other({{"body", "text"}}, "f") + "[]\n" +
        request_line("g", std::string(600'000, 'x')) + other({{"body", {{"model", 1}}}}, "h");
    const std::string id = batch(lines);
    ASSERT_EQ(show(id)["status"], "failed");
    EXPECT_TRUE(show(id)["failed_at"].is_number());
    std::vector<std::pair<int, std::string>> found;
    const Json faults = show(id)["errors"]["data"];
    for (const Json& fault : faults)
        found.emplace_back(fault["line"], fault["code"]);
    const std::vector<std::pair<int, std::string>> expected{
        {2, "invalid_json_line"},   {3, "blank_line"},           {4, "missing_custom_id"},
        {5, "duplicate_custom_id"}, {6, "invalid_method"},       {7, "mismatched_url"},
        {8, "model_not_found"},     {9, "stream_not_supported"}, {10, "missing_body"},
        {11, "invalid_json_line"},  {12, "line_too_long"},       {13, "missing_model"}};
    EXPECT_EQ(found, expected);
    EXPECT_TRUE(work(10).items.empty());
}

TEST_F(BatchesTest, FilesThatAreNoBatchFail) {
    const auto fault_of = [&](const std::string& input) {
        const std::string id = Json::parse(create(input).body)["id"];
        EXPECT_TRUE(becomes(id, "failed"));
        const Json faults = show(id)["errors"]["data"];
        EXPECT_TRUE(faults[0]["line"].is_null());
        return faults[0]["code"].get<std::string>();
    };
    EXPECT_EQ(fault_of(file("")), "empty_file");
    EXPECT_EQ(fault_of(file(request_lines(1), "user_data")), "invalid_file_purpose");
    std::string many;
    for (int i = 0; i <= 50'000; ++i)
        many += request_line(std::to_string(i));
    EXPECT_EQ(fault_of(file(many)), "too_many_lines");
}

TEST_F(BatchesTest, FiftyThousandLinesAreOneBatch) {
    std::string many;
    for (int i = 0; i < 50'000; ++i)
        many += request_line(std::to_string(i));
    many.pop_back();  // a last line needs no end
    const std::string id = batch(many);
    EXPECT_EQ(show(id)["request_counts"]["total"], 50'000);
    EXPECT_EQ(work(256).items.size(), 256U);
}

TEST_F(BatchesTest, OrdersThatCannotBe) {
    const std::string input = file(request_lines(1));
    for (const Json& wrong :
         {Json{{"endpoint", "/v1/responses"}}, Json{{"completion_window", "1h"}},
          Json{{"input_file_id", 5}}, Json{{"metadata", {{"a", 1}}}},
          Json{{"metadata", {{"x_deadline", "soon"}}}},
          Json{{"output_expires_after", {{"anchor", "created_at"}, {"seconds", 60}}}}}) {
        const auto answer = create(input, wrong);
        EXPECT_EQ(answer.status, 400) << answer.body;
        EXPECT_EQ(code_of(answer), "invalid_value");
    }
    EXPECT_EQ(create("file-none").status, 404);
    EXPECT_EQ(mine("GET", "/v1/batches/batch_none").status, 404);
    EXPECT_EQ(mine("POST", "/v1/batches/batch_none/cancel").status, 404);
    EXPECT_EQ(mine("DELETE", "/v1/batches").status, 405);
    EXPECT_EQ(mine("GET", "/v1/batches/batch_none/else").status, 404);
    EXPECT_EQ(mine("GET", "/v1/batches?limit=0").status, 400);
}

TEST_F(BatchesTest, EverybodySeesTheirOwn) {
    const std::string id = batch(request_lines(1));
    const std::string input = show(id)["input_file_id"];
    const std::string other = key_of(core::KeyRole::customer);
    for (const std::string& path :
         {"/v1/batches/" + id, "/v1/files/" + input, "/v1/files/" + input + "/content"}) {
        EXPECT_EQ(call("GET", path, "", other).status, 404) << path;
        EXPECT_EQ(call("GET", path, "", operator_secret).status, 404) << path;
        EXPECT_EQ(call("GET", path, "", "").status, 401) << path;
        EXPECT_EQ(call("GET", path, "", key_of(core::KeyRole::analyst)).status, 403) << path;
    }
    EXPECT_EQ(call("POST", "/v1/batches/" + id + "/cancel", "", other).status, 404);
    EXPECT_EQ(call("DELETE", "/v1/files/" + input, "", other).status, 404);
    EXPECT_TRUE(Json::parse(call("GET", "/v1/batches", "", other).body)["data"].empty());
    EXPECT_TRUE(Json::parse(call("GET", "/v1/files", "", other).body)["data"].empty());
}

TEST_F(BatchesTest, PagesOfBatches) {
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(batch(request_lines(1)));
        loop.run_for(base::milliseconds(5));
    }
    std::vector<std::string> seen;
    std::string after;
    for (;;) {
        const Json page = Json::parse(mine("GET", "/v1/batches?limit=2" + after).body);
        for (const Json& one : page["data"])
            seen.push_back(one["id"]);
        EXPECT_EQ(page["first_id"], page["data"].front()["id"]);
        if (!page["has_more"].get<bool>())
            break;
        after = "&after=" + page["last_id"].get<std::string>();
    }
    EXPECT_EQ(seen, std::vector<std::string>(ids.rbegin(), ids.rend()));
}

TEST_F(BatchesTest, AKeyHasNoMoreThanItsShareOfThem) {
    const std::string input = file(request_lines(1));
    std::string first;
    for (std::size_t i = 0; i < batches_open_per_key_max; ++i) {
        const auto created = create(input);
        ASSERT_EQ(created.status, 200) << created.body;
        if (first.empty())
            first = Json::parse(created.body)["id"];
    }
    const auto refused = create(input);
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(code_of(refused), "rate_limit_exceeded");
    EXPECT_NE(refused.body.find(std::to_string(batches_open_per_key_max)), std::string::npos);
    const std::string other = std::exchange(me, key_of(core::KeyRole::customer));
    EXPECT_EQ(create(file(request_lines(1))).status, 200) << "somebody else's share";
    me = other;
    mine("POST", "/v1/batches/" + first + "/cancel");
    ASSERT_TRUE(becomes(first, "cancelled"));
    EXPECT_EQ(create(input).status, 200);
}

TEST_F(BatchesTest, EndedOnesGoWithTheirFilesWhenTheirTimeIsOver) {
    const std::string old = batch(request_lines(2));
    run_all();
    ASSERT_TRUE(becomes(old, "completed"));
    const std::string output = show(old)["output_file_id"];
    const std::string input = show(old)["input_file_id"];
    const std::string kept = Json::parse(
        create(input,
               {{"output_expires_after", {{"anchor", "created_at"}, {"seconds", 2'592'000}}}})
            .body)["id"];
    ASSERT_TRUE(becomes(kept, "in_progress"));
    run_all();
    ASSERT_TRUE(becomes(kept, "completed"));
    // Its end is a day younger.
    database->batches.at(kept).ended_at =
        *database->batches.at(kept).ended_at + base::minutes(24 * 60);
    const std::string running = batch(request_lines(1));

    const auto later = [&](base::Duration span) {
        for (auto& [id, row] : database->batches) {
            if (row.ended_at)
                row.ended_at = *row.ended_at + base::Duration{-span.ns};
        }
        loop.run_for(batch_prune_period * 2 + base::seconds(2));
    };
    later(ended_batch_kept + base::minutes(-60));
    EXPECT_EQ(mine("GET", "/v1/batches/" + old).status, 200);
    database->failing = true;
    later(base::minutes(60));
    database->failing = false;
    loop.run_for(batch_prune_period * 3);
    EXPECT_EQ(mine("GET", "/v1/batches/" + old).status, 404);
    EXPECT_EQ(mine("GET", "/v1/files/" + output).status, 404);
    EXPECT_EQ(mine("GET", "/v1/files/" + input).status, 200) << "the client's own";
    const Json younger = show(kept);
    EXPECT_EQ(mine("GET", "/v1/files/" + younger["output_file_id"].get<std::string>()).status, 200);
    later(base::minutes(24 * 60));
    EXPECT_EQ(mine("GET", "/v1/batches/" + kept).status, 404);
    EXPECT_EQ(mine("GET", "/v1/files/" + younger["output_file_id"].get<std::string>()).status, 200)
        << "its client has said for how long";
    EXPECT_EQ(show(running)["status"], "in_progress");
}

TEST_F(BatchesTest, CancelledOnesGivePartialFiles) {
    const std::string id = batch(request_lines(3));
    const wire::BatchWork got = work(2);
    ASSERT_EQ(give(result_of(got.items.at(0))), BatchResultState::committed);
    const auto cancelled = mine("POST", "/v1/batches/" + id + "/cancel");
    EXPECT_EQ(cancelled.status, 200);
    EXPECT_EQ(Json::parse(cancelled.body)["status"], "cancelling");
    const auto again = mine("POST", "/v1/batches/" + id + "/cancel");
    EXPECT_EQ(Json::parse(again.body)["status"], "cancelling");
    EXPECT_TRUE(work(9, {got.items[1].lease}).items.empty());
    loop.run_for(batch_cancel_grace);
    ASSERT_TRUE(becomes(id, "cancelled"));
    EXPECT_EQ(work(0, {got.items[1].lease}).ended_leases.size(), 1U);
    EXPECT_EQ(lines_in(show(id)["output_file_id"]).count("id-1"), 1U);
    const auto errors = lines_in(show(id)["error_file_id"]);
    EXPECT_EQ(errors.size(), 2U);
    EXPECT_EQ(errors.at("id-3")["error"]["code"], "batch_cancelled");
    EXPECT_EQ(show(id)["request_counts"], (Json{{"total", 3}, {"completed", 1}, {"failed", 2}}));
    const auto late = mine("POST", "/v1/batches/" + id + "/cancel");
    EXPECT_EQ(late.status, 409);
    EXPECT_EQ(late.headers.at("x-should-retry"), "false");
}

TEST_F(BatchesTest, TheWindowEnds) {
    const std::string id = batch(request_lines(2));
    ASSERT_EQ(give(result_of(work(1).items.at(0))), BatchResultState::committed);
    loop.run_for(base::minutes(24 * 60));
    ASSERT_TRUE(becomes(id, "expired"));
    EXPECT_TRUE(show(id)["expired_at"].is_number());
    EXPECT_EQ(lines_in(show(id)["output_file_id"]).size(), 1U);
    EXPECT_EQ(lines_in(show(id)["error_file_id"]).at("id-2")["error"]["code"], "batch_expired");
}

TEST_F(BatchesTest, ADeadlineOfOnesOwnAndFilesThatGo) {
    const auto seconds = (loop.wall_now().us / 1'000'000) + 120;
    const std::string input = file(request_lines(1));
    const auto created =
        create(input, {{"metadata", {{"x_deadline", std::to_string(seconds)}}},
                       {"output_expires_after", {{"anchor", "created_at"}, {"seconds", 3600}}}});
    const Json first = Json::parse(created.body);
    EXPECT_EQ(first["expires_at"], seconds);
    const std::string id = first["id"];
    ASSERT_TRUE(becomes(id, "in_progress"));
    loop.run_for(base::seconds(130));
    ASSERT_TRUE(becomes(id, "expired"));
    const std::string errors = show(id)["error_file_id"];
    EXPECT_TRUE(Json::parse(mine("GET", "/v1/files/" + errors).body)["expires_at"].is_number());
    loop.run_for(base::seconds(3700));
    EXPECT_EQ(mine("GET", "/v1/files/" + errors).status, 404);
    EXPECT_EQ(mine("GET", "/v1/files/" + input).status, 200);
}

TEST_F(BatchesTest, AFileInUseStays) {
    const std::string id = batch(request_lines(1));
    const std::string input = show(id)["input_file_id"];
    const auto refused = mine("DELETE", "/v1/files/" + input);
    EXPECT_EQ(refused.status, 409);
    EXPECT_EQ(refused.headers.at("x-should-retry"), "false");
    run_all();
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_EQ(mine("DELETE", "/v1/files/" + input).status, 200);
    EXPECT_EQ(mine("GET", "/v1/files/" + input).status, 404);
    EXPECT_EQ(show(id)["status"], "completed");
}

TEST_F(BatchesTest, WhatHasEndedCanBeReadBefore) {
    const std::string id = batch(request_lines(600));
    for (int i = 0; i < 2; ++i) {
        for (const wire::BatchItem& item : work(200).items)
            give(result_of(item, item.line % 2 == 0 ? 200 : 400));
    }
    const auto partial = mine("GET", "/v1/batches/" + id + "/x-partial");
    EXPECT_EQ(partial.status, 200);
    EXPECT_EQ(std::count(partial.body.begin(), partial.body.end(), '\n'), 400);
    run_all();
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_EQ(mine("GET", "/v1/batches/" + id + "/x-partial").status, 409);
    EXPECT_EQ(lines_in(show(id)["output_file_id"]).size(), 400U);
    EXPECT_EQ(lines_in(show(id)["error_file_id"]).size(), 200U);
}

// Its lines go with its end: nothing is to be read, which is not the same as nothing done.
TEST_F(BatchesTest, WhatEndsBeforeItIsReadIsNoEmptyAnswer) {
    const std::string id = batch(request_lines(3));
    EXPECT_EQ(mine("GET", "/v1/batches/" + id + "/x-partial").status, 200);
    std::erase_if(database->lines, [&](const auto& one) { return one.first.first == id; });
    EXPECT_EQ(mine("GET", "/v1/batches/" + id + "/x-partial").status, 200) << "it still runs";
    database->batches.at(id).ended_at = loop.wall_now();
    EXPECT_EQ(mine("GET", "/v1/batches/" + id + "/x-partial").status, 409);
}

TEST_F(BatchesTest, LargeAnswersComeInParts) {
    const std::string id = batch(request_lines(2));
    const auto items = work(2).items;
    const std::string body =
        "{\"text\":\"" + std::string(1'200'000, 'x') + "\",\n\"usage\":{\"prompt_tokens\":1}}";
    wire::BatchResult part = result_of(items.at(0));
    part.parts = 3;
    const auto send = [&](std::uint32_t n) {
        part.part = n;
        part.body = body.substr(n * wire::batch_part_bytes_max, wire::batch_part_bytes_max);
        return give(part);
    };
    EXPECT_EQ(send(1), BatchResultState::send_again);
    EXPECT_EQ(send(0), BatchResultState::part_taken);
    EXPECT_EQ(send(2), BatchResultState::send_again);
    EXPECT_EQ(send(0), BatchResultState::part_taken);
    EXPECT_EQ(send(1), BatchResultState::part_taken);
    EXPECT_EQ(send(2), BatchResultState::committed);
    EXPECT_EQ(send(0), BatchResultState::part_taken);
    wire::BatchResult broken = result_of(items.at(1));
    broken.body = "{\"cut\":";
    EXPECT_EQ(give(broken), BatchResultState::committed);
    ASSERT_TRUE(becomes(id, "completed"));
    const auto output = lines_in(show(id)["output_file_id"]);
    EXPECT_EQ(output.at("id-1")["response"]["body"], Json::parse(body));
    EXPECT_EQ(lines_in(show(id)["error_file_id"]).at("id-2")["response"]["status_code"], 502);
}

TEST_F(BatchesTest, APartBehindAnOldOneIsSentAgain) {
    wire::BatchItem item;
    item.lease = 1;
    item.batch_id = "batch_x";
    wire::BatchResult part = result_of(item);
    part.parts = 2;
    part.body = std::string(wire::batch_part_bytes_max, 'x');
    const std::size_t enough = intake_bytes_max / wire::batch_part_bytes_max;
    for (part.line = 1; part.line <= enough; ++part.line)
        ASSERT_EQ(give(part), BatchResultState::part_taken);
    EXPECT_EQ(give(part), std::nullopt) << "there is no room";
    loop.run_for(base::seconds(61));
    part.line = 1;
    part.part = 1;
    EXPECT_EQ(give(part), BatchResultState::send_again) << "the part before is forgotten";
}

TEST_F(BatchesTest, DownloadsThatWereGivenUpTakeNoPlace) {
    const std::string id = batch(request_lines(3));
    database->latency = base::milliseconds(50);
    for (std::size_t i = 0; i <= partial_downloads_max; ++i) {
        const auto request = server.send(
            "GET", "/v1/batches/" + id + "/x-partial", {{"authorization", "Bearer " + me}}, "",
            {[](int, const http::Headers&) {}, [](std::string_view) {}, [](bool) {}});
        loop.run_for(base::milliseconds(10));
        server.hang_up(request);
    }
    loop.run_for(base::seconds(1));
    EXPECT_EQ(mine("GET", "/v1/batches/" + id + "/x-partial").status, 200);
}

TEST_F(BatchesTest, ARestartLosesNothing) {
    const std::string id = batch(request_lines(3));
    const auto items = work(2).items;
    ASSERT_EQ(give(result_of(items.at(0))), BatchResultState::committed);
    close();
    loop.run_for(base::seconds(1));
    open();
    ASSERT_TRUE(is_once([&] { return mine("GET", "/v1/batches/" + id).status == 200; }));
    EXPECT_EQ(show(id)["request_counts"]["completed"], 1);
    const wire::BatchWork got = work(9, {items[1].lease});
    EXPECT_EQ(got.items.size(), 2U) << "leases are forgotten, results are not";
    EXPECT_EQ(got.ended_leases, std::vector{items[1].lease});
    EXPECT_EQ(give(result_of(items[1])), BatchResultState::committed) << "it counts all the same";
    EXPECT_EQ(give(result_of(got.items[0])), BatchResultState::committed);
    EXPECT_EQ(give(result_of(got.items[1])), BatchResultState::committed);
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_EQ(lines_in(show(id)["output_file_id"]).size(), 3U);
    EXPECT_EQ(show(id)["usage"]["input_tokens"], 21);
}

TEST_F(BatchesTest, NothingIsSaidOfResultsBeforeTheBatchesAreRead) {
    const std::vector<std::string> ids{batch(request_lines(2)), batch(request_lines(2))};
    const auto items = work(4).items;
    ASSERT_EQ(items.size(), 4U);
    close();
    database->latency = base::seconds(2);
    open();
    EXPECT_EQ(give(result_of(items[0])), std::nullopt);
    loop.run_for(base::seconds(1));
    database->failing = true;  // of the batches now, but not of the list of them
    loop.run_for(base::seconds(10));
    EXPECT_EQ(give(result_of(items[1])), std::nullopt);
    database->failing = false;
    database->latency = base::milliseconds(1);
    loop.run_for(base::seconds(10));
    for (const wire::BatchItem& item : items)
        EXPECT_EQ(give(result_of(item)), BatchResultState::committed);
    for (const std::string& id : ids) {
        ASSERT_TRUE(becomes(id, "completed"));
        EXPECT_EQ(lines_in(show(id)["output_file_id"]).size(), 2U);
    }
}

TEST_F(BatchesTest, ADownloadThatTheEndOvertakesIsBrokenOff) {
    const std::string id = batch(request_lines(400));
    const auto give_large = [&](const std::vector<wire::BatchItem>& items) {
        for (const wire::BatchItem& item : items) {
            wire::BatchResult result = result_of(item);
            result.body =
                "{\"text\":\"" + std::string(3000, 'x') + "\",\"usage\":{\"prompt_tokens\":1}}";
            EXPECT_EQ(give(result), BatchResultState::committed);
        }
    };
    give_large(work(200).items);
    give_large(work(150).items);
    std::optional<bool> whole;
    const auto request = server.send("GET", "/v1/batches/" + id + "/x-partial",
                                     {{"authorization", "Bearer " + me}}, "",
                                     {[](int, const http::Headers&) {}, [](std::string_view) {},
                                      [&](bool complete) { whole = complete; }});
    server.set_reading(request, false);
    loop.run_for(base::seconds(1));
    give_large(work(200).items);
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_FALSE(whole);
    server.set_reading(request, true);
    loop.run_for(base::seconds(1));
    EXPECT_EQ(whole, false);
}

TEST_F(BatchesTest, AStoreThatIsAwayLosesNothing) {
    const std::string id = batch(request_lines(2));
    const auto items = work(2).items;
    database->failing = true;
    EXPECT_EQ(give(result_of(items[0])), std::nullopt) << "not acknowledged";
    EXPECT_EQ(mine("GET", "/v1/batches/" + id).status, 503);
    database->failing = false;
    EXPECT_EQ(give(result_of(items[0])), BatchResultState::committed);
    EXPECT_EQ(give(result_of(items[1])), BatchResultState::committed);
    database->failing = true;
    loop.run_for(base::seconds(20));
    database->failing = false;
    ASSERT_TRUE(becomes(id, "completed"));
    EXPECT_EQ(lines_in(show(id)["output_file_id"]).size(), 2U);
}

// Gateways that die, answers that are lost, a coordinator that restarts: every custom_id ends once.
TEST_F(BatchesTest, WhateverHappensEachLineHasOneAnswer) {
    base::Prng prng(11);
    std::vector<std::string> ids;
    for (int i = 0; i < 3; ++i)
        ids.push_back(batch(request_lines(30)));
    std::vector<wire::BatchItem> held;
    for (int round = 0; round < 200; ++round) {
        const std::string name = prng.chance(0.5) ? "g1" : "g2";
        if (prng.chance(0.4)) {
            std::vector<std::uint64_t> named;
            for (const wire::BatchItem& item : held) {
                if (prng.chance(0.7))
                    named.push_back(item.lease);
            }
            if (named.size() > 50)
                named.resize(50);
            const auto got = work(static_cast<std::uint32_t>(prng.below(8)), named, name);
            held.insert(held.end(), got.items.begin(), got.items.end());
        } else if (!held.empty()) {
            // Kept now and then: it is sent again.
            const std::size_t at = prng.below(held.size());
            give(result_of(held[at], prng.chance(0.8) ? 200 : 400), name);
            if (prng.chance(0.7))
                held.erase(held.begin() + static_cast<std::ptrdiff_t>(at));
        }
        if (prng.chance(0.1))
            loop.run_for(base::seconds(static_cast<std::int64_t>(prng.below(90))));
        if (prng.chance(0.03)) {
            close();
            open();
        }
    }
    loop.run_for(base::seconds(120));
    run_all();
    for (const std::string& id : ids) {
        ASSERT_TRUE(becomes(id, "completed"));
        const Json end = show(id);
        const auto output = lines_in(end["output_file_id"]);
        const auto errors = lines_in(end["error_file_id"]);
        EXPECT_EQ(output.size() + errors.size(), 30U);
        for (const auto& [custom_id, line] : errors)
            EXPECT_FALSE(output.contains(custom_id));
        EXPECT_EQ(end["request_counts"]["completed"], output.size());
        EXPECT_EQ(end["request_counts"]["failed"], errors.size());
    }
}

}  // namespace
}  // namespace idlewatt::coordinator
