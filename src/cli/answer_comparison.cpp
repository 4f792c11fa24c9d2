// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/answer_comparison.hpp"

#include <algorithm>
#include <optional>
#include <tuple>
#include <utility>

#include "cli/answer_alignment.hpp"
#include "cli/tap_reading.hpp"

namespace idlewatt::cli {

namespace {

// What the attempts may add up to.
struct Reference {
    std::vector<EngineChunk> answer;
    std::uint64_t passed_over = 0;            // tokens missing in prompts that went on behind them
    std::uint64_t surplus = 0;                // parts of prompts that nobody had said
    std::optional<std::uint32_t> tokens_max;  // of the whole answer
    bool ended = false;

    [[nodiscard]] std::uint64_t wrong() const { return passed_over + surplus; }
};

// Two engines that are told to go on from the same place are rivals: the second was asked because
// the first was late, or because nothing of it had arrived. The client has the words of one.
struct Readings {
    std::vector<Reference> all{Reference{}};
    std::vector<EngineChunk> said;  // all of it, also what was given up
    std::uint64_t resumed = 0;
    std::string unreadable;
};

std::uint64_t tokens_in(const std::vector<EngineChunk>& chunks) {
    std::uint64_t tokens = 0;
    for (const EngineChunk& chunk : chunks)
        tokens += chunk.tokens;
    return tokens;
}

// One that an engine ended, or that is as long as it was asked to be.
bool is_whole(const Reference& reference) {
    return reference.ended ||
           (reference.tokens_max && tokens_in(reference.answer) >= *reference.tokens_max);
}

Reference extended(const Reference& from, const EngineAttempt& attempt) {
    Reference reference = from;
    ResumeAlignment resume = align_resume(attempt.resumed, from.answer);
    reference.passed_over += resume.passed_over;
    reference.surplus += resume.surplus;
    reference.answer = std::move(resume.kept);
    if (attempt.n_predict && attempt.resumed.empty())
        reference.tokens_max = attempt.n_predict;
    reference.answer.insert(reference.answer.end(), attempt.said.begin(), attempt.said.end());
    reference.ended = attempt.ended;
    return reference;
}

// With the attempt behind that reading which its prompt fits best.
Reference best_extended(const std::vector<Reference>& from, const EngineAttempt& attempt) {
    std::optional<Reference> best;
    for (const Reference& reference : from) {
        Reference next = extended(reference, attempt);
        if (!best || next.wrong() < best->wrong())
            best = std::move(next);
    }
    return *best;
}

Readings readings_of(const TappedWork& work) {
    Readings readings;
    std::vector<Reference> before = readings.all;  // without the last attempt and its rivals
    const EngineAttempt* last = nullptr;
    for (const auto& [number, attempt] : work) {
        if (!attempt.unreadable.empty()) {
            readings.unreadable = "attempt " + std::to_string(number) + ": " + attempt.unreadable;
            return readings;
        }
        if (last != nullptr && last->resumed == attempt.resumed) {
            readings.all.push_back(best_extended(before, attempt));
        } else {
            before = std::exchange(readings.all, {});
            readings.all.push_back(best_extended(before, attempt));
        }
        last = &attempt;
        readings.resumed += attempt.resumed.empty() ? 0 : 1;
        readings.said.insert(readings.said.end(), attempt.said.begin(), attempt.said.end());
    }
    return readings;
}

class Judge {
public:
    explicit Judge(ComparisonResult& result) : result_(result) {}

