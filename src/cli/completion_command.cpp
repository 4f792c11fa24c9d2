// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "cli/completion_command.hpp"

#include <algorithm>
#include <functional>
#include <iostream>
#include <vector>

#include <CLI/CLI.hpp>

#include "cli/usage.hpp"

namespace idlewatt::cli {

namespace {

struct Word {
    std::string text;
    std::string about;
    bool takes_value = false;
};

std::vector<Word> commands_of(const CLI::App& app) {
    std::vector<Word> words;
    for (const CLI::App* child : app.get_subcommands({})) {
        if (!child->get_group().empty())
            words.push_back({child->get_name(), summary_of(child->get_description())});
    }
    return words;
}

std::vector<Word> flags_of(const CLI::App& app) {
    std::vector<Word> words;
    for (const CLI::Option* option : app.get_options()) {
        for (const std::string& name : option->get_lnames()) {
            words.push_back({"--" + name, summary_of(option->get_description()),
                             option->get_items_expected_max() > 0});
        }
    }
    return words;
}

// Calls back for the program and every command below it: "", "vehicle", "vehicle token", …
void visit(const CLI::App& app, const std::string& path,
           const std::function<void(const CLI::App&, const std::string&)>& each) {
    each(app, path);
    for (const CLI::App* child : app.get_subcommands({})) {
        if (!child->get_group().empty())
            visit(*child, path + (path.empty() ? "" : " ") + child->get_name(), each);
    }
}

std::string joined(const std::vector<Word>& words) {
    std::string out;
    for (const Word& word : words)
        out += (out.empty() ? "" : " ") + word.text;
    return out;
}

// In single quotes, for all three shells.
std::string quoted(std::string text, std::string_view quote_in_quotes) {
    std::string out = "'";
    for (const char c : text) {
        if (c == '\'')
            out += quote_in_quotes;
        else
            out += c;
    }
    return out + "'";
}

constexpr std::string_view bash_tail = R"(    esac
}
_idlewatt() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} path='' word i
    local commands flags values
    _idlewatt_words ''
    for ((i = 1; i < COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ " $commands " == *" $word "* ]]; then
            path="${path:+$path }$word"
            _idlewatt_words "$path"
        fi
    done
    COMPREPLY=()
    if [[ " $values " == *" $previous "* ]]; then
        COMPREPLY=($(compgen -f -- "$current"))
    elif [[ $current == -* ]]; then
        COMPREPLY=($(compgen -W "$flags" -- "$current"))
    elif [[ -n $commands ]]; then
        COMPREPLY=($(compgen -W "$commands" -- "$current"))
    else
        COMPREPLY=($(compgen -f -- "$current"))
    fi
}
complete -o filenames -F _idlewatt idlewatt
)";

constexpr std::string_view fish_head = R"(# fish completion for idlewatt
# The commands before the cursor, without flags.
function __idlewatt_at
    set -l words (commandline -opc)
    set -e words[1]
    set -l path
    for word in $words
        string match -q -- '-*' $word; or set -a path $word
    end
    test (string join ' ' $path) = "$argv[1]"
end
complete -c idlewatt -f
)";

}  // namespace

std::string bash_completion(const CLI::App& app) {
    std::string out =
        "# bash completion for idlewatt\n"
        "# Sets commands, flags and those flags that take a value, for one path of commands.\n"
        "_idlewatt_words() {\n    commands='' flags='' values=''\n    case $1 in\n";
    visit(app, "", [&](const CLI::App& at, const std::string& path) {
        std::vector<Word> flags = flags_of(at);
        std::vector<Word> values = flags;
        std::erase_if(values, [](const Word& word) { return !word.takes_value; });
        out += "    " + quoted(path, "'\\''") +
               ") commands=" + quoted(joined(commands_of(at)), "'\\''") +
               " flags=" + quoted(joined(flags), "'\\''") +
               " values=" + quoted(joined(values), "'\\''") + " ;;\n";
    });
    return out + std::string(bash_tail);
}

std::string zsh_completion(const CLI::App& app) {
    std::string out =
        "#compdef idlewatt\n_idlewatt() {\n    local path='' word\n    local -a described flags\n"
        "    for word in ${words[2,CURRENT-1]}; do\n"
        "        [[ $word == -* ]] || path=\"${path:+$path }$word\"\n    done\n    case $path in\n";
    visit(app, "", [&](const CLI::App& at, const std::string& path) {
        const auto described = [](const std::vector<Word>& words) {
            std::string list;
            for (const Word& word : words) {
                std::string entry;
                for (const char c : word.text + ":" + word.about)
                    entry += (c == ':' && entry.size() > word.text.size()) ? std::string("\\:")
                                                                           : std::string(1, c);
                list += " " + quoted(entry, "'\\''");
            }
            return list;
        };
        out += "    " + quoted(path, "'\\''") + ")\n        described=(" +
               described(commands_of(at)) + " )\n        flags=(" + described(flags_of(at)) +
               " ) ;;\n";
    });
    out +=
        "    esac\n    if [[ $words[CURRENT] == -* ]]; then\n        _describe flag flags\n"
        "    elif (( $#described )); then\n        _describe command described\n    else\n"
        "        _files\n    fi\n}\n_idlewatt \"$@\"\n";
    return out;
}

std::string fish_completion(const CLI::App& app) {
    std::string out(fish_head);
    visit(app, "", [&](const CLI::App& at, const std::string& path) {
        const std::string when =
            "complete -c idlewatt -n " + quoted("__idlewatt_at \"" + path + "\"", "\\'");
        for (const Word& word : commands_of(at)) {
            out += when + " -a " + quoted(word.text, "\\'") + " -d " + quoted(word.about, "\\'") +
                   '\n';
        }
        for (const Word& word : flags_of(at)) {
            out += when + " -l " + word.text.substr(2) + (word.takes_value ? " -r -F" : "") +
                   " -d " + quoted(word.about, "\\'") + '\n';
        }
    });
    return out;
}

void add_completion_command(CLI::App& app) {
    CLI::App* completion = app.add_subcommand(
        "completion",
        "Print what a shell needs to complete commands\n\nExamples:\n"
        "  idlewatt completion bash > ~/.local/share/bash-completion/completions/idlewatt\n"
        "  idlewatt completion zsh > ~/.zfunc/_idlewatt\n"
        "  idlewatt completion fish > ~/.config/fish/completions/idlewatt.fish");
    completion->require_subcommand(1);
    const auto add = [&](const char* shell, std::string (*make)(const CLI::App&)) {
        completion->add_subcommand(shell, std::string("For ") + shell)->callback([&app, make] {
            std::cout << make(app);
        });
    };
    add("bash", bash_completion);
    add("zsh", zsh_completion);
    add("fish", fish_completion);
}

}  // namespace idlewatt::cli
