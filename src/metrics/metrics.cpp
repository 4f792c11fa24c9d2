// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "metrics/metrics.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <map>
#include <mutex>
#include <variant>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include "base/assert.hpp"

namespace idlewatt::metrics {

namespace {

using Values = std::vector<std::string>;
constexpr std::string_view other = "other";

// Finds a series by labels that nobody has copied yet.
struct InOrder {
    using is_transparent = void;
    template <class A, class B>
    bool operator()(const A& a, const B& b) const {
        return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end());
    }
};

// Most of what is counted is what was counted a moment ago.
constexpr std::size_t remembered_max = 4;

template <class T>
struct Series {
    using Known = std::map<Values, T*, InOrder>;

    prometheus::Family<T>* family = nullptr;
    Known known{};
    std::array<const typename Known::value_type*, remembered_max> remembered{};
    std::size_t forgotten_next = 0;

    // Null: not among those remembered.
    [[nodiscard]] T* recall(Registry::Labels labels) const {
        for (const auto* each : remembered) {
            if (each != nullptr && std::ranges::equal(each->first, labels))
                return each->second;
        }
        return nullptr;
    }
    T& remember(const typename Known::value_type& each) {
        remembered[forgotten_next++ % remembered_max] = &each;
        return *each.second;
    }
};

using AnySeries = std::variant<Series<prometheus::Counter>, Series<prometheus::Gauge>,
                               Series<prometheus::Histogram>>;

// One value that is not UTF-8 would cost a whole scrape.
std::string clean(std::string_view value) {
    std::string out(value.substr(0, label_value_bytes_max));
    for (char& c : out) {
        if (c < 0x20 || c > 0x7E)
            c = '_';
    }
    return out;
}

AnySeries make(prometheus::Registry& registry, const Definition& each) {
    const auto built = [&](auto builder) {
        return &builder.Name(std::string(each.name))
                    .Help(std::string(each.help))
                    .Register(registry);
    };
    switch (each.kind) {
        case Kind::counter:
            return Series<prometheus::Counter>{built(prometheus::BuildCounter()), {}};
        case Kind::gauge:
            return Series<prometheus::Gauge>{built(prometheus::BuildGauge()), {}};
        case Kind::histogram:
            break;
    }
    return Series<prometheus::Histogram>{built(prometheus::BuildHistogram()), {}};
}

template <class T>
T& create(prometheus::Family<T>& family, const prometheus::Labels& labels, const Definition& each) {
    if constexpr (std::is_same_v<T, prometheus::Histogram>) {
        return family.Add(labels, prometheus::Histogram::BucketBoundaries(each.buckets.begin(),
                                                                          each.buckets.end()));
    } else {
        return family.Add(labels);
    }
}

}  // namespace

struct Registry::Implementation {
    prometheus::Registry registry;
    std::mutex mutex;  // guards series
    std::vector<AnySeries> series;

    template <class T>
    T& find(Metric metric, Labels labels) {
        auto& mine = std::get<Series<T>>(series[static_cast<std::size_t>(metric)]);
        if (T* const recalled = mine.recall(labels))
            return *recalled;
        if (const auto known = mine.known.find(labels); known != mine.known.end())
            return mine.remember(*known);
        const Definition& each = definition(metric);
        Values values;
        for (const std::string_view value : labels)
            values.push_back(clean(value));
        std::size_t expected = 0;
        while (expected < labels_max && !each.labels[expected].empty())
            ++expected;
        IDLEWATT_ASSERT(values.size() == expected);
        auto found = mine.known.find(values);
        if (found == mine.known.end() && mine.known.size() + 1 >= series_max) {
            values.assign(expected, std::string(other));
            found = mine.known.find(values);
        }
        if (found != mine.known.end())
            return *found->second;
        prometheus::Labels named;
        for (std::size_t i = 0; i < expected; ++i)
            named.emplace(each.labels[i], values[i]);
        T& made = create(*mine.family, named, each);
        mine.known.emplace(std::move(values), &made);
        return made;
    }
};

Registry::Registry() : impl_(std::make_unique<Implementation>()) {
    for (const Definition& each : definitions())
        impl_->series.push_back(make(impl_->registry, each));
}

Registry::~Registry() = default;

void Registry::add(Metric metric, Labels labels, double amount) {
    IDLEWATT_ASSERT(std::isfinite(amount) && amount >= 0);
    const std::lock_guard lock(impl_->mutex);
    impl_->find<prometheus::Counter>(metric, labels).Increment(amount);
}

void Registry::raise_to(Metric metric, Labels labels, double total) {
    IDLEWATT_ASSERT(std::isfinite(total) && total >= 0);
    const std::lock_guard lock(impl_->mutex);
    auto& counter = impl_->find<prometheus::Counter>(metric, labels);
    if (total > counter.Value())
        counter.Increment(total - counter.Value());
}

void Registry::set(Metric metric, Labels labels, double value) {
    const std::lock_guard lock(impl_->mutex);
    impl_->find<prometheus::Gauge>(metric, labels).Set(value);
}

void Registry::clear(Metric metric) {
    const std::lock_guard lock(impl_->mutex);
    auto& mine =
        std::get<Series<prometheus::Gauge>>(impl_->series[static_cast<std::size_t>(metric)]);
    for (const auto& [values, gauge] : mine.known)
        mine.family->Remove(gauge);
    mine.known.clear();
    mine.remembered = {};
}

void Registry::observe(Metric metric, Labels labels, double value) {
    IDLEWATT_ASSERT(std::isfinite(value));
    const std::lock_guard lock(impl_->mutex);
    impl_->find<prometheus::Histogram>(metric, labels).Observe(value);
}

std::string Registry::text() const {
    const std::lock_guard lock(impl_->mutex);
    return prometheus::TextSerializer().Serialize(impl_->registry.Collect());
}

}  // namespace idlewatt::metrics
