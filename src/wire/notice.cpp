// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "wire/notice.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace idlewatt::wire {

namespace {

using NoticeJson = nlohmann::ordered_json;

constexpr std::size_t notice_body_bytes_max = 4096;

tl::unexpected<base::Error> bad_notice(std::string message) {
    return base::fail(base::ErrorKind::bad_input, std::move(message));
}

bool steers_a_terminal(char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
}

// Ends of a line and changes of direction that Unicode has beyond the control characters: NEL, LS,
// PS, and the embeddings, overrides and isolates.
bool steers_a_line(std::string_view text) {
    static constexpr std::array<std::string_view, 12> marks{"\u0085", "\u2028", "\u2029", "\u202a",
                                                            "\u202b", "\u202c", "\u202d", "\u202e",
                                                            "\u2066", "\u2067", "\u2068", "\u2069"};
    return std::ranges::any_of(
        marks, [text](std::string_view mark) { return text.find(mark) != text.npos; });
}

}  // namespace

base::Result<NoticeOrder> parse_notice_order(std::string_view body) try {
    if (body.size() > notice_body_bytes_max)
        return bad_notice("a notice's request is at most " + std::to_string(notice_body_bytes_max) +
                          " bytes long");
    const NoticeJson json = NoticeJson::parse(body);
    if (!json.is_object() || !json.contains("text") || !json["text"].is_string())
        return bad_notice("expected an object with a text, as in {\"text\": \"Back at noon.\"}");
    NoticeOrder order;
    for (const auto& [name, value] : json.items()) {
        if (name == "text") {
            order.text = value.get<std::string>();
        } else if (name != "seconds") {
            return bad_notice("a notice has no '" + name + "'; it has text and seconds");
        } else if (!value.is_number() || !(value.get<double>() > 0) ||
                   value.get<double>() > notice_time_max.seconds()) {
            return bad_notice("seconds takes a number above 0, at most " +
                              std::to_string(notice_time_max.whole_milliseconds() / 1'000));
        } else {
            order.shown_for = base::from_seconds(value.get<double>());
        }
    }
    if (order.text.size() > notice_text_bytes_max)
        return bad_notice("a notice's text is at most " + std::to_string(notice_text_bytes_max) +
                          " bytes long; this one has " + std::to_string(order.text.size()));
    if (std::ranges::any_of(order.text, steers_a_terminal) || steers_a_line(order.text))
        return bad_notice("a notice's text is one line, without control characters");
    return order;
} catch (const NoticeJson::exception& error) {
    return bad_notice(std::string("the notice is not JSON: ") + error.what());
}

std::string notice_order_body(const NoticeOrder& order) {
    return NoticeJson{{"text", order.text}, {"seconds", order.shown_for.seconds()}}.dump(
        -1, ' ', false, NoticeJson::error_handler_t::replace);
}

}  // namespace idlewatt::wire
