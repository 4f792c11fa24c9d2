#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# Runs the commands of README.md as a reader would type them, one after the other in one shell, on
# the tree that was built. What differs from typing: a command with --keep goes to the background
# until the end, the port is a free one, a demo plays its day in some seconds, and
# `make test` is left out, since it is what runs this. What a demo says at its end is looked at.
#   readme_commands.sh SOURCE_DIR BUILD_DIR
set -euo pipefail
source_dir=$1
build_dir=$2

# One that nobody listens on now.
free_port() {
    local port
    while port=$((20000 + RANDOM % 10000)); (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do :; done
    echo "$port"
}
port=$(free_port)
work=$(mktemp -d)
kept=()
end() {
    for pid in "${kept[@]}"; do
        kill -TERM "$pid" 2>/dev/null || true
        wait "$pid" || true
    done
    rm -rf "$work"
}
trap end EXIT

# A folder of its own, so that what the commands write does not stay in the tree.
ln -s "$source_dir"/* "$work"/
rm -f "$work/build"
mkdir "$work/build"
ln -s "$build_dir" "$work/build/release"
cd "$work"

demo_vehicles=6
# One that has not announced itself yet is in no list.
wait_until_all_work() {
    for ((i = 0; i < 600; i++)); do
        if (($(build/release/bin/idlewatt vehicle ls --json 2>/dev/null | grep -o '"reason":"ok"' | wc -l) == demo_vehicles)); then
            return 0
        fi
        sleep 0.1
    done
    echo "readme_commands: the cars did not come up within 60 s" >&2
    return 1
}

# number KEY: of the demo's JSON; the first one of this name.
number() {
    local value
    value=$(grep -o "\"$1\":[0-9.]*" "$work/demo.json" | head -n 1)
    value=${value##*:}
    [[ -n $value ]] || { echo "readme_commands: the demo's JSON has no '$1'" >&2; return 1; }
    echo "${value%%.*}"
}
# Everybody was answered, nothing was lost, and what Valet said was right.
judge_demo() {
    cat "$work/demo.json"
    local completed checked correct
    completed=$(number completed) checked=$(number checked) correct=$(number correct)
    ((completed > 0 && $(number lost) == 0 && $(number duplicated) == 0 && $(number migrations) > 0)) || return 1
    ((checked > 0 && checked <= completed && 100 * correct >= 95 * checked))
}

started=
run() {
    local command=$1
    case $command in
    "make test"*) return 0 ;;
    "make demo") command='make demo DEMO_ARGS="--seconds 5"' ;;
    esac
    command=${command//8080/$port}
    command=${command//--seconds 40/--seconds 10}
    echo "\$ $command"
    if [[ $command == *--keep* ]]; then
        eval "$command &"
        kept+=($!)
        started=1
        return 0
    fi
    if [[ -n $started && $command != export* ]]; then
        wait_until_all_work
        started=
    fi
    if [[ $command == *demo*--json* ]]; then
        eval "$command" >"$work/demo.json" && judge_demo
        return
    fi
    eval "$command"
}

commands=0
while IFS= read -r line; do
    line=${line%%  #*}
    line=${line%"${line##*[![:space:]]}"}
    [[ -z $line || $line == \#* ]] && continue
    run "$line" </dev/null || {
        echo "readme_commands: README.md says '$line', which fails" >&2
        exit 1
    }
    commands=$((commands + 1))
done < <(awk '/^```sh$/ { inside = 1; next } /^```/ { inside = 0 } inside' README.md)
if ((commands < 5)); then
    echo "readme_commands: found only $commands commands in README.md" >&2
    exit 1
fi
echo "$commands commands of README.md work"
