// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/progress.hpp"

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <ostream>
#include <string_view>

#include <unistd.h>

#include "cli/columns.hpp"

namespace idlewatt::cli {

namespace {

constexpr std::size_t bar_cells = 24;

std::string span_text(double seconds) {
    const auto whole = static_cast<long long>(std::clamp(seconds, 0.0, 359'999.0));
    std::array<char, 32> text{};
    if (whole >= 3'600)
        std::snprintf(text.data(), text.size(), "%lldh%02lldm", whole / 3'600, whole / 60 % 60);
    else if (whole >= 60)
        std::snprintf(text.data(), text.size(), "%lldm%02llds", whole / 60, whole % 60);
    else
        std::snprintf(text.data(), text.size(), "%llds", whole);
    return text.data();
}

}  // namespace

ProgressStyle progress_style(int descriptor, bool json) {
    if (json)
        return ProgressStyle::none;
    const char* terminal = std::getenv("TERM");
    const bool dumb = terminal == nullptr || std::string_view(terminal) == "dumb";
    return isatty(descriptor) == 1 && !dumb ? ProgressStyle::bar : ProgressStyle::plain;
}

Progress::Progress(std::ostream& err, ProgressStyle style, std::string what,
                   std::uint64_t total_bytes, ProgressUnit unit)
    : err_(err), style_(style), what_(std::move(what)), total_bytes_(total_bytes), unit_(unit) {}

Progress::~Progress() {
    if (bar_stands_)
        err_ << "\r\x1b[K" << std::flush;
}

void Progress::begin(std::uint64_t bytes, base::Instant now) {
    first_bytes_ = bytes_ = std::min(bytes, total_bytes_);
    began_at_ = now;
    if (style_ == ProgressStyle::plain && bytes > 0)
        err_ << what_ << ": "
             << (unit_ == ProgressUnit::bytes
                     ? amount(bytes_) + " of " + amount(total_bytes_) +
                           " are there from an earlier try\n"
                     : std::to_string(bytes_) + " of " + amount(total_bytes_) +
                           " are answered already\n");
    drawn_at_ = style_ == ProgressStyle::plain ? now : drawn_at_;
}

void Progress::update(std::uint64_t bytes, base::Instant now) {
    bytes_ = std::max(bytes_, std::min(bytes, total_bytes_));
    if (style_ == ProgressStyle::none)
        return;
    if (now - drawn_at_ < (style_ == ProgressStyle::bar ? bar_period : line_period))
        return;
    drawn_at_ = now;
    draw(now);
}

void Progress::finish(base::Instant now) {
    if (bar_stands_)
        err_ << "\r\x1b[K";
    bar_stands_ = false;
    if (style_ == ProgressStyle::none)
        return;
    err_ << what_ << ": " << amount(total_bytes_) << " in "
         << span_text((now - began_at_).seconds()) << std::endl;
}

std::string Progress::speed_and_rest(base::Instant now) const {
    const double seconds = (now - began_at_).seconds();
    if (seconds < 0.2 || bytes_ <= first_bytes_)
        return {};
    const double speed = static_cast<double>(bytes_ - first_bytes_) / seconds;
    return "  " + amount(static_cast<std::uint64_t>(speed)) + "/s  " +
           span_text(static_cast<double>(total_bytes_ - bytes_) / speed);
}

std::string Progress::amount(std::uint64_t count) const {
    return unit_ == ProgressUnit::bytes ? bytes_text(count) : std::to_string(count) + " lines";
}

void Progress::draw(base::Instant now) {
    const std::uint64_t percent = total_bytes_ == 0 ? 100 : bytes_ * 100 / total_bytes_;
    const std::string numbers = std::to_string(percent) + " %  " + amount(bytes_) + " of " +
                                amount(total_bytes_) + speed_and_rest(now);
    if (style_ == ProgressStyle::plain) {
        err_ << what_ << ": " << numbers << std::endl;
        return;
    }
    const std::size_t full = percent * bar_cells / 100;
    err_ << '\r' << what_ << " [" << std::string(full, '#') << std::string(bar_cells - full, ' ')
         << "] " << numbers << "\x1b[K" << std::flush;
    bar_stands_ = true;
}

}  // namespace idlewatt::cli
