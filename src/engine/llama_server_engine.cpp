// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/llama_server_engine.hpp"

#include <algorithm>
#include <csignal>
#include <deque>
#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include <unistd.h>

#include "base/log.hpp"
#include "engine/connection.hpp"
#include "engine/embedding.hpp"
#include "engine/engine_process.hpp"
#include "engine/engine_traits.hpp"
#include "engine/fingerprint.hpp"
#include "engine/llama_stream.hpp"
#include "engine/tap.hpp"

namespace idlewatt::engine {

namespace {

constexpr base::Duration probe_period_first = base::milliseconds(4);
constexpr base::Duration probe_period_later = base::milliseconds(50);
constexpr base::Duration probe_first_span = base::seconds(2);

constexpr base::Duration watch_period = base::milliseconds(100);
constexpr base::Duration health_period = base::milliseconds(500);
constexpr base::Duration silence_max = base::seconds(1);
constexpr base::Duration look_closer_after = base::milliseconds(300);
// While it loads, a slow disk may keep it from doing anything for a while.
constexpr base::Duration load_silence_max = base::seconds(10);

// Beside twice the model: context, buffers, the engine itself.
constexpr std::uint64_t memory_bytes_extra = std::uint64_t{1} << 30;

constexpr std::size_t quick_failures_max = 3;
constexpr base::Duration fine_after = base::seconds(1);
constexpr base::Duration failure_span = base::seconds(30);
constexpr base::Duration backoff_first = base::milliseconds(250);
constexpr base::Duration backoff_max = base::seconds(10);

std::string last_line(const std::string& text) {
    std::size_t end = text.find_last_not_of(" \n\r");
    if (end == std::string::npos)
        return {};
    const std::size_t begin = text.rfind('\n', end);
    return text.substr(begin == std::string::npos ? 0 : begin + 1,
                       end - (begin == std::string::npos ? 0 : begin));
}

std::string describe(const EngineEnd& end) {
    std::string text = "the engine ended by itself (exit code " + std::to_string(end.code);
    if (end.code == 128 + SIGKILL)
        text += ": killed from outside or for using too much memory";
    text += ")";
    if (const std::string line = last_line(end.output); !line.empty()) {
        text += "; its last words: " + line;
    }
    if (end.output.find("bwrap:") != std::string::npos) {
        text +=
            "; the sandbox cannot be made here. Allow user namespaces, or accept an engine without "
            "sandbox by IDLEWATT_ENGINE_SANDBOX=off";
    }
    return text;
}

class LlamaServerEngine final : public Engine {
public:
    LlamaServerEngine(base::AsioLoop& loop, LlamaServerOptions options)
        : loop_(loop), options_(std::move(options)) {
        memory_follows_model_ = options_.memory_bytes_max == 0;
        limit_memory();
        // One that a killed agent left names nobody, or by now a stranger.
        ::unlink((options_.run_dir + "/engine.pid").c_str());
        auto tap = TapWriter::open(options_.tap_path);
        if (tap) {
            tap_ = std::move(*tap);
        } else {
            base::log_error("engine", tap.error().message);
        }
    }

    ~LlamaServerEngine() override {
        streams_.clear();
        stop_timers();
        if (restart_timer_)
            loop_.cancel(*restart_timer_);
    }

    void on_status(std::function<void(const Status&)> on_status) override {
        on_status_ = std::move(on_status);
    }

    void use_model(ModelFile model) override {
        options_.model_path = std::move(model.path);
        options_.model_name = std::move(model.name);
        makes_vectors_.reset();
        limit_memory();
    }

    void start() override {
        wanted_ = true;
        if (!process_ && !restart_timer_)
            launch();
    }

    void kill(std::function<void()> gone) override {
        wanted_ = false;
        failures_.clear();
        if (restart_timer_)
            loop_.cancel(*std::exchange(restart_timer_, std::nullopt));
        if (!process_) {
            if (condition_ != Condition::idle)
                set(Condition::idle);
            if (gone)
                later([call = std::move(gone)](LlamaServerEngine&) { call(); });
            return;
        }
        if (gone_) {
            if (gone)
                later([call = std::move(gone)](LlamaServerEngine&) { call(); });
            return;
        }
        if (gone)
            waiting_for_end_.push_back(std::move(gone));
        killing_ = true;
        process_->kill();
        stop_timers();
        fail_streams("the engine was ended on purpose");
    }

