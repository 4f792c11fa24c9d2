// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/supervisor.hpp"

#include <csignal>

#include "base/log.hpp"

namespace idlewatt::cli {

Supervisor::Supervisor(base::AsioLoop& loop, std::string name,
                       std::function<base::SpawnOptions()> make_options)
    : loop_(loop), name_(std::move(name)), make_options_(std::move(make_options)) {}

Supervisor::~Supervisor() {
    loop_.cancel(timer_);
}

base::Result<void> Supervisor::start() {
    auto child =
        base::ChildProcess::spawn(loop_, make_options_(), [this](int code) { on_exit(code); });
    if (!child)
        return tl::unexpected<base::Error>(child.error());
    child_ = std::move(*child);
    return {};
}

void Supervisor::stop() {
    stopping_ = true;
    loop_.cancel(timer_);
    signal(SIGTERM);
    // A stopped process would never hear the request.
    signal(SIGCONT);
}

void Supervisor::signal(int number) {
    if (child_)
        child_->signal(number);
}

void Supervisor::on_exit(int code) {
    child_.reset();
    if (stopping_)
        return;
    base::log_info("supervisor", name_ + " ended with " + std::to_string(code) +
                                     "; starting it "
                                     "again");
    const base::Instant now = loop_.now();
    exits_.push_back(now);
    while (now - exits_.front() > quick_restarts_window)
        exits_.pop_front();
    if (exits_.size() <= quick_restarts_max) {
        restart();
        return;
    }
    base::log_warning("supervisor", name_ + " keeps ending (last with " + std::to_string(code) +
                                        "); see its log in the state folder");
    timer_ = loop_.after(restart_pause, [this] { restart(); });
}

void Supervisor::restart() {
    ++restarts_;
    const auto started = start();
    if (started)
        return;
    base::log_error("supervisor", name_ + ": " + started.error().message);
    timer_ = loop_.after(restart_pause, [this] { restart(); });
}

}  // namespace idlewatt::cli
