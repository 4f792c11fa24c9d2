// SPDX-License-Identifier: Apache-2.0
// Copyright The Idlewatt Authors
#include "config/document.hpp"

#include <algorithm>
#include <cctype>

#include "config/schema.hpp"

namespace idlewatt::config {

namespace {

std::string_view last_part(std::string_view key) {
    return key.substr(key.find('.') + 1);
}

std::string_view table_of(std::string_view key) {
    return key.substr(0, key.find('.'));
}

std::string toml_value(const Setting& setting) {
    if (setting.type == Type::integer || setting.type == Type::boolean)
        return std::string(setting.fallback);
    const std::string text = setting.fallback.empty() && setting.type == Type::list
                                 ? ""
                                 : '"' + std::string(setting.fallback) + '"';
    return setting.type == Type::list ? '[' + text + ']' : text;
}

std::string range_of(const Setting& setting) {
    if (setting.type != Type::integer)
        return {};
    return " (" + std::to_string(setting.min) + " to " + std::to_string(setting.max) + ")";
}

std::string commands_of(const Setting& setting) {
    std::string names;
    for (const Role role : {Role::gateway, Role::coordinator, Role::agent, Role::up}) {
        if (setting.is_for(role))
            names += (names.empty() ? "" : ", ") + std::string(name(role));
    }
    return names;
}

constexpr std::string_view manual_head = R"(.SH NAME
idlewatt.toml \- settings of idlewatt
.SH SYNOPSIS
.nf
/etc/idlewatt/idlewatt.toml
/etc/idlewatt/conf.d/*.toml
$XDG_CONFIG_HOME/idlewatt/config.toml
idlewatt --config FILE ...
.fi
.SH DESCRIPTION
TOML files with one table per role.
A setting is taken from the first of: a flag, the environment, the file named by \-\-config or
IDLEWATT_CONFIG, the user's file, the system's files (a later one in conf.d wins), the default.
.PP
An unknown key is an error that names the file, the line and the nearest right key.
Secrets never stand in these files: a key that ends in _file names a file that only its owner can
read (mode 0600).
.PP
.B idlewatt config show \-\-origin
prints every setting with the place that it comes from,
.B idlewatt config validate FILE
checks a file,
.B idlewatt config example
prints a file with all settings.
)";

}  // namespace

std::string roff(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (c == '\\')
            out += "\\e";
        else if (c == '-')
            out += "\\-";
        else if (text.substr(i).starts_with("…")) {
            out += "...";
            i += std::string_view("…").size() - 1;
        } else if ((c == '.' || c == '\'') && (i == 0 || text[i - 1] == '\n'))
            out += std::string("\\&") + c;
        else
            out += c;
    }
    return out;
}

std::string example_file() {
    std::string out =
        "# Settings of Idlewatt. What stands behind a '#' is the default. Described in\n"
        "# idlewatt.toml(5); an unknown key is an error.\n"
        "# A flag is stronger than the environment, the environment than this file.\n";
    for (const Table& table : tables()) {
        out += "\n# " + std::string(table.about) + "\n[" + std::string(table.name) + "]\n";
        for (const Setting& setting : schema()) {
            if (table_of(setting.key) != table.name)
                continue;
            out += "# " + std::string(setting.help) + range_of(setting) + ".\n#" +
                   std::string(last_part(setting.key)) + " = " + toml_value(setting) + "\n";
        }
    }
    return out;
}

std::string manual_page(const std::string& version) {
    std::string out = ".TH IDLEWATT.TOML 5 \"\" \"idlewatt " + roff(version) + "\" Idlewatt\n";
    out += manual_head;
    for (const Table& table : tables()) {
        std::string title(table.name);
        std::ranges::transform(title, title.begin(),
                               [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
        out += ".SH \"TABLE [" + title + "]\"\n" + roff(table.about) + '\n';
        for (const Setting& setting : schema()) {
            if (table_of(setting.key) != table.name)
                continue;
            out += ".TP\n.B " + roff(last_part(setting.key)) + " = " + roff(toml_value(setting)) +
                   '\n' + roff(setting.help) + roff(range_of(setting)) +
                   ".\n.br\nEnvironment: " + roff(setting.environment);
            if (!setting.secret_environment.empty())
                out += ", or the secret itself in " + roff(setting.secret_environment);
            out += ".\n";
            if (!setting.flag.empty())
                out += "Flag: " + roff(setting.flag) + " (" + commands_of(setting) + ").\n";
        }
    }
    out += ".SH \"SEE ALSO\"\n.BR idlewatt (1),\n.BR idlewatt\\-agent (8)\n";
    return out;
}

}  // namespace idlewatt::config