    StreamId generate(const Generation& generation, StreamHandler handler) override {
        const StreamId id{next_stream_++};
        const auto on_end = std::move(handler.on_end);
        handler.on_end = [this, id, on_end](StreamEnd end) {
            // The stream must not be destroyed in the middle of its own call.
            forget(id);
            if (on_end)
                on_end(std::move(end));
        };
        EngineLink link{loop_,
                        process_ ? process_->socket_path() : std::string(),
                        options_.tap_path.empty() ? nullptr : tap_,
                        [this](const char* capability) { lacks(capability); },
                        traits_.reasoning,
                        options_.gathers,
                        templates_};
        auto stream =
            make_llama_stream(std::move(link), generation, std::move(handler), [this] { heard(); });
        LlamaStream& added = *streams_.emplace(id, std::move(stream)).first->second;
        if (condition_ != Condition::ready || killing_) {
            added.fail("the engine is not ready");
            return id;
        }
        waiting_.push_back(id);
        fill_slots();
        return id;
    }

    void cancel(StreamId id) override {
        const auto found = streams_.find(id);
        if (found == streams_.end())
            return;
        found->second->close();
        forget(id);
    }

    void set_paused(StreamId id, bool paused) override {
        const auto found = streams_.find(id);
        if (found != streams_.end())
            found->second->set_paused(paused);
    }

    [[nodiscard]] base::Duration cpu_time() const override {
        return process_ ? process_->cpu_time() : base::Duration{};
    }

private:
    // Runs the task later if the engine still exists then.
    void later(std::function<void(LlamaServerEngine&)> task) {
        loop_.post([this, alive = std::weak_ptr<int>(alive_), task = std::move(task)] {
            if (!alive.expired())
                task(*this);
        });
    }

    void limit_memory() {
        if (!memory_follows_model_)
            return;
        std::error_code error;
        const auto size = std::filesystem::file_size(options_.model_path, error);
        options_.memory_bytes_max = 2 * (error ? 0 : size) + memory_bytes_extra;
    }

    void set(Condition condition, std::string failure = {}) {
        condition_ = condition;
        later([status =
                   Status{condition, traits_.ready, std::move(failure)}](LlamaServerEngine& self) {
            const auto call = self.on_status_;
            if (call)
                call(status);
        });
    }

    // ── start and end of the process ────────────────────────────────────────────────────────────

    void launch() {
        set(Condition::starting);
        auto process = EngineProcess::start(
            loop_, options_, [this] { engine_gone(); },
            [this](const EngineEnd& end) { process_ended(end); });
        if (!process) {
            failed("the engine cannot be started: " + process.error().message);
            return;
        }
        process_ = std::move(*process);
        started_at_ = last_heard_ = last_progress_at_ = loop_.now();
        last_progress_ = 0;
        hang_.clear();
        asked_for_a_vector_ = false;
        templates_.reset();
        probe();
        watch();
    }

    // Its guard may still clean up; a new process starts after that.
    void engine_gone() {
        if (!killing_ || gone_)
            return;
        gone_ = true;
        set(Condition::idle);
        for (const auto& call : std::exchange(waiting_for_end_, {})) {
            later([call](LlamaServerEngine&) { call(); });
        }
    }

    void process_ended(const EngineEnd& end) {
        stop_timers();
        process_.reset();
        if (killing_) {
            engine_gone();
            killing_ = gone_ = false;
            ready_since_.reset();
            if (wanted_)
                launch();
            return;
        }
        // What ended it need not end it again.
        if (asked_for_a_vector_ && !makes_vectors_)
            makes_vectors_ = false;
        const std::string what = hang_.empty() ? describe(end) : hang_;
        fail_streams(what);
        failed(what);
    }

