// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// The independent judge of what reached the clients. Takes the bytes that went over the engines'
// sockets and the bytes that the clients got, and works out from the first what the second must
// be. Uses nothing of the code that resumes answers.
//
// For each answer, the attempts in their order: what an engine said is read from its raw stream;
// what the next engine was told to go on from is read from the prompt of its request (templated
// question, then ids and texts of the answer so far). So the whole answer is: of the first
// attempt's output the part that the second went on from, of both the part that the third went on
// from, …, the last attempt's output entire. Of attempts that were told to go on from the same
// place (a second car is asked when the first is late) the client has the words of one. The client
// of a finished answer must have exactly these bytes, the client of an unfinished one a beginning
// of them. Tokens are counted as the engines counted them (tokens_predicted). A tap that ends early
// (its car was killed) is no fault: what the tap lacks, the client cannot have got from that car.
//
// Pure; any thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/answer_record.hpp"
#include "engine/tap.hpp"

namespace idlewatt::cli {

struct TokenTally {
    std::uint64_t delivered = 0;  // said by an engine and with the client, once
    std::uint64_t lost = 0;       // in a finished answer or before its end, and not with the client
    std::uint64_t duplicated = 0;  // with the client more often than it was said
};

struct AnswerFinding {
    std::string request_id;
    std::string what;  // a sentence with the place in the text
};
inline constexpr std::size_t answer_findings_max = 100;

struct ComparisonResult {
    TokenTally tokens;
    std::uint64_t answers = 0;            // compared
    std::uint64_t answers_finished = 0;   // of these
    std::uint64_t attempts = 0;           // of these answers, as far as engines saw them
    std::uint64_t resumed = 0;            // attempts that went on from text
    std::uint64_t foreign_bytes = 0;      // with a client, said by no engine
    std::uint64_t wrong_resumes = 0;      // told to go on from other tokens than had been said
    std::uint64_t cut_short = 0;          // given out as whole, though no engine had ended them
    std::uint64_t usage_differs = 0;      // whole, with another number of tokens than engines said
    std::uint64_t unreadable = 0;         // answers whose tap could not be understood
    std::vector<AnswerFinding> findings;  // at most answer_findings_max

    // Nothing lost, repeated, invented or left unjudged.
    [[nodiscard]] bool clean() const {
        return tokens.lost == 0 && tokens.duplicated == 0 && foreign_bytes == 0 &&
               wrong_resumes == 0 && cut_short == 0 && usage_differs == 0 && unreadable == 0;
    }
};

// One list of frames for each tap file (each car). Records without a request id got no text from
// an engine and are passed over.
[[nodiscard]] ComparisonResult compare_answers(
    const std::vector<std::vector<engine::TapFrame>>& taps,
    const std::vector<AnswerRecord>& records);

}  // namespace idlewatt::cli
