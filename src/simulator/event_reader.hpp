// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
// Reads server-sent events as a client does, from bytes cut anywhere. Knows nothing of the code
// that writes them. https://html.spec.whatwg.org/multipage/server-sent-events.html
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace idlewatt::simulator {

class EventReader {
public:
    struct Event {
        bool comment = false;
        std::string text;
    };

    // The events that these bytes complete.
    [[nodiscard]] std::vector<Event> feed(std::string_view bytes);
    // Bytes of an event that is not complete.
    [[nodiscard]] bool in_event() const { return !waiting_.empty(); }
    // What is no event stream; empty: all well.
    [[nodiscard]] const std::string& complaint() const { return complaint_; }

private:
    std::string waiting_;
    std::string complaint_;
};

}  // namespace idlewatt::simulator
