// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "gateway/live_view.hpp"

#include <algorithm>
#include <tuple>
#include <utility>

namespace idlewatt::gateway {

namespace {

// Something is said so often even when nothing is new: it tells how old the news are.
constexpr base::Duration live_said_at_least = base::milliseconds(900);

bool begins_character(char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

bool same_totals(const wire::LiveTotals& a, const wire::LiveTotals& b) {
    const auto counts = [](const wire::LiveTotals& totals) {
        const wire::GatewayFigures& figures = totals.figures;
        return std::tuple(figures.requests_started, figures.requests_completed,
                          figures.requests_failed, figures.requests_failed_no_capacity,
                          figures.requests_cancelled, figures.requests_rejected,
                          figures.requests_waiting, figures.requests_running,
                          figures.tokens_delivered, figures.migrations, totals.vehicles_known,
                          totals.vehicles_ready, totals.vehicles_unreachable,
                          totals.tokens_per_second, totals.migration_gap_ms);
    };
    return counts(a) == counts(b);
}

}  // namespace

void LiveTail::append(std::string_view more) {
    bytes += more.size();
    text += more;
    if (text.size() > 4 * live_text_bytes_max)
        text = std::string(last(2 * live_text_bytes_max));
}

std::string_view LiveTail::last(std::size_t bytes_max) const {
    std::size_t from = text.size() > bytes_max ? text.size() - bytes_max : 0;
    while (from < text.size() && !begins_character(text[from]))
        ++from;
    return std::string_view(text).substr(from);
}

void LiveView::begin(const LivePicture& picture) {
    const std::uint64_t sequence = head_.sequence;
    *this = LiveView();
    head_.sequence = sequence;  // never told twice
    const std::size_t count = std::min(picture.cars.size(), live_cars_max);
    names_.assign(picture.names.begin(),
                  picture.names.begin() + static_cast<std::ptrdiff_t>(count));
    cars_.assign(picture.cars.begin(), picture.cars.begin() + static_cast<std::ptrdiff_t>(count));
    (void)advance(picture);
}

void LiveView::ended(const LivePicture::Answer& answer, std::string_view how) {
    const bool worded = ends_.size() < live_last_words_max;
    if (!worded && !shown_.contains(answer.key))
        return;
    Ended& ended = ends_[answer.key];
    ended.how = how;
    if (!worded || answer.tail == nullptr)
        return;
    ended.answer = answer;
    ended.model = answer.model;
    ended.tail = *answer.tail;
}

bool LiveView::advance(const LivePicture& picture) {
    change_ = {};
    changed_answers_.clear();
    ++pictures_;
    take_totals(picture);
    take_cars(picture);
    take_answers(picture);
    ends_.clear();
    take_notice(picture);
    if (change_.empty() && changed_answers_.empty() && picture.now - said_at_ < live_said_at_least)
        return false;
    said_at_ = picture.now;
    ++head_.sequence;
    head_.at = picture.wall;
    head_.heard_age_ms.reset();
    if (picture.heard_at)
        head_.heard_age_ms = (picture.now - *picture.heard_at).whole_milliseconds();
    change_.head = head_;
    return true;
}

void LiveView::take_totals(const LivePicture& picture) {
    if (!same_totals(totals_, picture.totals))
        change_.totals = totals_ = picture.totals;
    cars_left_out_ = picture.cars_left_out;
}

void LiveView::take_notice(const LivePicture& picture) {
    if (notice_ == picture.notice)
        return;
    change_.notice_changed = true;
    change_.notice = notice_ = picture.notice;
}

void LiveView::take_cars(const LivePicture& picture) {
    const std::size_t known = names_.size();
    for (std::size_t i = 0; i < known && change_.vehicles.size() < live_rows_max &&
                            change_.work.size() < live_rows_max;
         ++i) {
        const std::size_t number = (next_car_ + i) % known;
        const wire::LiveCar& now = picture.cars[number];
        wire::LiveCar& told = cars_[number];
        if (!now.is_like(told))
            change_.vehicles.emplace_back(static_cast<std::uint32_t>(number), now);
        if (!now.works_like(told))
            change_.work.emplace_back(static_cast<std::uint32_t>(number), now);
        told = now;
        if (change_.vehicles.size() == live_rows_max || change_.work.size() == live_rows_max)
            next_car_ = (number + 1) % known;
    }
    if (known > 0)
        change_.vehicle_id_before = names_.back();
    const std::size_t count = std::min(picture.cars.size(), live_cars_max);
    for (std::size_t number = known; number < count && number < known + live_rows_max; ++number) {
        const wire::LiveCar& now = picture.cars[number];
        names_.emplace_back(picture.names[number]);
        cars_.push_back(now);
        change_.vehicle_ids.push_back(names_.back());
        change_.vehicles.emplace_back(static_cast<std::uint32_t>(number), now);
        if (!now.works_like({}))
            change_.work.emplace_back(static_cast<std::uint32_t>(number), now);
    }
}

void LiveView::take_answers(const LivePicture& picture) {
    for (const LivePicture::Answer& answer : picture.answers) {
        if (const auto found = shown_.find(answer.key); found != shown_.end())
            found->second.seen_at = pictures_;
    }
    take_ends(picture);
    // Those that are shown stay; free places are for the newest.
    for (auto at = picture.answers.rbegin(); at != picture.answers.rend(); ++at) {
        if (shown_.contains(at->key) || shown_.size() < live_answers_max)
            take_answer(*at, picture);
    }
    answers_left_out_ = picture.answers.size() - std::min(picture.answers.size(), shown_.size());
}

void LiveView::take_ends(const LivePicture& picture) {
    for (auto& [key, ended] : ends_) {
        // Without a name there are no words; without a car there is no place to show it.
        if (ended.answer.id.empty() || (!shown_.contains(key) && !ended.answer.car))
            continue;
        ended.answer.model = ended.model;
        ended.answer.tail = &ended.tail;
        take_answer(ended.answer, picture);
        shown_.at(key).seen_at = 0;
    }
    for (auto at = shown_.begin(); at != shown_.end();) {
        if (at->second.seen_at == pictures_) {
            ++at;
            continue;
        }
        const auto end = ends_.find(at->first);
        change_.answers_ended.push_back(
            {at->second.id, end == ends_.end() ? "completed" : end->second.how});
        at = shown_.erase(at);
    }
}

void LiveView::take_answer(const LivePicture::Answer& answer, const LivePicture& picture) {
    const auto [at, is_new] = shown_.try_emplace(answer.key);
    Shown& shown = at->second;
    shown.seen_at = pictures_;
    wire::LiveAnswer said{answer.id};
    const auto car =
        answer.car && *answer.car < cars_.size() ? answer.car : std::optional<std::uint32_t>();
    if (is_new) {
        shown.owner = answer.owner;
        shown.id = answer.id;
        said.model = shown.model = std::string(answer.model);
    }
    if (is_new || car != shown.car) {
        said.placed = true;
        said.vehicle = car;
        if (shown.car)
            said.why = picture.cars[*shown.car].reason;
        shown.car = car;
    }
    if (is_new || answer.tokens != shown.tokens)
        said.tokens = shown.tokens = answer.tokens;
    if (answer.tail != nullptr) {
        const std::uint64_t added = answer.tail->bytes - std::min(shown.bytes, answer.tail->bytes);
        shown.text = std::string(answer.tail->last(live_text_bytes_max));
        if (is_new || added > live_text_bytes_max)
            said.text = shown.text;
        else if (added > 0)
            said.text_added = std::string(answer.tail->last(static_cast<std::size_t>(added)));
        shown.bytes = answer.tail->bytes;
    }
    if (said.placed || said.tokens || said.text || said.text_added)
        changed_answers_.push_back({shown.owner, std::move(said)});
}

wire::LiveSnapshot LiveView::snapshot(const std::string& gateway, const core::KeyId& reader) const {
    wire::LiveSnapshot snapshot{head_, gateway, totals_, names_, cars_, cars_left_out_, {}, 0};
    snapshot.answers_left_out = answers_left_out_;
    snapshot.notice = notice_;
    for (const auto& [key, shown] : shown_) {
        wire::LiveAnswer answer{shown.id, shown.model, true, shown.car};
        answer.tokens = shown.tokens;
        if (shown.owner == reader)
            answer.text = shown.text;
        snapshot.answers.push_back(std::move(answer));
    }
    return snapshot;
}

wire::LiveChange LiveView::change(const core::KeyId& reader) const {
    wire::LiveChange change = change_;
    for (const Owned& owned : changed_answers_) {
        change.answers.push_back(owned.answer);
        if (owned.owner != reader) {
            change.answers.back().text.reset();
            change.answers.back().text_added.reset();
        }
    }
    return change;
}

}  // namespace idlewatt::gateway
