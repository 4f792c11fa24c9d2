// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What clients are told beside the answer itself: who made it, and why there is none.
#include "gateway/gateway_fixture_test.hpp"

namespace idlewatt::gateway {
namespace {

std::size_t count_of(const std::string& text, const std::string& part) {
    std::size_t count = 0;
    for (std::size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1))
        ++count;
    return count;
}

class GatewayWords : public GatewayCoreTest {};

TEST_F(GatewayWords, EachChunkNamesWhatMadeIt) {
    able.fingerprint = "0123456789";
    announce("one");
    const Tell first = opened(ask(1));
    const std::string begin = written(piece(first, 1, "Hel"));
    EXPECT_EQ(count_of(begin, "data: "), 2U) << begin;
    EXPECT_EQ(count_of(begin, R"("system_fingerprint":"fp_0123456789")"), 2U) << begin;
    // Goes on in a car of another kind.
    able.fingerprint = "ffffffffff";
    announce("two");
    const Tell second =
        opened(say(first, core::Numbered{2, core::Yielded{core::Reason::occupied}}));
    const std::string rest = written(piece(second, 1, "lo"));
    EXPECT_EQ(count_of(rest, R"("system_fingerprint":"fp_ffffffffff")"), 1U) << rest;
    const std::string end =
        written(say(second, core::Numbered{2, core::Finished{core::FinishReason::stop, 1, 2, 0}}));
    EXPECT_EQ(count_of(end, R"("system_fingerprint":"fp_ffffffffff")"), 1U) << end;
}

TEST_F(GatewayWords, AWholeBodyNamesWhatMadeItOrSaysThatNobodyKnows) {
    announce("one");
    const Tell unknown = opened(ask(1, ask_whole));
    piece(unknown, 1, "x");
    const auto finished = core::Finished{core::FinishReason::stop, 1, 2, 0};
    EXPECT_NE(
        answer(say(unknown, core::Numbered{2, finished})).body.find(R"("system_fingerprint":null)"),
        std::string::npos);
    able.fingerprint = "0123456789";
    announce("one");
    const Tell known = opened(ask(2, ask_whole));
    piece(known, 1, "x");
    EXPECT_NE(answer(say(known, core::Numbered{2, finished}))
                  .body.find(R"("system_fingerprint":"fp_0123456789")"),
              std::string::npos);
}

// Of an answer in one body nothing was sent that could be valid.
TEST_F(GatewayWords, ABrokenAnswerSaysWhatOfItIsThere) {
    for (const bool streamed : {true, false}) {
        announce("one");
        const std::uint64_t request = streamed ? 1 : 2;
        const Tell open = opened(ask(request, streamed ? ask_streamed : ask_whole));
        piece(open, 1, "x");
        say(open, core::Numbered{2, core::Yielded{core::Reason::occupied}});
        announce("one", core::Reason::occupied);
        const Effects effects = pass(migration_time_max + base::seconds(1));
        const auto bodies = all<Respond>(effects);
        const std::string said = streamed ? written(effects) : bodies.at(0).response.body;
        EXPECT_NE(said.find("worker_preempted"), std::string::npos) << said;
        EXPECT_EQ(said.find("What was sent is valid") != std::string::npos, streamed) << said;
        EXPECT_EQ(said.find("Nothing of the answer was sent") != std::string::npos, !streamed)
            << said;
    }
}

TEST_F(GatewayWords, AnEndOfTheQueueSaysHowLongItWas) {
    others_use_all = true;
    announce("one");
    ask(1, ask_whole);
    const auto bodies = all<Respond>(pass(waiting_time_max + base::milliseconds(100), {"one"}));
    ASSERT_EQ(bodies.size(), 1U);
    EXPECT_EQ(bodies[0].response.status, 503);
    EXPECT_NE(bodies[0].response.body.find("within 30 s"), std::string::npos)
        << bodies[0].response.body;
    EXPECT_NE(bodies[0].response.body.find("Try again in 10 s."), std::string::npos)
        << bodies[0].response.body;
}

// The official client reads the milliseconds first.
TEST_F(GatewayWords, ARefusalSaysInSecondsAndInMillisecondsWhenToAskAgain) {
    announce("one", core::Reason::occupied);
    pass(base::seconds(60), {});
    const auto response = answer(ask(1, ask_whole));
    EXPECT_EQ(response.status, 503);
    EXPECT_EQ(response.headers.at("retry-after-ms"), response.headers.at("retry-after") + "000");
    EXPECT_NE(response.body.find("Try again in " + response.headers.at("retry-after") + " s."),
              std::string::npos)
        << response.body;
}

}  // namespace
}  // namespace idlewatt::gateway
