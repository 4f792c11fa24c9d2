// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Answers gateways that ask for lines: reads what was leased out of the input files. A line that
// cannot be read, or finds no room in the answer, is given back. Threads: the loop's.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "blobs/blobs.hpp"
#include "bus/bus.hpp"
#include "coordinator/batch_event.hpp"
#include "store/batch_rows.hpp"

namespace idlewatt::coordinator {

class BatchHandOut {
public:
    using GiveBack = std::function<void(std::vector<std::uint64_t> leases)>;

    BatchHandOut(bus::Bus& bus, blobs::Blobs& blobs, GiveBack give_back);

    BatchHandOut(const BatchHandOut&) = delete;
    BatchHandOut& operator=(const BatchHandOut&) = delete;

    struct Source {
        store::Batch batch;
        std::string sha256;  // of its input file
    };
    // source: of a batch that is named in what is handed out; nullptr: it is gone.
    void answer(const bus::Message& request, const HandOut& out,
                const std::function<const Source*(const std::string& batch)>& source);

private:
    struct Answer;

    void took(const std::shared_ptr<Answer>& answer, std::size_t index, const Source& source,
              const base::Result<std::string>& bytes);
    void send(Answer& answer);

    bus::Bus& bus_;
    blobs::Blobs& blobs_;
    GiveBack give_back_;
    std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace idlewatt::coordinator
