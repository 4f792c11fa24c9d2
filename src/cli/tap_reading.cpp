// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/tap_reading.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <tuple>
#include <utility>

#include <nlohmann/json.hpp>

namespace idlewatt::cli {

namespace {

using Json = nlohmann::ordered_json;

// What went to and fro on one connection for one attempt.
struct Wire {
    std::string to_engine;
    std::string from_engine;
};

struct Exchange {
    std::string path;
    Json request;
    HttpMessage response;
};

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
    return out;
}

std::optional<std::uint64_t> number_in(std::string_view text, int base) {
    while (text.starts_with(' '))
        text.remove_prefix(1);
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    if (error != std::errc() || end == text.data())
        return std::nullopt;
    return number;
}

// Takes a chunked body off the front; true when its last chunk was there.
bool take_chunked(std::string_view& bytes, std::string& body) {
    for (;;) {
        const std::size_t line = bytes.find("\r\n");
        if (line == std::string_view::npos)
            break;
        const auto size = number_in(bytes.substr(0, line), 16);
        if (!size)
            break;
        bytes.remove_prefix(line + 2);
        if (*size == 0) {
            const std::size_t end = bytes.find("\r\n");
            bytes.remove_prefix(end == std::string_view::npos ? bytes.size() : end + 2);
            return true;
        }
        body += bytes.substr(0, *size);
        if (bytes.size() < *size + 2)
            break;
        bytes.remove_prefix(*size + 2);
    }
    bytes = {};
    return false;
}

std::vector<std::int32_t> ids_in(const Json& json, const char* name) {
    std::vector<std::int32_t> ids;
    const auto found = json.find(name);
    if (found == json.end() || !found->is_array())
        return ids;
    for (const Json& id : *found) {
        if (id.is_number_integer())
            ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

std::uint32_t count_in(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_number_unsigned() ? found->get<std::uint32_t>() : 0;
}

std::string text_in(const Json& json, const char* name) {
    const auto found = json.find(name);
    return found != json.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::vector<Exchange> read_exchanges(const Wire& wire) {
    std::vector<HttpMessage> requests = read_http_messages(wire.to_engine);
    std::vector<HttpMessage> responses = read_http_messages(wire.from_engine);
    responses.resize(requests.size());
    std::vector<Exchange> exchanges;
    for (std::size_t i = 0; i < requests.size(); ++i) {
        Exchange exchange;
        const std::string& line = requests[i].start_line;
        const std::size_t begin = std::min(line.find(' '), line.size());
        const std::size_t end = std::min(line.find(' ', begin + 1), line.size());
        exchange.path = begin < end ? line.substr(begin + 1, end - begin - 1) : std::string();
        exchange.request = Json::parse(requests[i].body, nullptr, false);
        exchange.response = std::move(responses[i]);
        exchanges.push_back(std::move(exchange));
    }
    return exchanges;
}

// An attempt before it is known which part of its prompt is the question.
struct RawAttempt {
    std::vector<PromptPart> prompt;
    std::uint32_t evaluated = 0;  // tokens of the prompt, as the engine counted them
    EngineAttempt attempt;
};

void take_event(RawAttempt& raw, const Json& event, std::uint32_t& predicted) {
    if (!event.is_object() || event.contains("error"))
        return;
    EngineAttempt& attempt = raw.attempt;
    raw.evaluated = std::max(raw.evaluated, count_in(event, "tokens_evaluated"));
    EngineChunk chunk{text_in(event, "content"), ids_in(event, "tokens"), 0};
    const std::uint32_t total = count_in(event, "tokens_predicted");
    chunk.tokens = total - std::min(total, predicted);
    predicted = std::max(total, predicted);
    if (event.contains("stop") && event["stop"] == true)
        attempt.ended = true;
    if (!chunk.text.empty() || chunk.tokens > 0)
        attempt.said.push_back(std::move(chunk));
}

void read_answer(RawAttempt& raw, const HttpMessage& response) {
    if (response.start_line.find(" 200") == std::string::npos) {
        // Undisturbed, the answer would have ended where the engine's memory is full.
        raw.attempt.ended = response.body.find("context size") != std::string::npos;
        return;
    }
    std::uint32_t predicted = 0;
    std::string_view rest = response.body;
    for (;;) {
        const std::size_t end = rest.find("\n\n");
        if (end == std::string_view::npos)
            return;
        const std::string_view event = rest.substr(0, end);
        if (event.starts_with("data:"))
            take_event(raw, Json::parse(event.substr(5), nullptr, false), predicted);
        rest.remove_prefix(end + 2);
    }
}

std::vector<PromptPart> prompt_of(const Json& request) {
    std::vector<PromptPart> parts;
    const auto prompt = request.find("prompt");
    if (prompt == request.end())
        return parts;
    const Json list = prompt->is_array() ? *prompt : Json::array({*prompt});
    for (const Json& part : list) {
        if (part.is_number_integer()) {
            parts.emplace_back(part.get<std::int32_t>());
        } else if (part.is_string()) {
            parts.emplace_back(part.get<std::string>());
        }
    }
    return parts;
}

// Nothing if the engine was never asked for an answer.
std::optional<RawAttempt> read_attempt(const std::vector<Exchange>& exchanges) {
    std::optional<RawAttempt> raw;
    for (const Exchange& exchange : exchanges) {
        if (exchange.path == "/v1/chat/completions") {
            raw.emplace().attempt.unreadable = "it was asked by the engine's chat endpoint";
            break;
        }
        if (exchange.path != "/completion" || !exchange.request.is_object())
            continue;  // a request that is not whole was not answered either
        if (raw) {
            raw->attempt.unreadable = "the engine was asked twice in one attempt";
            break;
        }
        raw.emplace().prompt = prompt_of(exchange.request);
        if (exchange.request.contains("n_predict"))
            raw->attempt.n_predict = count_in(exchange.request, "n_predict");
        read_answer(*raw, exchange.response);
    }
    return raw;
}

// Tells question and answer apart in the prompts of a work item.
void split_prompts(std::map<std::uint32_t, RawAttempt>& raws) {
    std::optional<PromptPart> text;  // the question
    std::size_t tokens = 0;          // of the question
    for (const auto& [number, raw] : raws) {
        if (raw.prompt.size() != 1 || !std::holds_alternative<std::string>(raw.prompt.front()))
            continue;
        if (!text)
            text = raw.prompt.front();
        tokens = std::max<std::size_t>(tokens, raw.evaluated);
    }
    std::optional<std::vector<PromptPart>> ids;  // the question
    for (auto& [number, raw] : raws) {
        std::vector<PromptPart>& prompt = raw.prompt;
        const bool as_text = !prompt.empty() && prompt.front().index() == 1;
        const std::size_t parts = as_text ? 1 : tokens;
        const auto begin = prompt.begin() + static_cast<std::ptrdiff_t>(parts);
        if (parts == 0 || prompt.size() < parts) {
            raw.attempt.unreadable = "nothing tells where the question in its prompt ends";
        } else if (as_text && text && prompt.front() != *text) {
            raw.attempt.unreadable = "its question is not that of the other attempts";
        } else {
            if (!as_text && !ids)
                ids.emplace(prompt.begin(), begin);
            if (!as_text && !std::equal(prompt.begin(), begin, ids->begin()))
                raw.attempt.unreadable = "its question is not that of the other attempts";
            raw.attempt.resumed.assign(begin, prompt.end());
        }
    }
}

// work → attempt → connections in the order in which they were opened.
using PlaceOfFirstFrame = std::pair<std::size_t, std::size_t>;  // tap, frame
using AttemptWires = std::map<PlaceOfFirstFrame, Wire>;
using WorkWires = std::map<std::uint32_t, AttemptWires>;

void sort_frames(const std::vector<engine::TapFrame>& frames, std::size_t tap,
                 std::map<std::string, WorkWires>& works) {
    std::map<std::pair<std::string_view, std::uint64_t>, std::size_t> first_frames;
    for (std::size_t at = 0; at < frames.size(); ++at) {
        const engine::TapFrame& frame = frames[at];
        const std::size_t dash = frame.label.rfind('-');
        const auto number = dash == std::string::npos
                                ? std::nullopt
                                : number_in(std::string_view(frame.label).substr(dash + 1), 10);
        if (!number || *number > UINT32_MAX)
            continue;  // not for an answer: the engine's own probes
        const auto first = first_frames.try_emplace({frame.label, frame.connection}, at);
        WorkWires& work = works[frame.label.substr(0, dash)];
        Wire& wire = work[static_cast<std::uint32_t>(*number)][{tap, first.first->second}];
        if (frame.direction == engine::TapDirection::to_engine)
            wire.to_engine += frame.data;
        if (frame.direction == engine::TapDirection::from_engine)
            wire.from_engine += frame.data;
    }
}

TappedWork read_work(const WorkWires& attempts) {
    std::map<std::uint32_t, RawAttempt> raws;
    for (const auto& [number, connections] : attempts) {
        std::vector<Exchange> exchanges;
        for (const auto& [place, wire] : connections) {
            for (Exchange& exchange : read_exchanges(wire))
                exchanges.push_back(std::move(exchange));
        }
        if (auto raw = read_attempt(exchanges))
            raws.emplace(number, std::move(*raw));
    }
    split_prompts(raws);
    TappedWork work;
    for (auto& [number, raw] : raws)
        work.emplace(number, std::move(raw.attempt));
    return work;
}

}  // namespace

std::vector<HttpMessage> read_http_messages(std::string_view bytes) {
    std::vector<HttpMessage> messages;
    while (!bytes.empty()) {
        const std::size_t head_end = bytes.find("\r\n\r\n");
        if (head_end == std::string_view::npos)
            break;  // torn within the head: nothing was said
        std::string_view head = bytes.substr(0, head_end + 2);
        bytes.remove_prefix(head_end + 4);
        HttpMessage message;
        message.start_line = head.substr(0, head.find("\r\n"));
        bool chunked = false;
        std::optional<std::uint64_t> length;
        while (!head.empty()) {
            const std::size_t end = head.find("\r\n");
            const std::string line = lower(head.substr(0, end));
            head.remove_prefix(end + 2);
            if (line.starts_with("transfer-encoding:"))
                chunked = line.find("chunked") != std::string::npos;
            if (line.starts_with("content-length:"))
                length = number_in(std::string_view(line).substr(15), 10);
        }
        const bool request = !message.start_line.starts_with("HTTP/");
        if (chunked) {
            message.whole = take_chunked(bytes, message.body);
        } else if (length || request) {
            message.body = bytes.substr(0, length.value_or(0));
            message.whole = message.body.size() == length.value_or(0);
            bytes.remove_prefix(message.body.size());
        } else {
            message.body = bytes;  // until the connection ends
            message.whole = true;
            bytes = {};
        }
        messages.push_back(std::move(message));
    }
    return messages;
}

std::map<std::string, TappedWork, std::less<>> read_works(
    const std::vector<std::vector<engine::TapFrame>>& taps) {
    std::map<std::string, WorkWires> wires;
    for (std::size_t tap = 0; tap < taps.size(); ++tap)
        sort_frames(taps[tap], tap, wires);
    std::map<std::string, TappedWork, std::less<>> works;
    for (const auto& [id, attempts] : wires)
        works.emplace(id, read_work(attempts));
    return works;
}

}  // namespace idlewatt::cli
