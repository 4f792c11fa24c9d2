// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/response_tap.hpp"

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/simulated_loop.hpp"
#include "http/memory_server.hpp"

namespace idlewatt::http {
namespace {

class ResponseTap : public ::testing::Test {
protected:
    void SetUp() override {
        std::string pattern = std::filesystem::temp_directory_path() / "idlewatt-tap-XXXXXX";
        folder_ = mkdtemp(pattern.data());
        auto made = tap_responses(loop_, memory_, folder_ + "/tap");
        ASSERT_TRUE(made);
        tapped_ = std::move(*made);
    }
    void TearDown() override { std::filesystem::remove_all(folder_); }

    std::vector<ResponseFrame> frames() {
        auto read = read_response_tap(folder_ + "/tap");
        EXPECT_TRUE(read);
        return read ? *read : std::vector<ResponseFrame>{};
    }

    base::SimulatedLoop loop_;
    MemoryServer memory_{loop_};
    std::unique_ptr<Server> tapped_;
    std::string folder_;
};

TEST_F(ResponseTap, RecordsExactlyWhatTheClientGets) {
    tapped_->set_handler(
        {.on_request =
             [this](const Request& request) {
                 tapped_->begin(request.id, {200, {{"content-type", "text/plain"}}, "first "});
                 tapped_->write(request.id, "second\n\nthird");
                 tapped_->write(request.id, "");
                 tapped_->end(request.id);
             },
         .on_gone = {},
         .on_written = {}});
    std::string got;
    ClientHandler client;
    client.on_body = [&](std::string_view bytes) { got.append(bytes); };
    memory_.send("POST", "/v1/chat/completions", {}, "", client);
    memory_.send("GET", "/api/v1/vehicles", {}, "", {});
    loop_.run_for(base::seconds(1));
    std::string recorded;
    std::size_t ends = 0;
    for (const ResponseFrame& frame : frames()) {
        if (frame.kind == ResponseFrame::Kind::head) {
            EXPECT_EQ(frame.data, "200 text/plain");
        }
        if (frame.kind == ResponseFrame::Kind::body)
            recorded += frame.data;
        if (frame.kind == ResponseFrame::Kind::end)
            ++ends;
    }
    EXPECT_EQ(recorded, "first second\n\nthird");
    EXPECT_EQ(recorded, got);
    EXPECT_EQ(ends, 1U);
}

TEST_F(ResponseTap, LeavesATornLastFrameOut) {
    tapped_->set_handler({.on_request =
                              [this](const Request& request) {
                                  tapped_->respond(request.id, {200, {}, "an answer"});
                              },
                          .on_gone = {},
                          .on_written = {}});
    memory_.send("GET", "/v1/models", {}, "", {});
    loop_.run_for(base::seconds(1));
    const std::size_t whole = frames().size();
    ASSERT_EQ(whole, 4U);
    const std::string path = folder_ + "/tap";
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 1);
    EXPECT_EQ(frames().size(), whole - 1);
}

class SilentServer final : public Server {
public:
    void set_handler(Handler handler) override { handler_ = std::move(handler); }
    void respond(RequestId, Response) override {}
    void begin(RequestId, Response) override {}
    void write(RequestId, std::string) override {}
    void end(RequestId) override {}
    void respond_file(RequestId, Response, FilePart) override {}
    void consume_body(RequestId, std::size_t) override {}
    void abort(RequestId) override {}

    Handler handler_;
};

TEST_F(ResponseTap, AClientThatLeavesBeforeTheLastByteHasABrokenAnswer) {
    SilentServer silent;
    auto tapped = tap_responses(loop_, silent, folder_ + "/gone");
    ASSERT_TRUE(tapped);
    (*tapped)->set_handler({});
    Request request;
    request.id = RequestId{7};
    request.target = "/v1/chat/completions";
    silent.handler_.on_request(request);
    (*tapped)->begin(request.id, {});
    (*tapped)->end(request.id);
    silent.handler_.on_gone(request.id);
    silent.handler_.on_gone(request.id);
    const auto all = read_response_tap(folder_ + "/gone");
    ASSERT_TRUE(all);
    std::vector<ResponseFrame::Kind> kinds;
    for (const ResponseFrame& frame : *all)
        kinds.push_back(frame.kind);
    using Kind = ResponseFrame::Kind;
    EXPECT_EQ(kinds, (std::vector<Kind>{Kind::run, Kind::head, Kind::end, Kind::broken}));
}

TEST_F(ResponseTap, ANewRunFollowsTheLastWholeFrame) {
    std::ofstream(folder_ + "/tap", std::ios::app) << "body 1 5 100\nhalf of i";
    tapped_.reset();
    auto again = tap_responses(loop_, memory_, folder_ + "/tap");
    ASSERT_TRUE(again);
    const auto all = frames();
    ASSERT_EQ(all.size(), 2U);
    EXPECT_EQ(all[0].kind, ResponseFrame::Kind::run);
    EXPECT_EQ(all[1].kind, ResponseFrame::Kind::run);
}

}  // namespace
}  // namespace idlewatt::http