    // At once, unless it fails again and again.
    void failed(const std::string& what) {
        base::log_warning("engine", what);
        set(Condition::failed, what);
        const base::Instant now = loop_.now();
        // One that has served for a while was fine; what ended it need not happen again.
        if (ready_since_ && now - *ready_since_ >= fine_after) {
            failures_.clear();
        }
        ready_since_.reset();
        while (!failures_.empty() && now - failures_.front() > failure_span)
            failures_.pop_front();
        failures_.push_back(now);
        base::Duration delay{};
        if (failures_.size() > quick_failures_max) {
            delay = backoff_first;
            for (std::size_t i = quick_failures_max + 1;
                 i < failures_.size() && delay < backoff_max; ++i) {
                delay = std::min(delay * 2, backoff_max);
            }
        }
        if (!wanted_)
            return;
        restart_timer_ = loop_.after(delay, [this] {
            restart_timer_.reset();
            if (!process_)
                launch();
        });
    }

    void fail_streams(const std::string& what) {
        waiting_.clear();
        active_.clear();
        for (const auto& [id, stream] : streams_)
            stream->fail(what);
    }

    // ── ready ───────────────────────────────────────────────────────────────────────────────────

    void probe() {
        probe_ = fetch(loop_, process_->socket_path(), get_request("/health"),
                       [this](const base::Result<Response>& response) {
                           if (response)
                               heard();
                           if (response && response->status == 200)
                               return ask_properties();
                           const bool early = loop_.now() - started_at_ < probe_first_span;
                           probe_timer_ =
                               loop_.after(early ? probe_period_first : probe_period_later, [this] {
                                   probe_timer_.reset();
                                   probe();
                               });
                       });
    }

    void ask_properties() {
        probe_ = fetch(loop_, process_->socket_path(), get_request("/props"),
                       [this](const base::Result<Response>& response) {
                           const Ready fallback{options_.model_name, options_.slots,
                                                options_.context_tokens_per_slot};
                           auto traits = response && response->status == 200
                                             ? read_properties(response->body, fallback)
                                             : std::nullopt;
                           if (traits) {
                               traits_ = std::move(*traits);
                               templates_ = std::make_shared<TemplateGuesses>(
                                   traits_.chat_template,
                                   TemplateGuesses::Ends{traits_.begin_mark, traits_.end_mark});
                               return ask_for_a_vector();
                           }
                           hang_ = "the engine's /props are not understood";
                           process_->kill();
                       });
    }

    // Whether it makes vectors it says nowhere; once for a model it is asked for one.
    void ask_for_a_vector() {
        if (makes_vectors_)
            return become_ready();
        asked_for_a_vector_ = true;
        probe_ = fetch(loop_, process_->socket_path(),
                       post_request("/v1/embeddings", embedding_body(std::vector<Input>{"a"})),
                       [this](const base::Result<Response>& response) {
                           if (!response)
                               return;  // it has ended
                           heard();
                           makes_vectors_ = response->status == 200 &&
                                            read_embeddings(response->body, 1).has_value();
                           become_ready();
                       });
    }

    void become_ready() {
        probe_.reset();
        traits_.ready.embeddings = makes_vectors_.value_or(false);
        traits_.ready.fingerprint = fingerprint(
            {traits_.build, options_.model_name, traits_.quantization, hardware_class()});
        process_->settle();
        ready_since_ = loop_.now();
        set(Condition::ready);
    }

    // ── watching ────────────────────────────────────────────────────────────────────────────────

    void heard() { last_heard_ = loop_.now(); }

    // A busy machine starves an engine of lowest priority: only one that neither runs nor wants to
    // run hangs.
    void watch() {
        watch_timer_ = loop_.after(watch_period, [this] { watch(); });
        const base::Instant now = loop_.now();
        const bool loading = condition_ == Condition::starting;
        watch_memory();
        if (!loading && streams_.empty() && !process_->stopped()) {
            last_heard_ = last_progress_at_ = now;
            if (health_)
                health_->close();
            health_.reset();
            return;
        }
        if (!loading && !health_ && now - last_heard_ >= health_period)
            ask_health();
        if (now - last_heard_ < look_closer_after) {
            last_progress_at_ = now;
        } else if (const std::uint64_t progress = process_->progress_ns();
                   progress != last_progress_) {
            last_progress_ = progress;
            last_progress_at_ = now;
        }
        const base::Duration patience = loading ? load_silence_max : silence_max;
        if (now - last_heard_ < patience)
            return;
        if (now - last_progress_at_ < patience && !process_->stopped())
            return;
        end_it("the engine hangs: no answer and no work for " +
               std::to_string((now - last_heard_).whole_milliseconds()) + " ms; it was ended");
    }

