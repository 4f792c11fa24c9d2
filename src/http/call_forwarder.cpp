// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "http/call_forwarder.hpp"

#include <utility>

#include "http/client.hpp"
#include "http/content_length.hpp"
#include "http/place.hpp"

namespace idlewatt::http {

namespace {

class CallForwarder final : public Forwarder {
public:
    CallForwarder(base::AsioLoop& loop, ForwarderOptions options)
        : loop_(loop), options_(std::move(options)) {}

    std::unique_ptr<Exchange> forward(const Request& request, CallHandler handler) override {
        Call made;
        made.url = options_.url + request.target;
        made.method = request.method;
        made.headers = end_to_end(request.headers);
        made.ca_file = options_.ca_file;
        if (request.body_follows)
            made.body_stream = Call::BodyStream{announced_length(request.headers)};
        else
            made.body = request.body;
        handler.on_head = [next = std::move(handler.on_head)](int status, const Headers& headers) {
            if (next)
                next(status, end_to_end(headers));
        };
        return call(loop_, std::move(made), std::move(handler));
    }

private:
    base::AsioLoop& loop_;
    ForwarderOptions options_;
};

}  // namespace

base::Result<std::unique_ptr<Forwarder>> forward_to(base::AsioLoop& loop,
                                                    ForwarderOptions options) {
    while (options.url.ends_with('/'))
        options.url.pop_back();
    if (const auto place = parse_url(options.url + "/"); !place)
        return tl::unexpected(place.error());
    return std::make_unique<CallForwarder>(loop, std::move(options));
}

}  // namespace idlewatt::http
