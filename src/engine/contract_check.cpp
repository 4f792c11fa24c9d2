// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "engine/contract_check.hpp"

#include <algorithm>
#include <utility>

#include "engine/engine_json.hpp"

namespace idlewatt::engine {

namespace {

constexpr std::uint32_t answer_tokens = 24;
constexpr std::uint32_t long_answer_tokens = 1500;
constexpr std::uint32_t form_tokens_max = 200;
constexpr base::Duration answer_patience = base::seconds(5);

// No member has room for chatter, so that even a model of random weights comes to an end.
const std::string schema =
    R"({"type":"object","properties":{"place":{"enum":["street","garage"]},)"
    R"("cars":{"type":"array","items":{"enum":["red","green","blue"]},"minItems":3,"maxItems":3}},)"
    R"("required":["place","cars"],"additionalProperties":false})";

std::string question(const std::string& more) {
    return R"({"messages":[{"role":"user","content":"Count the cars."}],"temperature":0,)" + more +
           R"(,"max_tokens":)" + std::to_string(form_tokens_max) + "}";
}

std::string form_request() {
    return question(R"("response_format":{"type":"json_schema","json_schema":{"name":"cars",)"
                    R"("schema":)" +
                    schema + "}}");
}

std::string call_request() {
    return question(R"("tools":[{"type":"function","function":{"name":"count","parameters":)" +
                    schema + R"(}}],"tool_choice":"required")");
}

std::string request(std::uint32_t tokens) {
    return R"({"messages":[{"role":"user","content":"Count the cars."}],"temperature":0,)"
           R"("ignore_eos":true,"max_tokens":)" +
           std::to_string(tokens) + "}";
}

struct Heard {
    std::vector<core::Piece> pieces;
    core::ResumePoint resume;
    std::string text;
    std::vector<core::Embedding> vectors;
    bool over = false;
    StreamEnd end;

    [[nodiscard]] bool finished() const { return over && end.kind == StreamEnd::Kind::finished; }
};

// One question after the other; kept alive by the callbacks it waits for.
class Check : public std::enable_shared_from_this<Check> {
public:
    Check(base::Loop& loop, Engine& engine, std::function<void(ContractReport)> done)
        : loop_(loop), engine_(engine), done_(std::move(done)) {}

    void run() {
        ask(answer_tokens, {}, [this](const Heard& heard) {
            whole_ = heard;
            const bool finished = heard.over && heard.end.kind == StreamEnd::Kind::finished;
            add(capability_streams, finished && heard.pieces.size() > 1, true,
                finished ? std::to_string(heard.pieces.size()) + " pieces" : what_failed(heard));
            if (!finished)
                return report();
            check_counts();
            check_ids();
            continue_from_ids();
        });
    }

private:
    void check_counts() {
        const bool exact = whole_.resume.tokens == answer_tokens &&
                           whole_.end.finished.generated_tokens == answer_tokens;
        add(capability_counts_tokens, exact, true,
            std::to_string(whole_.end.finished.generated_tokens) + " of " +
                std::to_string(answer_tokens) + " tokens counted, " +
                std::to_string(whole_.resume.tokens) + " of them in the stream");
    }

    void check_ids() {
        const auto named =
            std::count_if(whole_.pieces.begin(), whole_.pieces.end(),
                          [](const core::Piece& piece) { return !piece.ids.empty(); });
        const bool most = static_cast<std::size_t>(named) * 2 > whole_.pieces.size();
        add(capability_names_ids, most, false,
            most ? "token ids are named"
                 : "token ids are not named: answers go on from text, rightly but not identically");
    }

    void continue_from_ids() {
        std::string said;
        const core::ResumePoint half = first_half(said, false);
        ask(answer_tokens, half, [this, said](const Heard& heard) {
            const bool same = heard.over && said + heard.text == whole_.text;
            add(capability_continues, same, false,
                same ? "a cut answer went on with the same tokens"
                     : "a cut answer went on differently: " + what_failed(heard));
            continue_from_text();
        });
    }

    void continue_from_text() {
        std::string said;
        const core::ResumePoint half = first_half(said, true);
        ask(answer_tokens, half, [this, half](const Heard& heard) {
            const bool fine = heard.over && heard.end.kind == StreamEnd::Kind::finished &&
                              heard.end.finished.generated_tokens == answer_tokens - half.tokens;
            add(capability_continues_text, fine, true,
                fine ? "an answer went on from text" : what_failed(heard));
            cancel_streams();
        });
    }

    core::ResumePoint first_half(std::string& said, bool as_text) const {
        core::ResumePoint resume;
        for (std::size_t i = 0; i < whole_.pieces.size() / 2; ++i) {
            const core::Piece& piece = whole_.pieces[i];
            // More ids than tokens never are; none make the piece a text.
            resume.append(as_text ? core::TokenIds{} : piece.ids, piece.text, piece.token_count);
            said += piece.text;
        }
        return resume;
    }

