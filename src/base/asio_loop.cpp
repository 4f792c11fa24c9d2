// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "base/asio_loop.hpp"

#include <chrono>
#include <unordered_map>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>

namespace idlewatt::base {

struct AsioLoop::Implementation {
    // One thread runs the context, but libraries' threads post to it: no unsafe hint here.
    boost::asio::io_context context{1};
    boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work{
        context.get_executor()};
    std::unordered_map<std::uint64_t, std::unique_ptr<boost::asio::steady_timer>> timers;
    std::uint64_t next_timer = 1;
};

AsioLoop::AsioLoop() : impl_(std::make_unique<Implementation>()) {}

AsioLoop::~AsioLoop() = default;

void AsioLoop::run() {
    impl_->context.restart();
    impl_->context.run();
}

void AsioLoop::run_for(Duration limit) {
    impl_->context.restart();
    impl_->context.run_for(std::chrono::nanoseconds(limit.ns));
}

void AsioLoop::stop() {
    impl_->context.stop();
}

boost::asio::io_context& AsioLoop::context() {
    return impl_->context;
}

Instant AsioLoop::now() const {
    const auto since = std::chrono::steady_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::nanoseconds>(since).count()};
}

WallTime AsioLoop::wall_now() const {
    const auto since = std::chrono::system_clock::now().time_since_epoch();
    return {std::chrono::duration_cast<std::chrono::microseconds>(since).count()};
}

void AsioLoop::post(Task task) {
    boost::asio::post(impl_->context, std::move(task));
}

TimerId AsioLoop::after(Duration delay, Task task) {
    const std::uint64_t id = impl_->next_timer++;
    auto timer = std::make_unique<boost::asio::steady_timer>(impl_->context);
    timer->expires_after(std::chrono::nanoseconds(delay.ns));
    timer->async_wait([this, id, task = std::move(task)](const boost::system::error_code&) {
        // A cancelled timer is already out of the table, even if it had expired by then.
        if (impl_->timers.erase(id) != 0)
            task();
    });
    impl_->timers.emplace(id, std::move(timer));
    return TimerId{id};
}

void AsioLoop::cancel(TimerId timer) {
    impl_->timers.erase(static_cast<std::uint64_t>(timer));
}

}  // namespace idlewatt::base
