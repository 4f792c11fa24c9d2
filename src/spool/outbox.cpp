// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "spool/outbox.hpp"

#include <algorithm>
#include <utility>

#include "base/log.hpp"

namespace idlewatt::spool {

namespace {

constexpr std::string_view refused_prefix = "refused/";
// In the spool: 64 bytes of signature, then the payload.
constexpr std::size_t signature_bytes = 64;

std::string value_of(const Parcel& parcel) {
    return parcel.signature + parcel.payload;
}

}  // namespace

Outbox::Outbox(base::Loop& loop, Spool& spool, OutboxOptions options, Send send)
    : loop_(loop),
      spool_(spool),
      options_(std::move(options)),
      send_(std::move(send)),
      retry_(options_.retry_first) {
    recover();
}

Outbox::~Outbox() {
    *alive_ = false;
    if (timer_)
        loop_.cancel(*timer_);
    if (unsynced_)
        kept(spool_.sync());
}

void Outbox::recover() {
    for (const Record& record : spool_.records()) {
        if (record.key.starts_with(options_.prefix) && record.value.size() > signature_bytes) {
            parcels_.push_back({record.key.substr(options_.prefix.size()),
                                record.value.substr(signature_bytes),
                                record.value.substr(0, signature_bytes)});
        }
    }
    if (!parcels_.empty())
        deliver_after(options_.gather);
}

bool Outbox::add(Parcel parcel) {
    const bool stored = kept(spool_.put(options_.prefix + parcel.id, value_of(parcel)));
    unsynced_ = true;
    parcels_.push_back(std::move(parcel));
    deliver_after(options_.gather);
    return stored;
}

void Outbox::sync_soon() {
    if (std::exchange(unsynced_, false))
        spool_.sync_soon();
}

void Outbox::deliver_now() {
    retry_ = options_.retry_first;
    deliver();
}

bool Outbox::holds(const std::string& id) const {
    return std::ranges::find(parcels_, id, &Parcel::id) != parcels_.end();
}

void Outbox::deliver_after(base::Duration delay) {
    if (timer_ || asking_)
        return;
    timer_ = loop_.after(delay, [this] {
        timer_.reset();
        deliver();
    });
}

void Outbox::deliver() {
    sync_soon();
    if (asking_ || parcels_.empty())
        return;
    const auto count = static_cast<long>(std::min(parcels_.size(), options_.batch_max));
    asking_ = true;
    send_({parcels_.begin(), parcels_.begin() + count},
          [this, alive = alive_](const std::optional<Settlement>& settlement) {
              if (!*alive)
                  return;
              asking_ = false;
              // An answer that settles nothing would be asked for again at once.
              if (settlement && !(settlement->committed.empty() && settlement->refused.empty())) {
                  retry_ = options_.retry_first;
                  settle(*settlement);
                  if (!parcels_.empty())
                      deliver_after(options_.gather);
              } else {
                  deliver_after(retry_);
                  retry_ = std::min(retry_ * 2, options_.retry_max);
              }
          });
}

void Outbox::settle(const Settlement& settlement) {
    for (const std::string& id : settlement.committed)
        drop(id);
    for (const std::string& id : settlement.refused) {
        base::log_error(options_.log_area, "the coordinator refuses " + id + "; " +
                                               options_.if_refused +
                                               " It is kept aside in the spool");
        set_aside(id);
    }
}

void Outbox::set_aside(const std::string& id) {
    const auto found = std::ranges::find(parcels_, id, &Parcel::id);
    if (found == parcels_.end())
        return;
    if (kept(spool_.put(std::string(refused_prefix) + id, value_of(*found))))
        drop(id);
}

void Outbox::drop(const std::string& id) {
    const auto found = std::ranges::find(parcels_, id, &Parcel::id);
    if (found == parcels_.end())
        return;
    parcels_.erase(found);
    kept(spool_.erase(options_.prefix + id));
    unsynced_ = true;
}

bool Outbox::kept(const base::Result<void>& result) const {
    if (!result)
        base::log_error(options_.log_area, result.error().message);
    return result.has_value();
}

}  // namespace idlewatt::spool
