// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/memory_engine.hpp"

#include <algorithm>
#include <map>
#include <optional>
#include <utility>
#include <vector>

#include "engine/fingerprint.hpp"
#include "engine/memory_stream.hpp"

namespace idlewatt::engine {

namespace {

using Stream = MemoryStream;

StreamEnd failed(std::string what) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::engine_failed;
    end.failure = std::move(what);
    return end;
}

StreamEnd rejected(core::Rejected rejection) {
    StreamEnd end;
    end.kind = StreamEnd::Kind::rejected;
    end.rejected = std::move(rejection);
    return end;
}

}  // namespace

// Shared with the tasks on the loop, which must not outlive it.
struct MemoryEngine::Implementation : std::enable_shared_from_this<Implementation> {
    enum class Process { none, loading, up, dying };

    Implementation(base::Loop& on, MemoryEngineOptions with) : loop(on), options(std::move(with)) {}

    base::Loop& loop;
    MemoryEngineOptions options;
    std::function<void(const Status&)> on_status;
    Process process = Process::none;
    bool wanted = false;
    std::uint64_t run = 0;  // one more with every process, so that old timers are recognised
    std::vector<std::function<void()>> waiting_for_end;
    std::map<StreamId, std::shared_ptr<Stream>> streams;
    std::uint64_t next_stream = 1;
    bool stalled = false;
    bool lying = false;
    std::optional<core::Rejected> rejection;
    std::optional<base::TimerId> hang_timer;
    base::Duration cpu;

    // Runs the task later if the engine still exists then.
    void later(base::Duration delay, std::function<void(Implementation&)> task) {
        loop.after(delay, [weak = weak_from_this(), task = std::move(task)] {
            if (const auto self = weak.lock())
                task(*self);
        });
    }

    void notify(Condition condition, std::string failure = {}) {
        Status status;
        status.condition = condition;
        status.failure = std::move(failure);
        if (condition == Condition::ready) {
            status.ready = {options.model,          options.slots,
                            options.context_tokens, options.embeddings,
                            options.image_input,    fingerprint({"memory", options.model, "", ""})};
        }
        later({}, [status](Implementation& self) {
            const auto call = self.on_status;
            if (call)
                call(status);
        });
    }

    void launch() {
        process = Process::loading;
        cpu = {};
        stalled = false;
        notify(Condition::starting);
        later(options.load_time, [of = ++run](Implementation& self) {
            if (self.run != of || self.process != Process::loading)
                return;
            self.process = Process::up;
            self.notify(Condition::ready);
        });
    }

    void fall(const std::string& what) {
        if (process == Process::none || process == Process::dying)
            return;
        end_all(what);
        notify(Condition::failed, what);
        process = Process::none;
        launch();
    }

    void end_all(const std::string& what) {
        std::vector<std::shared_ptr<Stream>> open;
        for (const auto& [id, stream] : streams)
            open.push_back(stream);
        for (const auto& stream : open)
            finish(*stream, failed(what));
        watch();
    }

    // Decides the stream's end; what it has said before is delivered first, unless it failed.
    void finish(Stream& stream, StreamEnd end) {
        if (stream.timer)
            loop.cancel(*std::exchange(stream.timer, std::nullopt));
        const bool lost = end.kind == StreamEnd::Kind::engine_failed;
        if (stream.end && !lost)
            return;
        if (lost) {
            stream.said.clear();
            stream.paused = false;
        }
        stream.end = std::move(end);
        stream.in_slot = false;
        stream.due = false;
        flush_later(stream.id);
    }

    void flush_later(StreamId id) {
        later({}, [id](Implementation& self) { self.flush(id); });
    }

    void flush(StreamId id) {
        for (;;) {
            // Looked up each time: a callback may cancel, pause or kill.
            const auto found = streams.find(id);
            if (found == streams.end() || found->second->paused)
                return;
            const std::shared_ptr<Stream> stream = found->second;
            if (!stream->said.empty()) {
                say(*stream);
                continue;
            }
            if (!stream->end)
                return;
            streams.erase(found);
            watch();
            if (stream->handler.on_end)
                stream->handler.on_end(std::move(*stream->end));
            return;
        }
    }

    static void say(Stream& stream) {
        auto next = std::move(stream.said.front());
        stream.said.pop_front();
        if (auto* piece = std::get_if<core::Piece>(&next)) {
            if (stream.handler.on_piece)
                stream.handler.on_piece(std::move(*piece));
        } else if (stream.handler.on_embedding) {
            stream.handler.on_embedding(std::move(std::get<core::Embedding>(next)));
        }
    }

    void fill_slots() {
        std::uint32_t taken = 0;
        for (const auto& [id, stream] : streams)
            taken += stream->in_slot ? 1 : 0;
        for (const auto& [id, stream] : streams) {
            if (taken >= options.slots)
                break;
            if (stream->in_slot || stream->end)
                continue;
            stream->in_slot = true;
            ++taken;
            arm(*stream, options.first_token_time);
        }
        watch();
    }

    void arm(Stream& stream, base::Duration before) {
        const base::Duration delay =
            before + options.token_time * stream.next_tokens(options.nameless_every);
        stream.timer = loop.after(delay, [weak = weak_from_this(), id = stream.id] {
            if (const auto self = weak.lock())
                self->speak(id);
        });
    }

