// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/file_answer.hpp"

#include <charconv>
#include <utility>

namespace idlewatt::http {

namespace {

constexpr std::string_view unit = "bytes";

std::optional<std::uint64_t> read_number(std::string_view text) {
    std::uint64_t number = 0;
    const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (ec != std::errc() || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return number;
}

std::string_view trimmed(std::string_view text) {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

// "5-9", "5-" or "-5".
RangeAsked read_one(std::string_view text, std::uint64_t total) {
    const std::size_t dash = text.find('-');
    if (dash == std::string_view::npos) {
        return {};
    }
    const std::string_view first_text = trimmed(text.substr(0, dash));
    const std::string_view last_text = trimmed(text.substr(dash + 1));
    const auto first = read_number(first_text);
    const auto last = read_number(last_text);
    if ((!first_text.empty() && !first) || (!last_text.empty() && !last) || (!first && !last)) {
        return {};
    }
    if (!first) {
        const std::uint64_t bytes = std::min(*last, total);
        return bytes == 0 ? RangeAsked{RangeVerdict::unsatisfiable, {}}
                          : RangeAsked{RangeVerdict::part, {total - bytes, bytes}};
    }
    if (last && *last < *first) {
        return {};
    }
    if (*first >= total) {
        return {RangeVerdict::unsatisfiable, {}};
    }
    const std::uint64_t end = last ? std::min(*last, total - 1) : total - 1;
    return {RangeVerdict::part, {*first, end - *first + 1}};
}

std::string_view header(const Request& request, std::string_view name) {
    const auto found = request.headers.find(name);
    return found == request.headers.end() ? std::string_view{} : std::string_view(found->second);
}

// Of If-None-Match: "*" or a list of tags, weak ones included.
bool names_tag(std::string_view list, std::string_view quoted_tag) {
    return trimmed(list) == "*" || list.find(quoted_tag) != std::string_view::npos;
}

std::string content_range(const ByteRange& range, std::uint64_t total) {
    return "bytes " + std::to_string(range.offset) + '-' +
           std::to_string(range.offset + range.bytes - 1) + '/' + std::to_string(total);
}

}  // namespace

RangeAsked read_range(std::string_view value, std::uint64_t total_bytes) {
    value = trimmed(value);
    if (!value.starts_with(unit)) {
        return {};
    }
    value = trimmed(value.substr(unit.size()));
    if (!value.starts_with('=') || value.find(',') != std::string_view::npos) {
        return {};
    }
    return read_one(trimmed(value.substr(1)), total_bytes);
}

std::optional<ContentRange> read_content_range(std::string_view value) {
    value = trimmed(value);
    if (!value.starts_with(unit)) {
        return std::nullopt;
    }
    value = trimmed(value.substr(unit.size()));
    const std::size_t slash = value.find('/');
    if (slash == std::string_view::npos) {
        return std::nullopt;
    }
    ContentRange result;
    if (value.substr(slash + 1) != "*") {
        result.total_bytes = read_number(value.substr(slash + 1));
        if (!result.total_bytes) {
            return std::nullopt;
        }
    }
    const std::string_view range = value.substr(0, slash);
    if (range == "*") {
        return result;
    }
    const std::size_t dash = std::min(range.find('-'), range.size());
    const auto first = read_number(range.substr(0, dash));
    const auto last = dash < range.size() ? read_number(range.substr(dash + 1)) : std::nullopt;
    if (!first || !last || *last < *first || *last - *first == UINT64_MAX ||
        (result.total_bytes && *last >= *result.total_bytes)) {
        return std::nullopt;
    }
    result.range = ByteRange{*first, *last - *first + 1};
    return result;
}

void answer_with_file(Server& server, const Request& request,
                      std::shared_ptr<const ServedFile> file, std::string_view tag,
                      Headers headers) {
    const std::uint64_t total = file->bytes();
    const std::string quoted = '"' + std::string(tag) + '"';
    headers["etag"] = quoted;
    headers["accept-ranges"] = unit;
    if (names_tag(header(request, "if-none-match"), quoted)) {
        server.respond(request.id, {304, std::move(headers), {}});
        return;
    }
    RangeAsked asked;
    const std::string_view if_range = header(request, "if-range");
    if (if_range.empty() || if_range == quoted) {
        asked = read_range(header(request, "range"), total);
    }
    switch (asked.verdict) {
        case RangeVerdict::whole:
            server.respond_file(request.id, {200, std::move(headers), {}},
                                {std::move(file), 0, total});
            return;
        case RangeVerdict::part:
            headers["content-range"] = content_range(asked.range, total);
            server.respond_file(request.id, {206, std::move(headers), {}},
                                {std::move(file), asked.range.offset, asked.range.bytes});
            return;
        case RangeVerdict::unsatisfiable:
            headers["content-range"] = "bytes */" + std::to_string(total);
            server.respond(request.id, {416, std::move(headers), {}});
            return;
    }
}

}  // namespace idlewatt::http
