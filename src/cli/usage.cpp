// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/usage.hpp"

#include <memory>
#include <ostream>

#include <CLI/CLI.hpp>

#include "base/spelling.hpp"
#include "cli/exit_code.hpp"

namespace idlewatt::cli {

namespace {

class HelpFormatter : public CLI::Formatter {
public:
    std::string make_description(const CLI::App* app) const override {
        const std::string description = app->get_description();
        const std::string examples = examples_of(description);
        return summary_of(description) + ".\n\n" + (examples.empty() ? "" : examples + "\n\n");
    }
    std::string make_subcommand(const CLI::App* sub) const override {
        std::ostringstream out;
        CLI::detail::format_help(out, sub->get_display_name(true),
                                 summary_of(sub->get_description()), column_width_);
        return out.str();
    }
};

// The command that the arguments lead to, and the first word that leads nowhere.
struct Place {
    const CLI::App* app = nullptr;
    std::string path;
    std::string unknown;
};

const CLI::App* child_named(const CLI::App& app, const std::string& name) {
    for (const CLI::App* child : app.get_subcommands({})) {
        if (child->check_name(name))
            return child;
    }
    return nullptr;
}

Place place_of(const CLI::App& app, const std::vector<std::string>& arguments) {
    Place place{&app, app.get_name(), {}};
    for (const std::string& word : arguments) {
        if (word.starts_with('-'))
            continue;
        const CLI::App* child = child_named(*place.app, word);
        if (child == nullptr) {
            if (!place.app->get_subcommands({}).empty())
                place.unknown = word;
            return place;
        }
        place.app = child;
        place.path += ' ' + word;
    }
    return place;
}

std::string nearest_command(const Place& place) {
    std::vector<std::string> names;
    for (const CLI::App* child : place.app->get_subcommands({})) {
        if (!child->get_group().empty())
            names.push_back(child->get_name());
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    return std::string(near_word(place.unknown, views));
}

std::string meant_instead(const std::string& word) {
    return word.empty() ? "" : "; did you mean '" + word + "'?";
}

// A flag among the arguments that the command does not know, with the nearest that it knows.
std::string unknown_flag(const Place& place, const std::vector<std::string>& arguments) {
    std::vector<std::string> names;
    for (const CLI::App* app = place.app; app != nullptr; app = app->get_parent()) {
        for (const CLI::Option* option : app->get_options()) {
            for (const std::string& name : option->get_lnames())
                names.push_back("--" + name);
        }
    }
    const std::vector<std::string_view> views(names.begin(), names.end());
    for (const std::string& word : arguments) {
        const std::string flag = word.substr(0, word.find('='));
        if (!flag.starts_with("--") || flag == "--" || views.empty() ||
            std::find(names.begin(), names.end(), flag) != names.end())
            continue;
        return place.path + " has no flag '" + flag + "'" +
               meant_instead(std::string(near_word(flag, views)));
    }
    return {};
}

}  // namespace

// A word that shares little with all of them is no slip of the fingers.
std::string_view near_word(std::string_view text, std::span<const std::string_view> names) {
    if (names.empty())
        return {};
    const std::string_view near = base::nearest(text, names);
    return 2 * base::edit_distance(text, near) <= text.size() ? near : std::string_view();
}

std::string summary_of(std::string_view description) {
    return std::string(description.substr(0, description.find('\n')));
}

std::string examples_of(std::string_view description) {
    const std::size_t blank = description.find("\n\n");
    return blank == std::string_view::npos ? "" : std::string(description.substr(blank + 2));
}

std::vector<std::string> words_meant(std::vector<std::string> words) {
    if (words.empty() || words.front() != "help")
        return words;
    words.erase(words.begin());
    words.emplace_back("--help");
    return words;
}

void set_up_help(CLI::App& app) {
    const auto formatter = std::make_shared<HelpFormatter>();
    formatter->column_width(34);
    app.formatter(formatter);
}

int report_parse(const CLI::App& app, const CLI::ParseError& error,
                 const std::vector<std::string>& arguments, std::ostream& out, std::ostream& err) {
    if (error.get_exit_code() == 0)
        return app.exit(error, out, err);
    const Place place = place_of(app, arguments);
    std::string what = error.what();
    if (!place.unknown.empty()) {
        what = place.path + " has no command '" + place.unknown + "'" +
               meant_instead(nearest_command(place));
    } else if (std::string flag = unknown_flag(place, arguments); !flag.empty()) {
        what = std::move(flag);
    }
    err << "idlewatt: " << what << '\n' << "`" << place.path << " --help` shows what there is.\n";
    return to_int(ExitCode::usage);
}

}  // namespace idlewatt::cli
