// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// What a NATS server, or whoever stands in its place, says to a car.
#include <algorithm>
#include <cstring>

#include "bus/nats_protocol.hpp"
#include "fuzz.hpp"

namespace idlewatt::fuzz {

namespace {

struct Heard {
    std::string words;
    bool broken = false;

    bool operator==(const Heard&) const = default;
};

Heard read(std::string_view bytes, std::size_t piece) {
    bus::NatsReader reader;
    Heard heard;
    while (!bytes.empty()) {
        const std::span<char> room = reader.room(piece);
        const std::size_t count = std::min(piece, bytes.size());
        require(room.size() >= piece, "as much room as was asked for");
        std::memcpy(room.data(), bytes.data(), count);
        reader.arrived(count);
        bytes.remove_prefix(count);
        for (auto word = reader.next(); !word || *word; word = reader.next()) {
            if (!word) {
                heard.broken = true;
                return heard;
            }
            for (const std::string_view part : {(*word)->subject, (*word)->reply, (*word)->headers,
                                                (*word)->payload, (*word)->text}) {
                heard.words.append(part).push_back('\n');
            }
        }
    }
    return heard;
}

}  // namespace

bool one_input(std::string_view bytes) {
    const Heard whole = read(bytes, std::max<std::size_t>(bytes.size(), 1));
    const Heard cut = read(bytes, 7);
    require(whole == cut, "the cuts do not matter");
    return !whole.broken;
}

std::vector<std::string> seeds() {
    return {"INFO {\"nonce\":\"abc\",\"max_payload\":1048576}\r\nPING\r\nPONG\r\n+OK\r\n",
            "MSG v.car1.out 7 5\r\nhello\r\nMSG a 8 _INBOX_a.r1 0\r\n\r\n-ERR 'Slow Consumer'\r\n",
            "HMSG _INBOX_a.n2 1 16 16\r\nNATS/1.0 503\r\n\r\n\r\nHMSG a 9 b 12 15\r\n"
            "NATS/1.0\r\n\r\nabc\r\n"};
}

}  // namespace idlewatt::fuzz
