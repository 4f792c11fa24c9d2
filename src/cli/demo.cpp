// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/demo.hpp"

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <random>

#include <netinet/in.h>
#include <unistd.h>

#include <boost/asio/signal_set.hpp>

#include "base/log.hpp"
#include "cli/demo_findings.hpp"
#include "cli/demo_story.hpp"
#include "cli/engine_contract.hpp"
#include "cli/files.hpp"
#include "cli/programs.hpp"
#include "default_story.hpp"
#include "engine/model_header.hpp"
#include "engine/random_model.hpp"
#include "signals/scripted_signals.hpp"
#include "wire/notice.hpp"

namespace idlewatt::cli {

namespace {

constexpr base::Duration view_period = base::milliseconds(250);
constexpr base::Duration last_figures_max = base::seconds(1);
constexpr std::uint64_t demo_model_seed = 7;
// Answers of Valet are short: a few who ask now and then, and many around the moments at which cars
// are lost, so that these meet answers.
constexpr std::uint32_t lesson_rush_clients = 8;
constexpr base::Duration lesson_think_time = base::milliseconds(400);
constexpr std::string_view before_the_story = "The cars load their model.";
// A line of the story is on the page until the next one is, with what that takes on a full machine.
constexpr base::Duration notice_overlap = base::seconds(2);
constexpr base::Duration rush_lead = base::milliseconds(250);
constexpr base::Duration rush_time = base::milliseconds(400);

std::string random_key() {
    std::random_device device;
    char text[40];
    std::snprintf(text, sizeof text, "iw-demo-%08x%08x%08x", device(), device(), device());
    return text;
}

}  // namespace

Demo::Demo(DemoOptions options)
    : options_(std::move(options)), interactive_(isatty(STDERR_FILENO) == 1 && !options_.json) {}

Demo::~Demo() {
    fleet_.reset();
    std::error_code ignored;
    if (own_state_dir_)
        std::filesystem::remove_all(options_.state_dir, ignored);
}

ExitCode Demo::run() {
    // A closed terminal ends the fleet and takes its folder away, like Ctrl-C; what cannot be
    // printed any more must not kill the program before that.
    std::signal(SIGPIPE, SIG_IGN);
    boost::asio::signal_set signals(loop_.context(), SIGINT, SIGTERM, SIGHUP);
    signals.async_wait([this](const boost::system::error_code& error, int) {
        if (!error)
            stop_asked_ = true;
    });
    auto prepared = prepare();
    if (prepared)
        prepared = start_fleet();
    if (!prepared) {
        std::cerr << "idlewatt demo: " << prepared.error().message << '\n';
        const bool usage = prepared.error().kind == base::ErrorKind::bad_input;
        return usage ? ExitCode::usage : ExitCode::failure;
    }
    introduce();
    play();
    watch();
    if (stop_asked_ && interactive_)
        std::cerr << "\nEnding: the last answers and receipts come in.\n";
    finish_traffic();
    table_.reset();
    fleet_->stop(fleet_stop_max);
    const DemoResult result = gather();
    report(result);
    return result.comparison.clean() ? ExitCode::ok : ExitCode::failure;
}

base::Result<void> Demo::prepare() {
    if (options_.state_dir.empty()) {
        std::string folder = std::filesystem::temp_directory_path() / "idlewatt-XXXXXX";
        if (mkdtemp(folder.data()) == nullptr)
            return base::fail_errno("cannot create " + folder);
        options_.state_dir = folder;
        own_state_dir_ = true;
    }
    auto made = make_folder(options_.state_dir);
    if (!made)
        return made;
    options_.state_dir = std::filesystem::absolute(options_.state_dir);
    if (options_.scenario_path.empty()) {
        options_.scenario_path = options_.state_dir + "/story.toml";
        auto written = write_file(options_.scenario_path, default_story);
        if (!written)
            return written;
    }
    auto script = signals::load_script(options_.scenario_path);
    if (!script)
        return tl::unexpected<base::Error>(script.error());
    script_ = std::move(*script);
    auto ready = prepare_model();
    if (ready)
        ready = choose_port();
    if (!ready)
        return ready;
    const auto programs = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    check_engine_once(loop_, programs / "idlewatt-agent", options_.state_dir);

    if (options_.api_key.empty())
        options_.api_key = random_key();
    fleet_options_.state_dir = options_.state_dir;
    fleet_options_.script_path = std::filesystem::absolute(options_.scenario_path);
    fleet_options_.model_path = std::filesystem::absolute(options_.model_path);
    fleet_options_.model_name = std::filesystem::path(options_.model_path).stem();
    fleet_options_.api_key = options_.api_key;
    fleet_options_.vehicles = options_.vehicles;
    fleet_options_.port = options_.port;
    fleet_options_.speed = script_.duration.seconds() / story_time().seconds();
    fleet_options_.tap = true;
    fleet_options_.verbose = options_.verbose;
    fleet_options_.stop_asked = [this] { return stop_asked_; };
    return {};
}

base::Result<void> Demo::prepare_model() {
    lessons_ = options_.check_answers;
    if (options_.model_path.empty() && !options_.random_model) {
        if (const auto valet = valet_model_file()) {
            options_.model_path = *valet;
            lessons_ = true;
        } else {
            std::cerr << "Valet is not beside the program: a model with random weights answers\n";
        }
    }
    if (!options_.model_path.empty()) {
        // A file that no engine can load would show as cars that fail one after the other.
        const auto header = engine::read_model_header(options_.model_path);
        if (!header)
            return base::fail(header.error().kind, "--model: " + header.error().message);
        return {};
    }
    options_.model_path = options_.state_dir + "/idlewatt-random.gguf";
    return engine::write_random_model(options_.model_path, {}, demo_model_seed);
}

base::Result<void> Demo::choose_port() {
    if (options_.port == 0 || port_is_free(options_.port))
        return {};
    if (options_.port_given) {
        const bool reserved = options_.port < IPPORT_RESERVED && geteuid() != 0;
        return base::fail(base::ErrorKind::bad_input,
                          "--port " + std::to_string(options_.port) +
                              (reserved ? " is used by another program, or for root only"
                                        : " is used by another program") +
                              "; name another one, or 0 for any");
    }
    options_.port = 0;
    return {};
}

base::Result<void> Demo::start_fleet() {
    for (;;) {
        fleet_options_.story_start = loop_.wall_now() + story_delay(options_.vehicles);
        fleet_ = std::make_unique<Fleet>(loop_, fleet_options_);
        auto started = fleet_->start();
        const bool own_choice = !options_.port_given && fleet_options_.port != 0;
        if (started || stop_asked_ || !own_choice)
            return started;
        // Its own gateway must not be taken for another program.
        fleet_.reset();
        if (port_is_free(fleet_options_.port))
            return started;
        // Free when it was chosen, and taken meanwhile: by another demo, say.
        fleet_options_.port = 0;
    }
}

base::Duration Demo::story_time() const {
    return options_.seconds ? base::from_seconds(*options_.seconds) : default_story_time;
}

bool Demo::endless() const {
    return options_.keep || (interactive_ && !options_.seconds);
}

void Demo::introduce() {
    auto opened = interactive_ ? LiveTable::open(STDERR_FILENO) : std::nullopt;
    if (opened) {
        table_.emplace(std::move(*opened));
        return;
    }
    std::cerr << options_.vehicles << (options_.vehicles == 1 ? " car" : " cars") << ", story '"
              << script_.name << "' in " << static_cast<int>(story_time().seconds()) << " s\n";
    for (const std::string& line :
         usage_lines(fleet_->url(), options_.api_key, first_model(rows_))) {
        std::cerr << line << '\n';
    }
}

void Demo::play() {
    story_began_ = loop_.now() + (fleet_options_.story_start - loop_.wall_now());
    const base::Duration until_story = story_began_ - loop_.now();
    if (options_.traffic)
        start_traffic(until_story);
    show_on_page(std::string(before_the_story), until_story);
    play_round(until_story);
}

// Everything that the story causes, each at its time.
void Demo::play_round(base::Duration until_it) {
    const double speed = fleet_options_.speed;
    const auto real = [&](base::Duration played) {
        return until_it + base::from_seconds(played.seconds() / speed);
    };
    for (const signals::ActionEvent& event : script_.actions) {
        for (std::uint32_t i = 0; i < options_.vehicles; ++i) {
            if (const auto at = event.moment.of(i, options_.vehicles)) {
                loop_.after(real(*at),
                            [this, i, action = event.action] { fleet_->act(action, i); });
            }
        }
    }
    if (traffic_ && lessons_) {
        for (const base::Duration moment : departures(script_, options_.vehicles))
            loop_.after(std::max(real(moment) - rush_lead, until_it),
                        [this] { traffic_->rush(rush_time); });
    }
    for (std::size_t i = 0; i < script_.captions.size(); ++i) {
        loop_.after(real(script_.captions[i].at), [this, i, speed] {
            const std::string& line = script_.captions[i].text;
            if (!table_ && !options_.json)
                std::cerr << line << '\n';
            show_on_page(line, base::from_seconds(caption_time(script_, i).seconds() / speed));
        });
    }
    if (script_.repeat && endless()) {
        loop_.after(real(script_.duration), [this, began = loop_.now() + until_it] {
            const auto round =
                base::from_seconds(script_.duration.seconds() / fleet_options_.speed);
            play_round(began + round - loop_.now());
        });
    }
}

void Demo::show_on_page(std::string line, base::Duration shown_for) {
    const base::Duration whole = std::max(shown_for, base::Duration{}) + notice_overlap;
    const auto is_control = [](char c) {
        return static_cast<unsigned char>(c) < 0x20 || c == 0x7F;
    };
    std::ranges::replace_if(line, is_control, ' ');
    http::Call call;
    call.url = fleet_->url() + "/api/v1/notice";
    call.method = "POST";
    call.headers = request_headers({fleet_->url(), options_.api_key});
    call.body = wire::notice_order_body({std::move(line), std::min(whole, wire::notice_time_max)});
    http::CallHandler handler;
    // It is in the terminal, too: a page without it is no reason to stop.
    handler.on_end = [](const base::Result<void>&) {};
    notice_exchange_ = http::call(loop_, std::move(call), std::move(handler));
}

void Demo::start_traffic(base::Duration until_story) {
    TrafficOptions traffic;
    traffic.connection = {fleet_->url(), options_.api_key};
    if (lessons_) {
        traffic.questions.subject = TrafficSubject::lessons;
        traffic.rush_clients = lesson_rush_clients;
        traffic.think_time = lesson_think_time;
    }
    traffic_ = std::make_unique<Traffic>(loop_, traffic);
    loop_.after(until_story, [this] { traffic_->start(); });
}

void Demo::watch() {
    const base::Instant end = story_began_ + story_time();
    const base::Instant began = loop_.now();
    while (!stop_asked_ && (endless() || loop_.now() < end)) {
        if (!options_.keep || table_)
            refresh_view();
        if (table_)
            table_->draw(table_state(), loop_.now());
        loop_.run_for(view_period);
    }
    traffic_time_ = loop_.now() - std::max(began, story_began_);
}

// Asks for news, unless the last question is still open.
void Demo::refresh_view() {
    const auto ask_for = [this](const std::string& path, std::unique_ptr<http::Exchange>& slot,
                                std::function<void(const std::string&)> take) {
        if (slot)
            return;
        auto body = std::make_shared<std::string>();
        http::Call call;
        call.url = fleet_->url() + path;
        call.headers = request_headers({fleet_->url(), options_.api_key});
        http::CallHandler handler;
        handler.on_body = [body](std::string_view bytes) { body->append(bytes); };
        handler.on_end = [this, body, &slot,
                          take = std::move(take)](const base::Result<void>& end) {
            if (end)
                take(*body);
            // Not inside its own callback.
            loop_.post([&slot] { slot.reset(); });
        };
        slot = http::call(loop_, std::move(call), std::move(handler));
    };
    ask_for("/api/v1/vehicles", rows_exchange_, [this](const std::string& body) {
        if (auto rows = wire::parse_vehicles_body(body))
            rows_ = std::move(*rows);
    });
    ask_for("/api/v1/figures", figures_exchange_, [this](const std::string& body) {
        if (auto figures = wire::parse_figures_body(body))
            figures_ = std::move(*figures);
    });
}

TableState Demo::table_state() const {
    TableState state;
    state.title = script_.name;
    const base::Duration real = loop_.now() - story_began_;
    const base::Duration played = signals::played(real, fleet_options_.speed);
    state.caption = played.ns < 0 ? std::string(before_the_story) : caption_at(script_, played);
    if (played.ns >= 0)
        state.clock = clock_of(script_, played);
    if (traffic_) {
        state.answers_checked = traffic_->counts().checked;
        state.answers_correct = traffic_->counts().correct;
    }
    state.vehicles = rows_;
    state.figures = figures_;
    for (const wire::VehicleRow& row : rows_) {
        state.tokens_per_second += row.announcement.tokens_per_second;
    }
    state.footer = usage_lines(fleet_->url(), options_.api_key, first_model(rows_));
    state.footer.emplace_back("Ctrl-C ends it and says what happened.");
    return state;
}

void Demo::finish_traffic() {
    rows_exchange_.reset();
    figures_exchange_.reset();
    notice_exchange_.reset();
    if (traffic_) {
        bool done = false;
        traffic_->stop(last_answers_max, [&] { done = true; });
        while (!done)
            loop_.run_for(base::milliseconds(20));
    }
    http::Call call;
    call.url = fleet_->url() + "/api/v1/figures";
    call.headers = request_headers({fleet_->url(), options_.api_key});
    call.connect_timeout = call.silence_timeout = last_figures_max;
    const auto body = http::call_and_wait(loop_, std::move(call));
    if (!body || body->status != 200)
        return;
    if (auto figures = wire::parse_figures_body(body->body))
        figures_ = std::move(*figures);
}

DemoResult Demo::gather() {
    DemoResult result;
    result.vehicles = options_.vehicles;
    result.traffic_time = traffic_time_;
    result.gateway = figures_;
    std::vector<std::string> folders;
    for (std::uint32_t i = 0; i < options_.vehicles; ++i)
        folders.push_back(fleet_->vehicle_dir(i));
    const std::vector<AnswerRecord> own =
        traffic_ ? traffic_->records() : std::vector<AnswerRecord>{};
    result.comparison = compare_answers(
        read_taps(folders), with_strangers(own, read_responses(fleet_->response_tap_path())));
    if (traffic_) {
        result.answers_checked = traffic_->counts().checked;
        result.answers_correct = traffic_->counts().correct;
        result.wrong_answers = traffic_->wrong_answers();
    }
    result.recalls_ms = read_recalls(folders);
    const ReceiptFindings receipts = count_receipts(loop_, fleet_->store_path(), folders);
    result.receipts_signed = receipts.signed_receipts;
    result.receipts_acknowledged = receipts.acknowledged;
    return result;
}

void Demo::report(const DemoResult& result) {
    for (const AnswerFinding& finding : result.comparison.findings) {
        std::cerr << "answer " << finding.request_id << ": " << finding.what << '\n';
    }
    if (options_.json) {
        std::cout << summary_json(result) << std::endl;
    } else {
        if (interactive_)
            std::cerr << '\n';
        std::cout << summary_text(result) << std::flush;
    }
    // Whoever reads that something was wrong wants to see it.
    if (!result.comparison.clean())
        own_state_dir_ = false;
    if (!own_state_dir_)
        std::cerr << "state and logs: " << options_.state_dir << '\n';
}

}  // namespace idlewatt::cli
