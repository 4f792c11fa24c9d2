// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/key_book_keeper.hpp"

#include <algorithm>
#include <charconv>
#include <map>
#include <set>
#include <utility>

#include "base/log.hpp"

namespace idlewatt::gateway {

namespace {

// keys/<version>/<page>: pages as the coordinator sends them, the last one without `more`. Those
// of another version are what a death left behind.
constexpr std::string_view prefix = "keys/";

std::string page_key(std::uint64_t version, std::size_t page) {
    return std::string(prefix) + std::to_string(version) + "/" + std::to_string(page);
}

void report(const base::Result<void>& result) {
    if (!result)
        base::log_error("keys", result.error().message);
}

}  // namespace

KeyBookKeeper::KeyBookKeeper(base::Loop& loop, bus::Bus& bus, spool::Spool* spool,
                             wire::Subjects subjects, Listener listener)
    : loop_(loop),
      bus_(bus),
      spool_(spool),
      subjects_(std::move(subjects)),
      listener_(std::move(listener)) {}

KeyBookKeeper::~KeyBookKeeper() {
    *alive_ = false;
    if (timer_set_)
        loop_.cancel(timer_);
    if (subscribed_)
        bus_.unsubscribe(subscription_);
}

void KeyBookKeeper::start() {
    load();
    subscription_ = bus_.subscribe(subjects_.coordinator_changed(),
                                   [this, alive = alive_](const bus::Message&) {
                                       if (*alive)
                                           ask();
                                   });
    subscribed_ = true;
    ask();
}

void KeyBookKeeper::load() {
    if (spool_ == nullptr)
        return;
    // The newest book of which all pages are there.
    std::map<std::uint64_t, std::map<std::size_t, wire::KeyBookPage>> books;
    for (const spool::Record& record : spool_->records()) {
        if (!record.key.starts_with(prefix))
            continue;
        auto page = wire::decode_key_book_page(record.value);
        std::size_t number = 0;
        const char* last = record.key.data() + record.key.size();
        const char* first = record.key.data() + record.key.rfind('/') + 1;
        if (page && std::from_chars(first, last, number).ptr == last)
            books[page->book.version].emplace(number, std::move(*page));
    }
    for (auto& [version, pages] : books) {
        const bool whole =
            pages.rbegin()->first + 1 == pages.size() && !pages.rbegin()->second.more;
        if (!whole)
            continue;
        book_ = {version, pages.begin()->second.book.issued_at, {}};
        for (auto& [number, page] : pages)
            std::ranges::move(page.book.keys, std::back_inserter(book_.keys));
        has_book_ = true;
    }
    if (!has_book_)
        return;
    kept_date_ = book_.issued_at;
    listener_.on_book(book_);
}

void KeyBookKeeper::ask_later(base::Duration delay) {
    if (timer_set_)
        loop_.cancel(timer_);
    timer_set_ = true;
    timer_ = loop_.after(delay, [this] {
        timer_set_ = false;
        ask();
    });
}

void KeyBookKeeper::ask() {
    if (asking_) {
        again_ = true;
        return;
    }
    coming_ = {};
    ask_page();
}

void KeyBookKeeper::ask_page() {
    wire::KeyBookRequest request;
    if (coming_.keys.empty()) {
        request.known_version = has_book_ ? book_.version : 0;
    } else {
        request.after = coming_.keys.back().id;
    }
    asking_ = true;
    bus_.request(subjects_.coordinator_keys(), wire::encode(request), key_page_timeout,
                 [this, alive = alive_](bus::ReplyStatus status, const bus::Message& message) {
                     if (!*alive)
                         return;
                     asking_ = false;
                     auto page = status == bus::ReplyStatus::answered
                                     ? wire::decode_key_book_page(message.payload)
                                     : base::fail(base::ErrorKind::unavailable, "no answer");
                     if (page) {
                         take_page(std::move(*page));
                     } else {
                         ask_later(has_book_ ? key_book_period : key_book_retry);
                     }
                 });
}

void KeyBookKeeper::take_page(wire::KeyBookPage page) {
    const bool first = coming_.keys.empty();
    if (page.unchanged && first && has_book_) {
        book_.issued_at = std::max(book_.issued_at, page.book.issued_at);
        listener_.on_confirmed(book_.issued_at);
        const std::int64_t age_us = book_.issued_at.us - kept_date_.us;
        if (age_us > key_book_date_slack.ns / 1000)
            keep();
    } else if (!first && page.book.version != coming_.version) {
        coming_ = {};
        ask_page();
        return;
    } else {
        if (first)
            coming_ = {page.book.version, page.book.issued_at, {}};
        std::ranges::move(page.book.keys, std::back_inserter(coming_.keys));
        const bool too_many = coming_.keys.size() > core::keys_max;
        if (page.more && !page.book.keys.empty() && !too_many) {
            ask_page();
            return;
        }
        if (too_many) {
            base::log_error("keys", "the key book has more than " + std::to_string(core::keys_max) +
                                        " keys; the old one stays");
        } else {
            book_ = std::move(coming_);
            has_book_ = true;
            keep();
            listener_.on_book(book_);
        }
    }
    coming_ = {};
    if (std::exchange(again_, false)) {
        ask();
    } else {
        ask_later(key_book_period);
    }
}

// First the new pages, then the old ones go: dying in between leaves a whole book.
void KeyBookKeeper::keep() {
    kept_date_ = book_.issued_at;
    if (spool_ == nullptr)
        return;
    std::set<std::string> written;
    std::size_t at = 0;
    for (std::size_t number = 0; number == 0 || at < book_.keys.size(); ++number) {
        const std::size_t end = std::min(at + wire::keys_per_page_max, book_.keys.size());
        wire::KeyBookPage page;
        page.book.version = book_.version;
        page.book.issued_at = book_.issued_at;
        page.book.keys.assign(book_.keys.begin() + static_cast<long>(at),
                              book_.keys.begin() + static_cast<long>(end));
        page.more = end < book_.keys.size();
        at = end;
        const std::string key = page_key(book_.version, number);
        const auto kept = spool_->put(key, wire::encode(page));
        if (!kept) {
            report(kept);
            return;
        }
        written.insert(key);
    }
    report(spool_->sync());
    for (const spool::Record& record : spool_->records()) {
        if (record.key.starts_with(prefix) && !written.contains(record.key))
            report(spool_->erase(record.key));
    }
}

}  // namespace idlewatt::gateway
