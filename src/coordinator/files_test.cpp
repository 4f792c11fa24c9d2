// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Files of clients over HTTP.
#include <algorithm>
#include <map>
#include <optional>
#include <tuple>

#include "base/prng.hpp"
#include "coordinator/batch_fixture_test.hpp"
#include "coordinator/blob_desk.hpp"
#include "coordinator/file_book.hpp"
#include "coordinator/file_desk.hpp"

namespace idlewatt::coordinator {
namespace {

class FilesTest : public BatchOfficeTest {};

TEST_F(FilesTest, AFileGoesThereAndBack) {
    const std::string bytes = request_lines(20'000);
    ASSERT_GT(bytes.size(), 1024U * 1024) << "more than is held at a time";
    const auto answer = upload(bytes);
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json file = Json::parse(answer.body);
    EXPECT_TRUE(file["id"].get<std::string>().starts_with("file-"));
    EXPECT_EQ(file["object"], "file");
    EXPECT_EQ(file["bytes"], bytes.size());
    EXPECT_EQ(file["filename"], "in.jsonl");
    EXPECT_EQ(file["purpose"], "batch");
    EXPECT_EQ(file["status"], "processed");
    EXPECT_TRUE(file["created_at"].is_number());
    EXPECT_FALSE(file.contains("expires_at"));
    const std::string path = "/v1/files/" + file["id"].get<std::string>();
    EXPECT_EQ(Json::parse(mine("GET", path).body), file);
    EXPECT_EQ(mine("GET", path + "/content").body, bytes);
    close();
    open();
    EXPECT_EQ(mine("GET", path + "/content").body, bytes) << "it survives a restart";
    const auto deleted = mine("DELETE", path);
    EXPECT_EQ(Json::parse(deleted.body),
              (Json{{"id", file["id"]}, {"object", "file"}, {"deleted", true}}));
    EXPECT_EQ(mine("GET", path).status, 404);
    EXPECT_TRUE(shelf->files.empty()) << "nothing is left of it";
}

TEST_F(FilesTest, TwoFilesMayShareTheirBytes) {
    const std::string first = file("same", "user_data");
    const std::string second = file("same", "user_data");
    EXPECT_EQ(shelf->files.size(), 1U);
    EXPECT_EQ(mine("DELETE", "/v1/files/" + first).status, 200);
    EXPECT_EQ(mine("GET", "/v1/files/" + second + "/content").body, "same");
}

TEST_F(FilesTest, AKeyHasNoMoreThanItsShareOfTheFolder) {
    const std::string small = file("small", "user_data");
    store::File large = database->files.at(small);
    large.id = "file-large";
    large.bytes = blobs->bytes_limit() / file_keys_per_folder - large.bytes - 1000;
    database->files.emplace(large.id, large);
    close();
    open();
    EXPECT_EQ(upload("fits", "user_data").status, 200);
    const auto refused = upload(std::string(1001, 'x'), "user_data");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(code_of(refused), "insufficient_quota");
    EXPECT_NE(refused.body.find(std::to_string(blobs->bytes_limit() / file_keys_per_folder)),
              std::string::npos);
    const std::string before = std::exchange(me, key_of(core::KeyRole::customer));
    EXPECT_EQ(upload(std::string(1001, 'x'), "user_data").status, 200) << "another's share";
    me = before;
    EXPECT_EQ(mine("DELETE", "/v1/files/" + large.id).status, 200);
    EXPECT_EQ(upload(std::string(1001, 'x'), "user_data").status, 200);
}

TEST_F(FilesTest, UploadsAtOnceShareWhatIsLeft) {
    store::File large = database->files.at(file("small", "user_data"));
    large.id = "file-large";
    large.bytes = blobs->bytes_limit() / file_keys_per_folder - large.bytes - 1000;
    database->files.emplace(large.id, large);
    close();
    open();
    std::vector<int> statuses;
    const std::string form = upload_form_of(std::string(600, 'x'), "user_data");
    for (int i = 0; i < 2; ++i) {
        server.send("POST", "/v1/files",
                    {{"authorization", "Bearer " + me},
                     {"content-type", "multipart/form-data; boundary=xyz"},
                     {"content-length", std::to_string(form.size())}},
                    form,
                    {[&](int status, const http::Headers&) { statuses.push_back(status); },
                     [](std::string_view) {}, [](bool) {}});
    }
    ASSERT_TRUE(run_until([&] { return statuses.size() == 2; }));
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 200), 1);
    EXPECT_EQ(std::count(statuses.begin(), statuses.end(), 429), 1);
    EXPECT_EQ(upload("fits", "user_data").status, 200) << "nothing is counted twice";
}

TEST_F(FilesTest, AKeyHasNoMoreThanItsShareOfTheirNumber) {
    const std::string first = file("", "user_data");
    for (std::size_t i = 1; i < files_max / file_keys_per_folder; ++i) {
        store::File small = database->files.at(first);
        small.id += "-" + std::to_string(i);
        database->files.emplace(small.id, small);
    }
    close();
    open();
    const auto refused = upload("x", "user_data");
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(code_of(refused), "insufficient_quota");
    const std::string before = std::exchange(me, key_of(core::KeyRole::customer));
    EXPECT_EQ(upload("x", "user_data").status, 200) << "another's share";
    me = before;
    EXPECT_EQ(mine("DELETE", "/v1/files/" + first).status, 200);
    EXPECT_EQ(upload("x", "user_data").status, 200);
}

// Files without bytes count as files: a key's last bytes may go before its last file.
TEST(FileShares, AreThoseOfTheFilesThatAreThere) {
    base::Prng prng(3);
    FileBook book;
    std::map<std::string, store::File> expected;
    for (int i = 0; i < 2'000; ++i) {
        store::File file;
        file.id = "file-" + std::to_string(prng.below(8));
        file.key = core::KeyId(prng.below(2) == 0 ? "a" : "b");
        file.bytes = prng.below(2) * prng.below(100);
        if (prng.below(2) == 0) {
            book.put(file);
            expected[file.id] = file;
        } else {
            book.erase(file.id);
            expected.erase(file.id);
        }
        for (const char* name : {"a", "b"}) {
            FileBook::Share share;
            for (const auto& [id, one] : expected) {
                if (one.key.value != name)
                    continue;
                ++share.files;
                share.bytes += one.bytes;
            }
            ASSERT_EQ(book.share_of(core::KeyId(name)).files, share.files);
            ASSERT_EQ(book.share_of(core::KeyId(name)).bytes, share.bytes);
        }
    }
}

TEST_F(FilesTest, FormsThatAreNone) {
    const auto send = [&](const std::string& body,
                          const std::string& type = "multipart/form-data; boundary=xyz") {
        return call("POST", "/v1/files", body, me, {{"content-type", type}});
    };
    const std::string good = upload_form_of("x", "batch");
    for (const auto& answer :
         {send(good, "application/json"), send("{}"), send(good.substr(0, good.size() - 6)),
          send(upload_form_of("x", "assistants")), send(upload_form_of("x", "")),
          send(form_field("purpose", "batch") + "--xyz--"),
          upload("x", "batch", form_field("expires_after[anchor]", "now")),
          upload("x", "batch",
                 form_field("expires_after[anchor]", "created_at") +
                     form_field("expires_after[seconds]", "60")),
          send("")}) {
        EXPECT_EQ(answer.status, 400) << answer.body;
        EXPECT_TRUE(answer.headers.contains("x-request-id"));
    }
    EXPECT_TRUE(Json::parse(mine("GET", "/v1/files").body)["data"].empty());
    EXPECT_TRUE(shelf->files.empty());
}

TEST_F(FilesTest, AFileMayGoByItself) {
    const auto answer = upload("x", "user_data",
                               form_field("expires_after[anchor]", "created_at") +
                                   form_field("expires_after[seconds]", "3600"));
    ASSERT_EQ(answer.status, 200) << answer.body;
    const Json file = Json::parse(answer.body);
    EXPECT_EQ(file["expires_at"].get<int>() - file["created_at"].get<int>(), 3600);
    const std::string path = "/v1/files/" + file["id"].get<std::string>();
    loop.run_for(base::seconds(3500));
    EXPECT_EQ(mine("GET", path).status, 200);
    loop.run_for(base::seconds(200));
    EXPECT_EQ(mine("GET", path).status, 404);
}

TEST_F(FilesTest, ListsInPagesByPurpose) {
    std::vector<std::string> ids;
    for (int i = 0; i < 5; ++i) {
        ids.push_back(file("x", i == 2 ? "batch" : "user_data"));
        loop.run_for(base::milliseconds(5));
    }
    const auto list = [&](const std::string& query) {
        std::vector<std::string> found;
        const Json data = Json::parse(mine("GET", "/v1/files" + query).body)["data"];
        for (const Json& one : data)
            found.push_back(one["id"]);
        return found;
    };
    EXPECT_EQ(list(""), std::vector<std::string>(ids.rbegin(), ids.rend()));
    EXPECT_EQ(list("?order=asc"), ids);
    EXPECT_EQ(list("?purpose=batch"), std::vector{ids[2]});
    EXPECT_EQ(list("?limit=2&after=" + ids[3]), (std::vector{ids[2], ids[1]}));
    EXPECT_EQ(mine("GET", "/v1/files?limit=10001").status, 400);
    EXPECT_EQ(mine("GET", "/v1/files?order=up").status, 400);
    EXPECT_TRUE(Json::parse(mine("GET", "/v1/files?limit=4").body)["has_more"].get<bool>());
    EXPECT_FALSE(Json::parse(mine("GET", "/v1/files?limit=5").body)["has_more"].get<bool>());
}

TEST_F(FilesTest, NoRoomAndNoStoreAreSaid) {
    shelf->capacity_bytes = 1000;
    EXPECT_EQ(upload(std::string(2000, 'x')).status, 429);
    shelf->capacity_bytes = UINT64_MAX;
    EXPECT_EQ(upload("x", "batch").status, 200);
    database->failing = true;
    EXPECT_EQ(upload("y", "batch").status, 503);
    database->failing = false;
    EXPECT_EQ(Json::parse(mine("GET", "/v1/files").body)["data"].size(), 1U);
}

TEST_F(FilesTest, AClientThatGoesAwayLeavesNothing) {
    http::Headers headers{{"authorization", "Bearer " + me},
                          {"content-type", "multipart/form-data; boundary=xyz"}};
    const auto id = server.send(
        "POST", "/v1/files", headers, upload_form_of(std::string(3'000'000, 'x'), "batch"),
        {[](int, const http::Headers&) {}, [](std::string_view) {}, [](bool) {}});
    server.hang_up(id);
    loop.run_for(base::seconds(2));
    EXPECT_TRUE(shelf->files.empty());
    EXPECT_EQ(blobs->bytes_used(), 0U);
}

TEST_F(FilesTest, BytesThatAreHeldUpGoLater) {
    const std::string id = file("x", "user_data");
    std::optional<blobs::Pin> pin(std::in_place, *blobs, identity::sha256_hex("x"));
    EXPECT_EQ(mine("DELETE", "/v1/files/" + id).status, 200);
    EXPECT_EQ(shelf->files.size(), 1U);
    pin.reset();
    loop.run_for(file_expiry_period + base::seconds(1));
    EXPECT_TRUE(shelf->files.empty());
}

TEST_F(FilesTest, ClientsThatGoWhileTheirKeyIsLookedUpTakeNoPlace) {
    const std::string boss = key_of(core::KeyRole::fleet_operator);
    const std::string form = upload_form_of(std::string(100'000, 'x'), "batch");
    const std::string blob = "/blobs/sha256/" + identity::sha256_hex(form);
    database->latency = base::milliseconds(50);
    for (std::size_t i = 0; i <= file_uploads_max + uploads_max; ++i) {
        for (const auto& [method, target, bearer] :
             {std::tuple{"POST", std::string("/v1/files"), me}, {"PUT", blob, boss}}) {
            const auto id = server.send(
                method, target,
                {{"authorization", "Bearer " + bearer},
                 {"content-type", "multipart/form-data; boundary=xyz"}},
                form, {[](int, const http::Headers&) {}, [](std::string_view) {}, [](bool) {}});
            loop.run_for(base::milliseconds(10));
            server.hang_up(id);
        }
    }
    loop.run_for(base::seconds(1));
    EXPECT_EQ(upload(form).status, 200);
    EXPECT_EQ(call("PUT", blob, form, boss).status, 201);
}

}  // namespace
}  // namespace idlewatt::coordinator