    void speak(StreamId id) {
        const auto found = streams.find(id);
        if (found == streams.end())
            return;
        const std::shared_ptr<Stream> stream = found->second;
        stream->timer.reset();
        if (stalled) {
            stream->due = true;
            return;
        }
        cpu = cpu + options.token_time * stream->next_tokens(options.nameless_every);
        stream->say_next(options.nameless_every, lying);
        if (stream->over()) {
            StreamEnd end;
            end.kind = StreamEnd::Kind::finished;
            end.finished = stream->finished();
            finish(*stream, std::move(end));
            fill_slots();
        } else {
            arm(*stream, {});
        }
        flush(id);
    }

    // A stall with a stream open is a hang after a while.
    void watch() {
        const bool silent = stalled && process == Process::up &&
                            std::any_of(streams.begin(), streams.end(),
                                        [](const auto& entry) { return !entry.second->end; });
        if (!silent && hang_timer)
            loop.cancel(*std::exchange(hang_timer, std::nullopt));
        if (!silent || hang_timer || options.hang_time == base::Duration{})
            return;
        hang_timer = loop.after(options.hang_time, [weak = weak_from_this()] {
            const auto self = weak.lock();
            if (!self)
                return;
            self->hang_timer.reset();
            self->fall("the engine hangs; it was ended and is started again");
        });
    }
};

MemoryEngine::MemoryEngine(base::Loop& loop, MemoryEngineOptions options)
    : impl_(std::make_shared<Implementation>(loop, std::move(options))) {}

MemoryEngine::~MemoryEngine() {
    for (const auto& [id, stream] : impl_->streams) {
        if (stream->timer)
            impl_->loop.cancel(*stream->timer);
    }
    if (impl_->hang_timer)
        impl_->loop.cancel(*impl_->hang_timer);
}

void MemoryEngine::crash() {
    impl_->fall("the engine crashed; it is started again");
}

void MemoryEngine::set_stalled(bool stalled) {
    if (impl_->process != Implementation::Process::up)
        return;
    impl_->stalled = stalled;
    if (!stalled) {
        for (const auto& [id, stream] : impl_->streams) {
            if (std::exchange(stream->due, false))
                impl_->arm(*stream, {});
        }
    }
    impl_->watch();
}

void MemoryEngine::set_lying(bool lying) {
    impl_->lying = lying;
}

void MemoryEngine::reject_next(core::Rejected rejection) {
    impl_->rejection = std::move(rejection);
}

void MemoryEngine::on_status(std::function<void(const Status&)> on_status) {
    impl_->on_status = std::move(on_status);
}

void MemoryEngine::use_model(ModelFile model) {
    impl_->options.model = std::move(model.name);
}

void MemoryEngine::start() {
    impl_->wanted = true;
    if (impl_->process == Implementation::Process::none)
        impl_->launch();
}

void MemoryEngine::kill(std::function<void()> gone) {
    using Process = Implementation::Process;
    impl_->wanted = false;
    if (gone)
        impl_->waiting_for_end.push_back(std::move(gone));
    if (impl_->process == Process::dying)
        return;
    const bool ran = impl_->process != Process::none;
    impl_->process = Process::dying;
    impl_->stalled = false;
    ++impl_->run;
    impl_->end_all("the engine was ended on purpose");
    impl_->later(ran ? impl_->options.kill_time : base::Duration{}, [ran](Implementation& self) {
        self.process = Process::none;
        self.cpu = {};
        if (ran)
            self.notify(Condition::idle);
        for (const auto& call : std::exchange(self.waiting_for_end, {}))
            call();
        if (self.wanted && self.process == Process::none)
            self.launch();
    });
}

StreamId MemoryEngine::generate(const Generation& generation, StreamHandler handler) {
    const auto stream = std::make_shared<Stream>();
    stream->id = StreamId{impl_->next_stream++};
    stream->handler = std::move(handler);
    const std::string complaint = stream->open(generation);
    impl_->streams.emplace(stream->id, stream);

    // The process may have ended a moment ago, before its owner could know.
    if (impl_->process != Implementation::Process::up) {
        impl_->finish(*stream, failed("the engine is not ready"));
    } else if (impl_->rejection) {
        impl_->finish(*stream, rejected(*std::exchange(impl_->rejection, std::nullopt)));
    } else if (!complaint.empty()) {
        impl_->finish(*stream, rejected({400, complaint}));
    } else if (stream->vectors.empty() && stream->prompt_tokens > impl_->options.context_tokens) {
        impl_->finish(*stream, rejected({400, "the request exceeds the available context size"}));
    } else {
        impl_->fill_slots();
    }
    return stream->id;
}

void MemoryEngine::cancel(StreamId id) {
    const auto found = impl_->streams.find(id);
    if (found == impl_->streams.end())
        return;
    if (found->second->timer)
        impl_->loop.cancel(*found->second->timer);
    impl_->streams.erase(found);
    impl_->fill_slots();
}

void MemoryEngine::set_paused(StreamId id, bool paused) {
    const auto found = impl_->streams.find(id);
    if (found == impl_->streams.end() || found->second->paused == paused)
        return;
    found->second->paused = paused;
    if (!paused)
        impl_->flush_later(id);
}

base::Duration MemoryEngine::cpu_time() const {
    return impl_->cpu;
}

}  // namespace idlewatt::engine
