// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "simulator/event_reader.hpp"

#include <algorithm>

namespace idlewatt::simulator {

std::vector<EventReader::Event> EventReader::feed(std::string_view bytes) {
    std::vector<Event> events;
    waiting_ += bytes;
    std::size_t begin = 0;
    for (std::size_t end; (end = waiting_.find("\n\n", begin)) != std::string::npos;
         begin = end + 2) {
        std::string_view block(waiting_.data() + begin, end - begin);
        Event event;
        bool first = true;
        while (!block.empty()) {
            const std::size_t cut = std::min(block.find('\n'), block.size());
            const std::string_view line = block.substr(0, cut);
            block.remove_prefix(std::min(cut + 1, block.size()));
            if (line.starts_with(':')) {
                event.comment = first;
            } else if (line.starts_with("data: ")) {
                event.text += (event.text.empty() ? "" : "\n") + std::string(line.substr(6));
            } else {
                complaint_ = "a line of the stream is neither data nor comment: " +
                             std::string(line.substr(0, 80));
            }
            first = false;
        }
        events.push_back(std::move(event));
    }
    waiting_.erase(0, begin);
    return events;
}

}  // namespace idlewatt::simulator