    void judge(const AnswerRecord& record, const TappedWork* work) {
        if (work == nullptr && record.text.empty())
            return;
        ++result_.answers;
        const bool finished = outcome_of(record) == AnswerOutcome::completed;
        result_.answers_finished += finished ? 1 : 0;
        if (!record.protocol_complaint.empty())
            find(record, "a strict client would complain: " + record.protocol_complaint);
        const Readings readings = work == nullptr ? Readings{} : readings_of(*work);
        result_.attempts += work == nullptr ? 0 : work->size();
        result_.resumed += readings.resumed;
        if (!readings.unreadable.empty()) {
            ++result_.unreadable;
            find(record, "cannot be judged: " + readings.unreadable);
            return;
        }
        judge_best(record, readings, finished);
    }

private:
    // By the reading that explains the client's text with the fewest faults.
    void judge_best(const AnswerRecord& record, const Readings& readings, bool finished) {
        const Reference* best = nullptr;
        TextAlignment best_text;
        // What was given out as whole is that of an engine that came to its end, if there is one.
        const auto faults = [finished](const Reference& reference, const TextAlignment& text) {
            return std::tuple(finished && !is_whole(reference), !text.judged,
                              text.lost + text.duplicated + text.foreign_bytes + reference.wrong());
        };
        for (const Reference& reference : readings.all) {
            const TextAlignment text =
                align_text(record.text, reference.answer, finished, readings.said);
            if (best == nullptr || faults(reference, text) < faults(*best, best_text)) {
                best = &reference;
                best_text = text;
            }
        }
        judge_text(record, *best, best_text);
        judge_end(record, *best, finished);
    }

    void judge_text(const AnswerRecord& record, const Reference& reference,
                    const TextAlignment& text) {
        if (!text.judged) {
            ++result_.unreadable;
            find(record, "differs from what the engines said and is too long to say how");
            return;
        }
        // A token that is missing in a prompt is missing in the answer that went on without it,
        // whatever the client has; the same for one too many.
        const std::uint64_t lost = std::max(text.lost, reference.passed_over);
        const std::uint64_t duplicated = std::max(text.duplicated, reference.surplus);
        result_.tokens.delivered += text.delivered;
        result_.tokens.lost += lost;
        result_.tokens.duplicated += duplicated;
        result_.foreign_bytes += text.foreign_bytes;
        if (reference.passed_over + reference.surplus > 0) {
            ++result_.wrong_resumes;
            find(record, "an engine was told to go on from other tokens than had been said: " +
                             std::to_string(reference.passed_over) + " tokens missing, " +
                             std::to_string(reference.surplus) + " parts too many");
        }
        if (text.lost + text.duplicated + text.foreign_bytes > 0) {
            find(record, "from byte " + std::to_string(text.first_difference) +
                             " of the text: " + std::to_string(text.lost) + " tokens lost, " +
                             std::to_string(text.duplicated) + " said twice, " +
                             std::to_string(text.foreign_bytes) + " bytes that no engine said");
        }
    }

    void judge_end(const AnswerRecord& record, const Reference& reference, bool finished) {
        const std::uint64_t tokens = tokens_in(reference.answer);
        if (finished && !is_whole(reference)) {
            ++result_.cut_short;
            find(record, "was ended as whole, but no engine had ended it");
        }
        if (finished && record.usage && record.usage->completion_tokens != tokens) {
            ++result_.usage_differs;
            find(record, "says " + std::to_string(record.usage->completion_tokens) +
                             " completion tokens, but engines said " + std::to_string(tokens));
        }
    }

    void find(const AnswerRecord& record, std::string what) {
        if (result_.findings.size() < answer_findings_max)
            result_.findings.push_back({record.request_id, std::move(what)});
    }

    ComparisonResult& result_;
};

}  // namespace

ComparisonResult compare_answers(const std::vector<std::vector<engine::TapFrame>>& taps,
                                 const std::vector<AnswerRecord>& records) {
    const auto works = read_works(taps);
    ComparisonResult result;
    Judge judge(result);
    for (const AnswerRecord& record : records) {
        const std::string_view id = work_id_of(record);
        if (id.empty() && record.text.empty())
            continue;
        const auto found = works.find(id);
        judge.judge(record, found == works.end() ? nullptr : &found->second);
    }
    return result;
}

}  // namespace idlewatt::cli
