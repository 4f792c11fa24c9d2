// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/traffic.hpp"

#include <algorithm>
#include <charconv>
#include <utility>

#include "base/assert.hpp"
#include "base/prng.hpp"
#include "http/client.hpp"

namespace idlewatt::cli {

namespace {

// Old records go many at once: taking them off one by one would move all the others each time.
constexpr std::size_t records_dropped_at_once = answer_records_max / 10;
constexpr base::Duration retry_after_max = base::seconds(30);

// Seconds, as our gateway says it; the form with a date counts as not said.
base::Duration retry_after(const http::Headers& headers) {
    const auto found = headers.find("retry-after");
    std::int64_t seconds = 0;
    if (found != headers.end()) {
        const std::string& text = found->second;
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
        if (error != std::errc() || seconds < 0)
            seconds = 0;
    }
    return std::min(base::seconds(std::min<std::int64_t>(seconds, 3600)), retry_after_max);
}

}  // namespace

struct Traffic::Implementation : std::enable_shared_from_this<Traffic::Implementation> {
    struct Client {
        base::Prng prng{0};
        AnswerRecord record;
        AnswerReader reader;
        base::Duration retry_after;
        std::optional<lessons::Lesson> lesson;
        std::unique_ptr<http::Exchange> exchange;  // none: between two questions
        std::uint64_t question = 0;                // so that a late task knows its own
        base::Instant rests_until;                 // after a failure, also in a rush
    };

    Implementation(base::AsioLoop& loop_given, TrafficOptions options_given)
        : loop(loop_given),
          options(std::move(options_given)),
          clients(options.clients + options.rush_clients) {
        base::Prng prng(options.seed);
        for (Client& client : clients)
            client.prng = base::Prng(prng.next());
    }

    void ask_later(std::size_t number, base::Duration delay);
    void ask(std::size_t number);
    void ended(std::size_t number, const std::string& broken);
    void check(const lessons::Lesson& lesson, const AnswerRecord& record);
    void keep(AnswerRecord record);
    void rush(base::Duration length);
    [[nodiscard]] bool rushing() const { return loop.now() < rush_end; }
    void stop(base::Duration limit, std::function<void()> done_given);
    void hang_up_all();
    void tell_done_if_idle();

