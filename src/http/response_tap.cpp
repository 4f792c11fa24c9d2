// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/response_tap.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <fstream>
#include <optional>
#include <sstream>
#include <string_view>
#include <unordered_set>

#include <fcntl.h>
#include <unistd.h>

#include "base/log.hpp"

namespace idlewatt::http {

namespace {

constexpr std::array<std::string_view, 5> kind_names{"head", "body", "end", "broken", "run"};
constexpr std::string_view tapped_path = "/v1/";
// Carried for somebody else, large, and no answers of cars.
constexpr std::array<std::string_view, 2> carried_paths{"/v1/files", "/v1/batches"};

bool is_tapped(std::string_view target) {
    return target.starts_with(tapped_path) &&
           std::ranges::none_of(carried_paths,
                                [&](std::string_view path) { return target.starts_with(path); });
}

class TappedServer final : public Server {
public:
    TappedServer(base::Loop& loop, Server& inner, int file, std::uint64_t bytes)
        : loop_(loop), inner_(inner), file_(file), written_(bytes) {
        append(ResponseFrame::Kind::run, RequestId{}, {});
    }

    ~TappedServer() override { ::close(file_); }

    TappedServer(const TappedServer&) = delete;
    TappedServer& operator=(const TappedServer&) = delete;

    void set_handler(Handler handler) override {
        Handler passed = handler;
        passed.on_request = [this, next = handler.on_request](Request request) {
            if (is_tapped(request.target))
                tapped_.insert(request.id);
            if (next)
                next(std::move(request));
        };
        passed.on_gone = [this, next = handler.on_gone](RequestId request) {
            if (std::ranges::find(ended_, request) != ended_.end()) {
                std::erase(ended_, request);
                append(ResponseFrame::Kind::broken, request, {});
            } else {
                close(ResponseFrame::Kind::broken, request);
            }
            if (next)
                next(request);
        };
        inner_.set_handler(std::move(passed));
    }

    void respond(RequestId request, Response response) override {
        head(request, response);
        close(ResponseFrame::Kind::end, request);
        inner_.respond(request, std::move(response));
    }

    // Files are no answers of /v1: what is in them is not recorded.
    void respond_file(RequestId request, Response response, FilePart part) override {
        head(request, response);
        close(ResponseFrame::Kind::end, request);
        inner_.respond_file(request, std::move(response), std::move(part));
    }

    void consume_body(RequestId request, std::size_t bytes) override {
        inner_.consume_body(request, bytes);
    }

    void begin(RequestId request, Response response) override {
        head(request, response);
        inner_.begin(request, std::move(response));
    }

    void write(RequestId request, std::string bytes) override {
        record(ResponseFrame::Kind::body, request, bytes);
        inner_.write(request, std::move(bytes));
    }

    void end(RequestId request) override {
        if (tapped_.contains(request))
            ended_.push_back(request);
        if (ended_.size() > response_tap_ended_max)
            ended_.pop_front();
        close(ResponseFrame::Kind::end, request);
        inner_.end(request);
    }

    void abort(RequestId request) override {
        close(ResponseFrame::Kind::broken, request);
        inner_.abort(request);
    }

private:
    void head(RequestId request, const Response& response) {
        const auto type = response.headers.find("content-type");
        record(ResponseFrame::Kind::head, request,
               std::to_string(response.status) + " " +
                   (type == response.headers.end() ? std::string{} : type->second));
        if (!response.body.empty())
            record(ResponseFrame::Kind::body, request, response.body);
    }

    void close(ResponseFrame::Kind kind, RequestId request) {
        record(kind, request, {});
        tapped_.erase(request);
    }

    void record(ResponseFrame::Kind kind, RequestId request, std::string_view data) {
        if (tapped_.contains(request))
            append(kind, request, data);
    }

    void append(ResponseFrame::Kind kind, RequestId request, std::string_view data) {
        if (full_)
            return;
        std::string frame(kind_names[static_cast<std::size_t>(kind)]);
        frame += " " + std::to_string(static_cast<std::uint64_t>(request)) + " " +
                 std::to_string(loop_.wall_now().us) + " " + std::to_string(data.size()) + "\n";
        frame.append(data);
        frame += '\n';
        written_ += frame.size();
        const bool kept =
            written_ <= response_tap_bytes_max &&
            ::write(file_, frame.data(), frame.size()) == static_cast<ssize_t>(frame.size());
        if (kept)
            return;
        full_ = true;
        base::log_warning("http", "the recording of responses is full and has stopped");
    }

    base::Loop& loop_;
    Server& inner_;
    int file_;
    bool full_ = false;
    std::uint64_t written_ = 0;
    std::unordered_set<RequestId> tapped_;
    std::deque<RequestId> ended_;
};

std::optional<ResponseFrame> parse_head(std::string_view line, std::size_t& bytes) {
    ResponseFrame frame;
    const std::size_t space = line.find(' ');
    const std::string_view word = line.substr(0, space);
    for (std::size_t i = 0; i < kind_names.size(); ++i) {
        if (kind_names[i] == word)
            frame.kind = static_cast<ResponseFrame::Kind>(i);
    }
    if (space == std::string_view::npos)
        return std::nullopt;
    std::istringstream numbers{std::string(line.substr(space))};
    numbers >> frame.request >> frame.at.us >> bytes;
    if (!numbers)
        return std::nullopt;
    return frame;
}

// Where the last whole frame ends.
std::uint64_t whole_bytes(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    std::uint64_t end = 0;
    for (std::string line; std::getline(file, line);) {
        std::size_t bytes = 0;
        if (!parse_head(line, bytes) || bytes > response_tap_bytes_max)
            break;
        file.seekg(static_cast<std::streamoff>(bytes), std::ios::cur);
        if (file.get() != '\n')
            break;
        end = static_cast<std::uint64_t>(file.tellg());
    }
    return end;
}

}  // namespace

base::Result<std::unique_ptr<Server>> tap_responses(base::Loop& loop, Server& inner,
                                                    const std::string& path) {
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (file < 0)
        return base::fail_errno("cannot open the recording of responses '" + path + "'");
    const std::uint64_t whole = whole_bytes(path);
    if (::ftruncate(file, static_cast<off_t>(whole)) != 0) {
        const auto error = base::fail_errno("cannot shorten '" + path + "'");
        ::close(file);
        return error;
    }
    return std::make_unique<TappedServer>(loop, inner, file, whole);
}

base::Result<std::vector<ResponseFrame>> read_response_tap(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    if (!file)
        return base::fail_errno("cannot read the recording of responses '" + path + "'");
    std::vector<ResponseFrame> frames;
    for (std::string line; std::getline(file, line);) {
        std::size_t bytes = 0;
        auto frame = parse_head(line, bytes);
        if (!frame || bytes > response_tap_bytes_max) {
            return base::fail(base::ErrorKind::bad_input, "the recording of responses '" + path +
                                                              "' is damaged at frame " +
                                                              std::to_string(frames.size()));
        }
        frame->data.resize(bytes);
        file.read(frame->data.data(), static_cast<std::streamsize>(bytes));
        if (!file || file.get() != '\n')
            break;
        frames.push_back(std::move(*frame));
    }
    return frames;
}

}  // namespace idlewatt::http
