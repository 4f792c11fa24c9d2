// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/batch_hand_out.hpp"

#include <utility>

#include "base/log.hpp"
#include "wire/batch_lines.hpp"

namespace idlewatt::coordinator {

namespace {

// Beside a body, in an encoded answer: ids, numbers and their tags.
constexpr std::size_t encoded_item_bytes = 512;

}  // namespace

struct BatchHandOut::Answer {
    bus::Message request;  // without its payload
    HandOut out;
    std::vector<wire::BatchItem> items{};  // in the order of out.lines; lease 0: not read
    std::size_t reading = 0;
};

BatchHandOut::BatchHandOut(bus::Bus& bus, blobs::Blobs& blobs, GiveBack give_back)
    : bus_(bus), blobs_(blobs), give_back_(std::move(give_back)) {}

void BatchHandOut::answer(const bus::Message& request, const HandOut& out,
                          const std::function<const Source*(const std::string&)>& source) {
    auto answer = std::make_shared<Answer>(Answer{{request.subject, request.reply, {}}, out});
    answer->items.resize(out.lines.size());
    // One more, so that nothing is sent before all are asked for.
    answer->reading = 1;
    for (std::size_t i = 0; i < out.lines.size(); ++i) {
        const LeasedLine& leased = out.lines[i];
        const Source* const from = source(leased.batch);
        if (from == nullptr)
            continue;
        ++answer->reading;
        blobs_.read(from->sha256, leased.line.offset, leased.line.bytes,
                    [this, alive = std::weak_ptr(alive_), answer, i,
                     from = *from](const base::Result<std::string>& bytes) {
                        if (!alive.expired())
                            took(answer, i, from, bytes);
                    });
    }
    if (--answer->reading == 0)
        send(*answer);
}

void BatchHandOut::took(const std::shared_ptr<Answer>& answer, std::size_t index,
                        const Source& source, const base::Result<std::string>& bytes) {
    const LeasedLine& leased = answer->out.lines[index];
    if (!bytes) {
        base::log_warning("coordinator", bytes.error().message);
    } else if (auto line = wire::read_batch_line(*bytes, source.batch.endpoint, leased.line.line);
               !line) {
        base::log_error("coordinator",
                        leased.batch + " line " + std::to_string(leased.line.line) +
                            " was good and is not any more: " + line.error().message);
    } else {
        answer->items[index] = {leased.lease,     leased.batch,          leased.line.line,
                                source.batch.key, source.batch.endpoint, std::move(line->body)};
    }
    if (--answer->reading == 0)
        send(*answer);
}

void BatchHandOut::send(Answer& answer) {
    wire::BatchWork work;
    work.ended_leases = std::move(answer.out.ended_leases);
    std::vector<std::uint64_t> given_back;
    std::size_t bytes = work.ended_leases.size() * 10 + encoded_item_bytes;
    for (std::size_t i = 0; i < answer.items.size(); ++i) {
        wire::BatchItem& item = answer.items[i];
        const std::size_t size = item.body.size() + encoded_item_bytes;
        if (item.lease == 0 || bytes + size > wire::batch_work_bytes_max) {
            given_back.push_back(answer.out.lines[i].lease);
            continue;
        }
        bytes += size;
        work.items.push_back(std::move(item));
    }
    bus_.reply(answer.request, wire::encode(work));
    if (!given_back.empty())
        give_back_(std::move(given_back));
}

}  // namespace idlewatt::coordinator