    base::AsioLoop& loop;
    const TrafficOptions options;
    std::vector<Client> clients;
    std::vector<AnswerRecord> records;
    std::vector<WrongAnswer> wrong_answers;
    TrafficCounts counts;
    base::Instant rush_end;
    bool stopping = false;
    std::function<void()> done;
    std::optional<base::TimerId> limit_timer;
};

void Traffic::Implementation::ask_later(std::size_t number, base::Duration delay) {
    loop.after(delay, [weak = weak_from_this(), number, asked = clients[number].question] {
        const auto self = weak.lock();
        // It may have asked already, in a rush.
        if (self && self->clients[number].question == asked)
            self->ask(number);
    });
}

void Traffic::Implementation::ask(std::size_t number) {
    if (stopping || (number >= options.clients && !rushing()))
        return;
    Client& client = clients[number];
    TrafficQuestion question = make_traffic_question(options.questions, client.prng);
    client.reader = {};
    client.retry_after = {};
    client.record = {};
    client.record.prompt = std::move(question.prompt);
    client.lesson = std::move(question.lesson);
    client.record.streamed = question.streamed;
    client.record.asked_at = loop.now();
    ++client.question;
    ++counts.asked;
    ++counts.running;

    http::Call call;
    call.url = options.connection.url + "/v1/chat/completions";
    call.method = "POST";
    call.headers = request_headers(options.connection);
    call.headers["content-type"] = "application/json";
    call.ca_file = options.connection.ca_file;
    call.body = std::move(question.body);
    http::CallHandler handler;
    handler.on_head = [this, number](int status, const http::Headers& headers) {
        Client& asking = clients[number];
        const auto type = headers.find("content-type");
        asking.reader.on_status(asking.record, status,
                                type == headers.end() ? std::string_view() : type->second);
        asking.retry_after = retry_after(headers);
    };
    handler.on_body = [this, number](std::string_view bytes) {
        Client& asking = clients[number];
        const std::size_t pieces = asking.record.piece_times.size();
        asking.reader.on_body(asking.record, bytes, loop.now());
        counts.pieces += asking.record.piece_times.size() - pieces;
    };
    handler.on_end = [this, number, asked = client.question](const base::Result<void>& result) {
        // The exchange must not be destroyed inside its own callback.
        loop.post([weak = weak_from_this(), number, asked,
                   broken = result ? std::string() : result.error().message] {
            const auto self = weak.lock();
            if (self && self->clients[number].exchange && self->clients[number].question == asked)
                self->ended(number, broken);
        });
    };
    client.exchange = http::call(loop, std::move(call), std::move(handler));
}

void Traffic::Implementation::ended(std::size_t number, const std::string& broken) {
    Client& client = clients[number];
    client.reader.on_end(client.record, broken, loop.now());
    client.exchange.reset();
    const AnswerOutcome outcome = outcome_of(client.record);
    base::Duration pause =
        base::from_seconds(2 * client.prng.unit() * options.think_time.seconds());
    if (rushing())
        pause = {};
    if (outcome != AnswerOutcome::completed) {
        pause = std::max(client.retry_after, traffic_pause_after_failure);
        client.rests_until = loop.now() + pause;
    } else if (client.lesson) {
        check(*client.lesson, client.record);
    }
    keep(std::move(client.record));
    if (!stopping)
        ask_later(number, pause);
    tell_done_if_idle();
}

void Traffic::Implementation::check(const lessons::Lesson& lesson, const AnswerRecord& record) {
    ++counts.checked;
    if (lessons::is_right(lesson, record.text)) {
        ++counts.correct;
    } else if (wrong_answers.size() < wrong_answers_max) {
        wrong_answers.push_back({record.prompt, record.text, lesson.answer});
    }
}

void Traffic::Implementation::rush(base::Duration length) {
    rush_end = std::max(rush_end, loop.now() + length);
    for (std::size_t i = 0; i < clients.size(); ++i) {
        if (!clients[i].exchange && clients[i].rests_until <= loop.now())
            ask(i);
    }
}

void Traffic::Implementation::keep(AnswerRecord record) {
    --counts.running;
    switch (outcome_of(record)) {
        case AnswerOutcome::completed:
            ++counts.completed;
            break;
        case AnswerOutcome::failed:
            ++counts.failed;
            break;
        case AnswerOutcome::failed_no_capacity:
            ++counts.failed_no_capacity;
            break;
        case AnswerOutcome::rejected:
            ++counts.rejected;
            break;
        case AnswerOutcome::abandoned:
            ++counts.abandoned;
            break;
    }
    if (records.size() >= answer_records_max)
        records.erase(records.begin(), records.begin() + records_dropped_at_once);
    records.push_back(std::move(record));
}

void Traffic::Implementation::stop(base::Duration limit, std::function<void()> done_given) {
    IDLEWATT_ASSERT(!stopping);
    stopping = true;
    done = std::move(done_given);
    limit_timer = loop.after(limit, [weak = weak_from_this()] {
        if (const auto self = weak.lock()) {
            self->limit_timer.reset();
            self->hang_up_all();
        }
    });
    loop.post([weak = weak_from_this()] {
        if (const auto self = weak.lock())
            self->tell_done_if_idle();
    });
}

void Traffic::Implementation::hang_up_all() {
    for (Client& client : clients) {
        if (!client.exchange)
            continue;
        client.exchange.reset();
        client.record.abandoned = true;
        client.record.ended_at = loop.now();
        keep(std::move(client.record));
    }
    tell_done_if_idle();
}

void Traffic::Implementation::tell_done_if_idle() {
    if (!stopping || counts.running > 0 || !done)
        return;
    if (limit_timer)
        loop.cancel(*limit_timer);
    std::exchange(done, nullptr)();
}

Traffic::Traffic(base::AsioLoop& loop, TrafficOptions options)
    : impl_(std::make_shared<Implementation>(loop, std::move(options))) {
    IDLEWATT_ASSERT(impl_->options.questions.max_tokens_min <=
                    impl_->options.questions.max_tokens_max);
}

Traffic::~Traffic() {
    impl_->stopping = true;
    impl_->done = nullptr;
    for (Implementation::Client& client : impl_->clients)
        client.exchange.reset();
}

void Traffic::start() {
    // Not all at the same moment: each begins within one time of thinking.
    for (std::size_t i = 0; i < impl_->options.clients; ++i) {
        const auto share = static_cast<std::int64_t>(i);
        const auto all = static_cast<std::int64_t>(impl_->options.clients);
        impl_->ask_later(i, impl_->options.think_time * share / all);
    }
}

void Traffic::rush(base::Duration length) {
    impl_->rush(length);
}

void Traffic::stop(base::Duration limit, std::function<void()> done) {
    impl_->stop(limit, std::move(done));
}

const std::vector<AnswerRecord>& Traffic::records() const {
    return impl_->records;
}

const TrafficCounts& Traffic::counts() const {
    return impl_->counts;
}

const std::vector<WrongAnswer>& Traffic::wrong_answers() const {
    return impl_->wrong_answers;
}

}  // namespace idlewatt::cli