    // Enough long answers to fill every slot; then a short one must not wait for their ends.
    void cancel_streams() {
        constexpr int streams = 8;
        for (int i = 0; i < streams; ++i) {
            long_ones_.push_back(
                engine_.generate({request(long_answer_tokens), {}, "contract"}, {}));
        }
        const auto self = shared_from_this();
        loop_.after(base::milliseconds(100), [self] {
            for (const StreamId id : self->long_ones_)
                self->engine_.cancel(id);
            self->ask(answer_tokens, {}, [self](const Heard& heard) {
                const bool fine = heard.over && heard.end.kind == StreamEnd::Kind::finished;
                self->add(capability_cancels, fine, true,
                          fine ? "cancelled answers freed their slots" : self->what_failed(heard));
                self->cut_a_form();
            });
        });
    }

    void cut_a_form() {
        ask({form_request(), {}, "contract"}, [this](const Heard& heard) {
            if (!heard.finished() || !Json::accept(heard.text)) {
                add(capability_keeps_form, false, false,
                    "answers by a JSON schema cannot be served: " + what_failed(heard));
                return call_a_function();
            }
            Generation rest{form_request(), {}, "contract"};
            std::string said;
            for (std::size_t i = 0; i < heard.pieces.size() / 2; ++i) {
                const core::Piece& piece = heard.pieces[i];
                rest.resume.append(piece.ids, piece.text, piece.token_count);
                said += piece.text;
            }
            ask(rest, [this, said](const Heard& second) {
                const bool fine = second.finished() && Json::accept(said + second.text);
                add(capability_keeps_form, fine, false,
                    fine ? "a cut answer kept to its JSON schema"
                         : "a cut answer by a JSON schema is not valid: " + said +
                               what_failed(second));
                call_a_function();
            });
        });
    }

    void call_a_function() {
        ask({call_request(), {}, "contract"}, [this](const Heard& heard) {
            const bool called = !heard.pieces.empty() && !heard.pieces.back().tool_calls.empty();
            const bool cut =
                heard.finished() && heard.end.finished.reason == core::FinishReason::length;
            const bool fine = heard.finished() && (called || cut);
            add(capability_calls, fine, false,
                fine ? "a function is called where a call is demanded"
                     : "tools cannot be served: " + what_failed(heard));
            make_a_vector();
        });
    }

    void make_a_vector() {
        Generation generation{R"({"input":["a car","a night"]})", {}, "contract"};
        generation.task = core::Task::embedding;
        ask(generation, [this](const Heard& heard) {
            const bool fine = heard.finished() && heard.vectors.size() == 2;
            add(capability_embeddings, fine, false,
                fine ? "vectors of " + std::to_string(heard.vectors[0].values.size() / 4) +
                           " numbers are made"
                     : "embeddings cannot be served: " + what_failed(heard));
            report();
        });
    }

    void ask(std::uint32_t tokens, core::ResumePoint resume,
             std::function<void(const Heard&)> then) {
        ask({request(tokens), std::move(resume), "contract"}, std::move(then));
    }

    void ask(const Generation& generation, std::function<void(const Heard&)> then) {
        const auto self = shared_from_this();
        const auto heard = std::make_shared<Heard>();
        const auto call = std::make_shared<std::function<void(const Heard&)>>(std::move(then));
        const auto timer = std::make_shared<base::TimerId>();
        StreamHandler handler;
        handler.on_piece = [heard](core::Piece piece) {
            heard->resume.append(piece.ids, piece.text, piece.token_count);
            heard->text += piece.text;
            heard->pieces.push_back(std::move(piece));
        };
        handler.on_end = [self, heard, call, timer](StreamEnd end) {
            self->loop_.cancel(*timer);
            heard->over = true;
            heard->end = std::move(end);
            (*call)(*heard);
        };
        handler.on_embedding = [heard](core::Embedding embedding) {
            heard->vectors.push_back(std::move(embedding));
        };
        const StreamId id = engine_.generate(generation, std::move(handler));
        *timer = loop_.after(answer_patience, [self, heard, call, id] {
            self->engine_.cancel(id);
            (*call)(*heard);
        });
    }

    static std::string what_failed(const Heard& heard) {
        if (!heard.over)
            return "no end of the answer within 5 s";
        switch (heard.end.kind) {
            case StreamEnd::Kind::finished:
                return "the answer was other than expected: '" + heard.text + "'";
            case StreamEnd::Kind::rejected:
                return "rejected: " + heard.end.rejected.message;
            case StreamEnd::Kind::engine_failed:
                return heard.end.failure;
        }
        return {};
    }

    void add(const char* capability, bool ok, bool required, std::string message) {
        report_.checks.push_back({capability, ok, required, std::move(message)});
    }

    void report() {
        const auto call = std::exchange(done_, nullptr);
        loop_.post([call, result = std::move(report_)] { call(result); });
    }

    base::Loop& loop_;
    Engine& engine_;
    std::function<void(ContractReport)> done_;
    ContractReport report_;
    Heard whole_;
    std::vector<StreamId> long_ones_;
};

}  // namespace

bool ContractReport::usable() const {
    return !checks.empty() && std::all_of(checks.begin(), checks.end(), [](const auto& check) {
        return check.ok || !check.required;
    });
}

void check_engine_contract(base::Loop& loop, Engine& engine,
                           std::function<void(ContractReport)> done) {
    std::make_shared<Check>(loop, engine, std::move(done))->run();
}

}  // namespace idlewatt::engine
