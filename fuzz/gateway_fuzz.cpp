// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Requests by the whole way through the gateway's mind, as the server would hand them over, with a
// car that answers at once: what comes back is a valid answer or an error object, and it comes.
// Where a body is shorter than its head says, what there is of it counts: most hostile bytes would
// end there otherwise.
#include <deque>
#include <optional>

#include <nlohmann/json.hpp>

#include "fuzz.hpp"
#include "gateway/gateway_core.hpp"
#include "request_parsing.hpp"

namespace idlewatt::fuzz {

namespace {

using nlohmann::json;
using namespace gateway;

constexpr std::uint32_t slots = 16;
constexpr base::Duration answer_max = base::seconds(120);  // simulated
const core::VehicleId car{"car-1"};

struct Answer {
    http::Response response;
    bool begun = false;
    bool ended = false;
    std::uint64_t given = 0;
};

class Front {
public:
    Front() : core_({core::GatewayId("g"), "key", 1}) { feed(BusChanged{true}); }

    Answer ask(http::Request request) {
        answer_ = {};
        opened_.clear();
        request.id = http::RequestId{++requests_};
        now_ = now_ + tick_period;
        announce();
        feed(Asked{std::move(request)});
        const base::Instant end = now_ + answer_max;
        for (std::uint32_t ticks = 0; !answer_.ended && now_ < end; ++ticks) {
            now_ = now_ + tick_period;
            if (ticks % 16 == 0)
                announce();
            feed(Tick{});
        }
        require(answer_.ended, "an answer comes");
        return answer_;
    }

private:
    void feed(const Event& event) {
        std::deque<Event> events{event};
        while (!events.empty()) {
            const Effects effects =
                core_.handle(events.front(), now_, base::WallTime{1'790'000'000'000'000});
            events.pop_front();
            for (const Effect& effect : effects)
                std::visit([&](const auto& one) { take(one, events); }, effect);
        }
    }

    void announce() {
        core::Announcement announcement;
        announcement.vehicle = car;
        announcement.incarnation = core::Incarnation(1);
        announcement.sequence = ++sequence_;
        announcement.reason = core::Reason::ok;
        announcement.models = {"m"};
        announcement.slots_total = announcement.slots_free = slots;
        announcement.context_tokens = 4096;
        announcement.embeddings = true;
        announcement.image_input = true;
        feed(Announced{announcement});
    }

    void take(const Respond& effect, std::deque<Event>&) {
        require(!answer_.begun && !answer_.ended, "one answer");
        answer_.response = effect.response;
        answer_.ended = true;
    }
    void take(const BeginResponse& effect, std::deque<Event>& events) {
        require(!answer_.begun && !answer_.ended, "one answer");
        answer_.response = effect.response;
        answer_.begun = true;
        written(effect.request, effect.response.body.size(), events);
    }
    void take(const WriteResponse& effect, std::deque<Event>& events) {
        require(answer_.begun && !answer_.ended, "in an answer");
        answer_.response.body += effect.bytes;
        written(effect.request, effect.bytes.size(), events);
    }
    void take(const EndResponse&, std::deque<Event>&) {
        require(answer_.begun && !answer_.ended, "in an answer");
        answer_.ended = true;
    }
    void take(const AbortResponse&, std::deque<Event>&) {
        require(false, "no answer is broken off while the car is well");
    }
    void take(const OrderSignals& effect, std::deque<Event>& events) {
        events.push_back(OrderAnswered{effect.request, bus::ReplyStatus::answered, {}});
    }
    void take(const Record&, std::deque<Event>&) {}
    // Handed on to somebody else, whose answer is no matter of this target.
    template <class Other>
    void take(const Other&, std::deque<Event>&) {
        answer_.ended = true;
    }
    void take(const Tell& effect, std::deque<Event>& events) {
        if (const auto* open = std::get_if<core::Open>(&effect.message))
            opened_[effect.attempt.value] = {open->part, open->work_bytes};
        else if (const auto* body = std::get_if<core::Body>(&effect.message))
            opened_[effect.attempt.value].bytes += body->part;
        else
            return;
        const Opened& opened = opened_[effect.attempt.value];
        require(opened.bytes.size() <= opened.size, "no more than was announced");
        if (opened.bytes.size() < opened.size)
            return;
        const auto work = wire::decode_work(opened.bytes);
        require(work.has_value(), "a car can read it");
        play(effect, *work, events);
    }

    void written(http::RequestId request, std::size_t bytes, std::deque<Event>& events) {
        answer_.given += bytes;
        events.push_back(Written{request, answer_.given});
    }

    // A car's part: one token, or one small vector for each input.
    static void play(const Tell& to, const core::Work& work, std::deque<Event>& events) {
        const wire::OutAddress from{to.vehicle, to.incarnation, to.attempt};
        std::uint64_t number = 0;
        if (work.task == core::Task::embedding) {
            const json request = json::parse(work.request_json);
            const json& input = request.at("input");
            const bool list = input.is_array() && !input.empty() && !input.front().is_number();
            const std::size_t count = list ? input.size() : 1;
            for (std::uint32_t i = 0; i < count; ++i) {
                events.push_back(CarSaid{
                    from, core::Numbered{++number, core::Embedding{i, std::string(32, '\0')}}});
            }
        } else {
            events.push_back(CarSaid{from, core::Numbered{++number, core::Piece{{7}, "ok", 1}}});
        }
        events.push_back(CarSaid{
            from, core::Numbered{++number, core::Finished{core::FinishReason::length, 3, 1}}});
    }

    struct Opened {
        std::string bytes;
        std::uint64_t size = 0;
    };

    GatewayCore core_;
    base::Instant now_{};
    std::uint64_t sequence_ = 0;
    std::uint64_t requests_ = 0;
    std::map<std::string, Opened> opened_;  // by attempt
    Answer answer_;
};

void check_events(const std::string& body) {
    std::size_t at = 0;
    bool done = false;
    bool broken = false;
    while (at < body.size()) {
        const std::size_t end = body.find("\n\n", at);
        require(end != body.npos && !done, "whole events, none behind the last");
        const std::string_view event = std::string_view(body).substr(at, end - at);
        at = end + 2;
        if (event.starts_with(':'))
            continue;
        const std::size_t data = event.find("data: ");
        require(data != event.npos, "an event has data: " + std::string(event));
        const std::string_view text = event.substr(data + 6);
        done = text == "[DONE]";
        const json object = done ? json() : json::parse(text, nullptr, false);
        require(done || object.is_object(), "data is an object");
        broken = broken || object.contains("error");
    }
    require(done || broken, "a stream ends with [DONE] or an error");
}

void check_answer(const http::Response& response) {
    const auto type = response.headers.find("content-type");
    const std::string_view kind =
        type == response.headers.end() ? std::string_view() : type->second;
    if (response.status >= 400) {
        const json body = json::parse(response.body, nullptr, false);
        require(body.is_object() && body.contains("error") && body["error"].size() == 4,
                "an error object: " + response.body.substr(0, 200));
        require(!body["error"]["message"].get<std::string>().empty(), "with words");
        return;
    }
    require(response.status == 200 || response.status == 204, "a status that we know");
    if (kind.starts_with("text/event-stream"))
        check_events(response.body);
    else if (kind.starts_with("application/json"))
        require(json::accept(response.body), "JSON");
    else
        require(response.body.empty() || kind.starts_with("text/"), "a type that we know");
}

std::string post(const std::string& target, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nhost: a\r\nauthorization: Bearer key\r\n" +
           "content-type: application/json\r\ncontent-length: " + std::to_string(body.size()) +
           "\r\n\r\n" + body;
}

std::string get(const std::string& target, const std::string& more = "") {
    return "GET " + target + " HTTP/1.1\r\nhost: a\r\nauthorization: Bearer key\r\n" + more +
           "\r\n";
}

}  // namespace

bool one_input(std::string_view bytes) {
    static Front front;
    ParsedRequest parsed = parse_request(bytes, std::max<std::size_t>(bytes.size(), 1));
    if (parsed.refused != 0 || parsed.request.method.empty())
        return false;
    const Answer answer = front.ask(std::move(parsed.request));
    check_answer(answer.response);
    return answer.response.status < 400;
}

std::vector<std::string> seeds() {
    const std::string messages = R"("messages":[{"role":"user","content":"hi"}])";
    return {
        get("/v1/models"),
        get("/v1/models/m"),
        get("/api/v1/vehicles", "origin: http://b\r\nx-request-id: abc\r\n"),
        get("/api/v1/figures"),
        get("/metrics"),
        get("/healthz"),
        post("/v1/chat/completions", "{\"model\":\"m\"," + messages + "}"),
        post("/v1/chat/completions",
             "{\"model\":\"m\",\"stream\":true,\"stream_options\":{\"include_usage\":true}," +
                 messages + "}"),
        post("/v1/chat/completions",
             "{\"model\":\"m\",\"n\":3,\"stop\":[\"a\"],\"seed\":1,\"temperature\":0.5,"
             "\"max_tokens\":2,\"data_class\":\"public\"," +
                 messages + "}"),
        post("/v1/chat/completions",
             R"({"model":"m","tools":[{"type":"function","function":{"name":"f","parameters":
{"type":"object"}}}],"tool_choice":"auto",)" +
                 messages + "}"),
        post("/v1/chat/completions",
             R"({"model":"m","response_format":{"type":"json_schema","json_schema":{"name":"n",
"schema":{"type":"object","properties":{"b":{"enum":[1,2]}}}}},)" +
                 messages + "}"),
        post("/v1/completions", R"({"model":"m","prompt":["a","b"],"n":2,"max_tokens":4})"),
        post("/v1/completions", R"({"model":"m","prompt":[1,2,3],"stream":true})"),
        post("/v1/embeddings", R"({"model":"m","input":["a","b"],"encoding_format":"base64"})"),
        post("/v1/embeddings", R"({"model":"m","input":[[1,2],[3]]})"),
        post("/api/v1/vehicles/car-1/signals", R"({"occupied": true, "locked": "missing"})"),
    };
}

}  // namespace idlewatt::fuzz
