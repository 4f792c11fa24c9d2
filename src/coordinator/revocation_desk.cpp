// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/revocation_desk.hpp"

#include <utility>

#include "base/log.hpp"

namespace idlewatt::coordinator {

namespace {

constexpr const char* claims_update = "$SYS.REQ.CLAIMS.UPDATE";

// {"server":{…},"data":{"account":"A…","code":200,"message":"jwt updated"}}, or an "error".
bool accepted(const std::string& answer) {
    return answer.find("\"code\":200") != std::string::npos;
}

}  // namespace

RevocationDesk::RevocationDesk(base::Loop& loop, bus::Bus& bus, const Credentials& credentials)
    : loop_(loop), bus_(bus), credentials_(credentials) {}

RevocationDesk::~RevocationDesk() {
    loop_.cancel(timer_);
}

void RevocationDesk::update(std::vector<store::Vehicle> revoked) {
    if (revoked == revoked_)
        return;
    revoked_ = std::move(revoked);
    dirty_ = true;
    push();
}

void RevocationDesk::connected() {
    if (revoked_.empty())
        return;
    dirty_ = true;
    push();
}

void RevocationDesk::push() {
    if (pushing_)
        return;
    pushing_ = true;
    dirty_ = false;
    const std::string jwt = credentials_.account_jwt(revoked_, loop_.wall_now());
    bus_.system_request(
        claims_update, jwt, push_timeout,
        [this, alive = std::weak_ptr(alive_)](bus::ReplyStatus status, const bus::Message& answer) {
            if (alive.expired())
                return;
            pushing_ = false;
            if (status == bus::ReplyStatus::answered && accepted(answer.payload)) {
                if (dirty_)
                    push();
                else
                    push_after(push_period);
                return;
            }
            dirty_ = true;
            base::log_warning(
                "coordinator",
                "the list of revoked cars was not taken by the NATS server" +
                    (status == bus::ReplyStatus::answered ? ": " + answer.payload : std::string()) +
                    "; tried again");
            push_after(push_retry);
        });
}

void RevocationDesk::push_after(base::Duration delay) {
    loop_.cancel(timer_);
    timer_ = loop_.after(delay, [this] { push(); });
}

}  // namespace idlewatt::coordinator
