// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/multipart.hpp"

#include <algorithm>
#include <utility>

namespace idlewatt::http {

namespace {

constexpr std::string_view line_end = "\r\n";

tl::unexpected<base::Error> bad_multipart(const std::string& what) {
    return base::fail(base::ErrorKind::bad_input, "the multipart body " + what);
}

std::string lower_case(std::string_view text) {
    std::string lower(text);
    for (char& c : lower)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return lower;
}

std::string_view trim_blanks(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t'))
        text.remove_prefix(1);
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t'))
        text.remove_suffix(1);
    return text;
}

// The next "; name=value" of a header's value, quoted or not; false at the end.
bool next_parameter(std::string_view& rest, std::string& name, std::string& value) {
    const std::size_t semicolon = rest.find(';');
    if (semicolon == std::string_view::npos)
        return false;
    rest.remove_prefix(semicolon + 1);
    const std::size_t equals = rest.find_first_of("=;");
    name = lower_case(trim_blanks(rest.substr(0, equals)));
    value.clear();
    if (equals == std::string_view::npos || rest[equals] == ';') {
        rest.remove_prefix(std::min(equals, rest.size()));
        return true;
    }
    rest.remove_prefix(equals + 1);
    while (!rest.empty() && (rest.front() == ' ' || rest.front() == '\t'))
        rest.remove_prefix(1);
    if (!rest.starts_with('"')) {
        const std::size_t end = std::min(rest.find(';'), rest.size());
        value = trim_blanks(rest.substr(0, end));
        rest.remove_prefix(end);
        return true;
    }
    std::size_t i = 1;
    for (; i < rest.size() && rest[i] != '"'; ++i) {
        i += rest[i] == '\\' && i + 1 < rest.size() ? 1 : 0;
        value += rest[i];
    }
    rest.remove_prefix(std::min(i + 1, rest.size()));
    return true;
}

// nullopt: not form data, or without a name.
std::optional<MultipartHead> read_disposition(std::string_view value, MultipartHead head) {
    if (lower_case(trim_blanks(value.substr(0, value.find(';')))) != "form-data")
        return std::nullopt;
    std::string name;
    std::string text;
    bool named = false;
    while (next_parameter(value, name, text)) {
        if (name == "name") {
            head.name = text;
            named = true;
        } else if (name == "filename") {
            head.filename = text;
        }
    }
    return named ? std::optional(std::move(head)) : std::nullopt;
}

// The lines of a part's head, each with its end.
std::optional<MultipartHead> parse_head(std::string_view lines) {
    MultipartHead head;
    bool disposed = false;
    while (!lines.empty()) {
        const std::size_t end = lines.find(line_end);
        const std::string_view line = lines.substr(0, end);
        lines.remove_prefix(end + line_end.size());
        const std::size_t colon = line.find(':');
        if (colon == std::string_view::npos)
            return std::nullopt;
        const std::string name = lower_case(trim_blanks(line.substr(0, colon)));
        const std::string_view value = trim_blanks(line.substr(colon + 1));
        if (name == "content-type")
            head.content_type = value;
        if (name != "content-disposition")
            continue;
        auto read = read_disposition(value, std::move(head));
        if (!read || disposed)
            return std::nullopt;
        head = std::move(*read);
        disposed = true;
    }
    return disposed ? std::optional(std::move(head)) : std::nullopt;
}

}  // namespace

std::optional<std::string> multipart_boundary(std::string_view content_type) {
    const std::string_view type = content_type.substr(0, content_type.find(';'));
    if (lower_case(trim_blanks(type)) != "multipart/form-data")
        return std::nullopt;
    std::string name;
    std::string value;
    while (next_parameter(content_type, name, value)) {
        if (name != "boundary")
            continue;
        const bool fits = !value.empty() && value.size() <= multipart_boundary_bytes_max &&
                          value.back() != ' ' &&
                          std::ranges::all_of(value, [](char c) { return c >= 0x20 && c < 0x7f; });
        return fits ? std::optional(value) : std::nullopt;
    }
    return std::nullopt;
}

Multipart::Multipart(std::string_view boundary, MultipartHandler handler)
    : handler_(std::move(handler)), delimiter_("\r\n--" + std::string(boundary)) {}

base::Result<void> Multipart::feed(std::string_view bytes) {
    if (state_ == State::epilogue)
        return {};
    held_.append(bytes);
    for (;;) {
        const auto went_on = step();
        if (!went_on) {
            state_ = State::broken;
            held_.clear();
            return tl::unexpected(went_on.error());
        }
        if (!*went_on)
            return {};
    }
}

base::Result<bool> Multipart::step() {
    switch (state_) {
        case State::preamble:
            return skip_preamble();
        case State::delimiter:
            return read_delimiter();
        case State::head:
            return read_head();
        case State::body:
            return read_body();
        case State::epilogue:
            held_.clear();
            return false;
        case State::broken:
            break;
    }
    return bad_multipart("was broken before");
}

base::Result<bool> Multipart::skip_preamble() {
    const std::size_t found = held_.find(delimiter_);
    if (found == std::string::npos) {
        held_.erase(0, held_.size() - std::min(held_.size(), delimiter_.size() - 1));
        return false;
    }
    held_.erase(0, found + delimiter_.size());
    state_ = State::delimiter;
    return true;
}

// Behind a delimiter: the end of its line, or -- for the last one.
base::Result<bool> Multipart::read_delimiter() {
    if (held_.size() < 2)
        return false;
    if (held_.starts_with("--")) {
        state_ = State::epilogue;
        return true;
    }
    const std::size_t end = held_.find_first_not_of(" \t");
    if (end == std::string::npos || held_.size() < end + line_end.size()) {
        if (held_.size() > multipart_head_bytes_max)
            return bad_multipart("has a delimiter without an end");
        return false;
    }
    if (held_.compare(end, line_end.size(), line_end) != 0)
        return bad_multipart("has its boundary within a part; take another boundary");
    if (++parts_ > multipart_parts_max)
        return bad_multipart("has more than " + std::to_string(multipart_parts_max) + " parts");
    // The line's end stays: a head without lines is found by it.
    held_.erase(0, end);
    state_ = State::head;
    return true;
}

base::Result<bool> Multipart::read_head() {
    const std::size_t end = held_.find("\r\n\r\n");
    if (end == std::string::npos || end > multipart_head_bytes_max) {
        if (held_.size() > multipart_head_bytes_max)
            return bad_multipart("has a part whose head is too long");
        return false;
    }
    // Its lines, each with its end, without the end of the delimiter's line.
    const auto head = parse_head(std::string_view(held_).substr(line_end.size(), end));
    if (!head) {
        return bad_multipart("has a part without 'content-disposition: form-data; name=\"…\"'");
    }
    held_.erase(0, end + 2 * line_end.size());
    state_ = State::body;
    handler_.on_part(*head);
    return true;
}

base::Result<bool> Multipart::read_body() {
    const std::size_t found = held_.find(delimiter_);
    const bool ends = found != std::string::npos;
    const std::size_t count =
        ends ? found : held_.size() - std::min(held_.size(), delimiter_.size() - 1);
    if (count > 0)
        handler_.on_bytes(std::string_view(held_).substr(0, count));
    held_.erase(0, ends ? found + delimiter_.size() : count);
    if (!ends)
        return false;
    state_ = State::delimiter;
    handler_.on_part_end();
    return true;
}

}  // namespace idlewatt::http
