// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/live_desk.hpp"

#include <utility>

namespace idlewatt::gateway {

namespace {

std::string live_event(std::string_view name, std::string_view life, std::uint64_t sequence,
                       const std::string& body) {
    return "event: " + std::string(name) + "\nid: " + std::string(life) + '-' +
           std::to_string(sequence) + "\ndata: " + body + "\n\n";
}

constexpr int live_status_ok = 200;
constexpr int live_status_gone = 499;

}  // namespace

void LiveDesk::join(http::RequestId request, const core::KeyId& key, http::Response response,
                    const std::string& gateway, std::string_view life, const LivePicture& picture,
                    Effects& effects) {
    if (!watched()) {
        life_ = life;
        view_.begin(picture);
        told_at_ = picture.now;
    }
    response.body = live_event("snapshot", life_, view_.sequence(),
                               wire::live_snapshot_body(view_.snapshot(gateway, key)));
    readers_[request] = {key, response.body.size(), 0};
    effects.emplace_back(BeginResponse{request, std::move(response)});
}

void LiveDesk::written(http::RequestId request, std::uint64_t bytes) {
    if (const auto found = readers_.find(request); found != readers_.end())
        found->second.written = bytes;
}

void LiveDesk::ended(const LivePicture::Answer& answer, int status) {
    view_.ended(answer, status == live_status_ok     ? "completed"
                        : status == live_status_gone ? "cancelled"
                                                     : "failed");
}

void LiveDesk::tell(const LivePicture& picture, Effects& effects) {
    told_at_ = picture.now;
    if (!view_.advance(picture))
        return;
    std::map<std::string, std::string> texts;  // by key: readers of one key are told the same
    for (auto at = readers_.begin(); at != readers_.end();) {
        auto& [request, reader] = *at;
        if (reader.given - reader.written > live_backlog_bytes_max) {
            effects.emplace_back(AbortResponse{request});
            at = readers_.erase(at);
            continue;
        }
        const auto [text, is_new] = texts.try_emplace(reader.key.value);
        if (is_new) {
            text->second = live_event("change", life_, view_.sequence(),
                                      wire::live_change_body(view_.change(reader.key)));
        }
        reader.given += text->second.size();
        effects.emplace_back(WriteResponse{request, text->second});
        ++at;
    }
}

}  // namespace idlewatt::gateway