    // Seen in a stream, which goes on with less: engines move on, and their version says little.
    void lacks(const char* capability) {
        if (!missing_.insert(capability).second)
            return;
        base::log_warning("engine",
                          std::string("this engine lacks the capability '") + capability +
                              "': cut answers go on from text, rightly but not identically, and "
                              "tokens may be counted by pieces");
    }

    void ask_health() {
        health_ = fetch(loop_, process_->socket_path(), get_request("/health"),
                        [this](const base::Result<Response>& response) {
                            health_.reset();
                            if (response)
                                heard();
                        });
    }

    void watch_memory() {
        if (process_->memory_is_limited())
            return;
        const std::uint64_t used = process_->resident_bytes();
        if (used <= options_.memory_bytes_max)
            return;
        end_it("the engine used " + std::to_string(used >> 20) + " MiB of memory, more than " +
               std::to_string(options_.memory_bytes_max >> 20) + " MiB; it was ended");
    }

    void end_it(const std::string& why) {
        if (!hang_.empty())
            return;
        hang_ = why;
        process_->kill();
        fail_streams(why);
    }

    void stop_timers() {
        for (auto* timer : {&probe_timer_, &watch_timer_}) {
            if (*timer)
                loop_.cancel(*std::exchange(*timer, std::nullopt));
        }
        for (auto* connection : {&probe_, &health_}) {
            if (*connection)
                (*connection)->close();
            connection->reset();
        }
    }

    // ── streams ─────────────────────────────────────────────────────────────────────────────────

    // Streams beyond the slots wait here and not in the engine, whose few threads they would hold.
    void fill_slots() {
        while (!waiting_.empty() && active_.size() < options_.slots) {
            const StreamId id = waiting_.front();
            waiting_.pop_front();
            active_.push_back(id);
            streams_.at(id)->begin();
        }
    }

    void forget(StreamId id) {
        const auto found = streams_.find(id);
        if (found == streams_.end())
            return;
        const std::shared_ptr<LlamaStream> stream = std::move(found->second);
        streams_.erase(found);
        std::erase(waiting_, id);
        std::erase(active_, id);
        if (condition_ == Condition::ready && !killing_)
            fill_slots();
        loop_.post([stream] {});
    }

    base::AsioLoop& loop_;
    LlamaServerOptions options_;
    bool memory_follows_model_ = false;
    std::shared_ptr<int> alive_ = std::make_shared<int>(0);
    std::shared_ptr<TapWriter> tap_;
    std::shared_ptr<TemplateGuesses> templates_;
    std::function<void(const Status&)> on_status_;
    Condition condition_ = Condition::idle;
    EngineTraits traits_;
    std::optional<bool> makes_vectors_;  // absent: not asked yet
    bool asked_for_a_vector_ = false;    // by this process
    bool wanted_ = false;
    bool killing_ = false;
    bool gone_ = false;  // killed, and only its guard is left
    std::string hang_;   // why we ended it ourselves
    std::vector<std::function<void()>> waiting_for_end_;
    std::deque<base::Instant> failures_;
    std::optional<base::TimerId> restart_timer_;
    std::optional<base::TimerId> probe_timer_;
    std::optional<base::TimerId> watch_timer_;
    std::shared_ptr<Connection> probe_;
    std::shared_ptr<Connection> health_;
    base::Instant started_at_;
    std::optional<base::Instant> ready_since_;
    base::Instant last_heard_;
    base::Instant last_progress_at_;
    std::uint64_t last_progress_ = 0;
    std::set<std::string> missing_;  // capabilities, each logged once
    std::map<StreamId, std::shared_ptr<LlamaStream>> streams_;
    std::deque<StreamId> waiting_;
    std::vector<StreamId> active_;
    std::uint64_t next_stream_ = 1;
    std::unique_ptr<EngineProcess> process_;
};

}  // namespace

std::unique_ptr<Engine> make_llama_server_engine(base::AsioLoop& loop, LlamaServerOptions options) {
    return std::make_unique<LlamaServerEngine>(loop, std::move(options));
}

}  // namespace idlewatt::engine
