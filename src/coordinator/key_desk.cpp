// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "coordinator/key_desk.hpp"

#include <utility>

#include "base/log.hpp"
#include "wire/cell.hpp"

namespace idlewatt::coordinator {

KeyDesk::KeyDesk(base::Loop& loop, bus::Bus& bus, store::Store& store, const std::string& cell)
    : loop_(loop),
      bus_(bus),
      store_(store),
      subjects_{cell},
      subscription_(bus_.subscribe(subjects_.coordinator_keys(),
                                   [this](const bus::Message& asked) { on_message(asked); })) {}

KeyDesk::~KeyDesk() {
    bus_.unsubscribe(subscription_);
}

void KeyDesk::changed() {
    bus_.publish(subjects_.coordinator_changed(), "");
}

void KeyDesk::on_message(const bus::Message& message) {
    const auto asked = wire::decode_key_book_request(message.payload);
    if (!asked || message.reply.empty() || open_ >= key_questions_max)
        return;
    ++open_;
    store_.key_page(asked->after, wire::keys_per_page_max,
                    [this, alive = std::weak_ptr(alive_), asked = *asked,
                     request = bus::Message{message.subject, message.reply, {}}](
                        const base::Result<store::KeyPage>& page) {
                        if (alive.expired())
                            return;
                        --open_;
                        if (!page) {
                            base::log_warning("coordinator", page.error().message);
                            return;
                        }
                        wire::KeyBookPage answer;
                        answer.book.version = page->version;
                        answer.book.issued_at = loop_.wall_now();
                        // Version 0 is a book without keys, and what a gateway says that has none.
                        answer.unchanged = asked.known_version == page->version &&
                                           asked.after.value.empty() && page->version != 0;
                        if (!answer.unchanged) {
                            answer.book.keys = page->keys;
                            answer.more = page->more;
                        }
                        bus_.reply(request, wire::encode(answer));
                    });
}

}  // namespace idlewatt::coordinator
