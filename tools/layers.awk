# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# The comparison behind tools/layers. Plain POSIX awk: bare Debian has mawk, which knows no intervals and no gensub.

function find(file, line, text) {
    printf "%s:%d: %s\n", file, line, text
    findings++
}

# A shell pattern as a regular expression.
function regex(pattern) {
    gsub(/[.+]/, "[&]", pattern)
    gsub(/[*]/, ".*", pattern)
    return "^" pattern "$"
}

function family_of(header,    i) {
    for (i = 1; i <= patterns; i++)
        if (header ~ pattern[i]) return pattern_family[i]
    if (header ~ /^[a-z_0-9]+$/) return "std"
    return ""
}

function allowed(family, file) {
    return family == "std" || (family, "all") in allow || (family, module_of[file]) in allow || \
        (is_test[file] && (family, "test") in allow)
}

# Families of outside headers that a project file brings along, as a list between blanks.
function brings(file,    n, i, list, out, parts, m, k) {
    if (file in brought) return brought[file]
    brought[file] = " "   # breaks cycles
    out = " "
    n = split(outside[file], list, " ")
    for (i = 1; i <= n; i++)
        if (index(out, " " list[i] " ") == 0) out = out list[i] " "
    n = split(inside[file], list, " ")
    for (i = 1; i <= n; i++) {
        m = split(brings(list[i]), parts, " ")
        for (k = 1; k <= m; k++)
            if (index(out, " " parts[k] " ") == 0) out = out parts[k] " "
    }
    brought[file] = out
    return out
}

# Reads the words of idlewatt_module(...): NAME, then lists after capital keywords.
function read_build(text, file,    words, n, i, name, key) {
    if (text ~ /idlewatt_protobuf[ ]*\(/) generates[module_of_build(file)] = 1
    if (!match(text, /idlewatt_module[ ]*\([^)]*\)/)) {
        find(file, 1, "no idlewatt_module(...) line")
        return
    }
    text = substr(text, RSTART, RLENGTH)
    sub(/^[^(]*\(/, "", text)
    sub(/\)$/, "", text)
    n = split(text, words, " ")
    name = words[1]
    if (name != module_of_build(file)) find(file, 1, "the module must be named like its folder: '" module_of_build(file) "'")
    for (i = 2; i <= n; i++) {
        if (words[i] ~ /^[A-Z_]+$/) key = words[i]
        else if (key == "USES") uses[name, words[i]] = 1
        else if (key == "TEST_USES") test_uses[name, words[i]] = 1
    }
}

function folder_of(file) {
    sub(/[^\/]*$/, "", file)
    return file
}

function module_of_build(file,    parts) {
    split(file, parts, "/")
    return parts[2]
}

BEGIN {
    while ((getline line < table) > 0) {
        sub(/#.*/, "", line)
        n = split(line, words, " ")
        if (n == 0) continue
        for (i = 3; i <= n; i++) {
            if (words[1] == "headers") {
                pattern[++patterns] = regex(words[i])
                pattern_family[patterns] = words[2]
            } else if (words[1] == "modules")
                allow[words[2], words[i]] = 1
        }
    }
    if (patterns == 0) {
        print "layers: cannot read " table
        failed = 1
        exit 1
    }
    # From the arguments, not from the lines: an empty file has none.
    for (i = 1; i < ARGC; i++) {
        file = ARGV[i]
        if (file ~ /CMakeLists\.txt$/ || file ~ /=/) continue
        files[++file_count] = file
        split(file, parts, "/")
        module_of[file] = parts[1] == "src" ? parts[2] : parts[1] == "tests" ? "test" : parts[1]
        is_test[file] = file ~ /_test\.[ch]pp$/ || parts[1] == "tests"
        known[file] = 1
    }
}

FILENAME ~ /CMakeLists\.txt$/ {
    line = $0
    sub(/#.*/, "", line)
    build_text[FILENAME] = build_text[FILENAME] " " line
    next
}

/^[ \t]*#[ \t]*include[ \t]*[<"]/ {
    header = $0
    sub(/^[^<"]*[<"]/, "", header)
    sub(/[>"].*$/, "", header)
    count[FILENAME]++
    include_line[FILENAME, count[FILENAME]] = FNR
    include_name[FILENAME, count[FILENAME]] = header
    include_own[FILENAME, count[FILENAME]] = ($0 ~ /include[ \t]*"/)
    if ($0 ~ /include[ \t]*"/ && header !~ /\.pb\.h$/)
        inside[FILENAME] = inside[FILENAME] " src/" header
    else
        outside[FILENAME] = outside[FILENAME] " " family_of(header)
}

function check_own(file, line, header,    parts, module, own, i, n, list) {
    module = module_of[file]
    if (header ~ /\.pb\.h$/) {
        if (!(module in generates)) find(file, line, "\"" header "\" is private to the module that generates it")
        return
    }
    n = split(header, parts, "/")
    # A header that the module's build file generates; a test's or program's own header beside it.
    if (n == 1 && file ~ /^src\// && index(build_text["src/" module "/CMakeLists.txt"], header) > 0) return
    if (n == 1 && file !~ /^src\// && (folder_of(file) header) in known) return
    # A benchmark may run the fleet of the integration tests.
    if (n == 1 && file ~ /^bench\// && ("tests/integration/" header) in known) return
    if (n != 2 || parts[1] ~ /^[.]/) {
        find(file, line, "\"" header "\": write \"module/file.hpp\"")
        return
    }
    if (!(("src/" header) in known)) {
        find(file, line, "there is no src/" header)
        return
    }
    own = parts[1]
    if (own != module && file ~ /^src\// && !((module, own) in uses) && \
        !(is_test[file] && (own == "testing" || (module, own) in test_uses))) {
        find(file, line, "\"" header "\": '" own "' is not named after USES in src/" module "/CMakeLists.txt")
        return
    }
    n = split(brings("src/" header), list, " ")
    for (i = 1; i <= n; i++)
        if (!allowed(list[i], file))
            find(file, line, "\"" header "\" brings " list[i] ", which is not for module '" module "' (tools/includes.table)")
}

END {
    if (failed) exit 1
    for (file in build_text) read_build(build_text[file], file)
    for (f = 1; f <= file_count; f++) {
        file = files[f]
        if (file ~ /^src\// && !(("src/" module_of[file] "/CMakeLists.txt") in build_text))
            continue   # not part of the build (yet)
        for (i = 1; i <= count[file]; i++) {
            header = include_name[file, i]
            line = include_line[file, i]
            if (include_own[file, i]) {
                check_own(file, line, header)
                continue
            }
            family = family_of(header)
            if (family == "")
                find(file, line, "<" header "> is in no family of tools/includes.table")
            else if (!allowed(family, file))
                find(file, line, "<" header "> (" family ") is not for module '" module_of[file] "' (tools/includes.table)")
        }
    }
    if (findings) {
        printf "layers: %d forbidden includes\n", findings
        exit 1
    }
}
