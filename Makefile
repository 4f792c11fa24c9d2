# SPDX-License-Identifier: Apache-2.0
# Copyright The Idlewatt Authors
#
# Entry points for people and machines; CMake does the building. `make help` lists them.
# Everything that is not an answer goes to stderr, so that `make demo DEMO_ARGS=--json | ...` reads clean data.
MAKEFLAGS += --no-print-directory
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help demo build test bench train lint soak deb test-deb clean

tree := build/release
# A file with Asio and Beast takes about 750 MB of memory to compile: no more jobs than fit.
jobs ?= $(shell awk -v cpus=$$(nproc) '/MemAvailable/ { fit = int($$2 / 900000) } \
	END { print fit < 1 ? 1 : fit < cpus ? fit : cpus }' /proc/meminfo)
DEMO_ARGS ?=
TRAIN_ARGS ?=

help:
	@echo 'make demo [DEMO_ARGS="..."]   set up, build and run a fleet on this machine (idlewatt demo --help)'
	@echo 'make build                    the programs: $(tree)/bin/idlewatt, $(tree)/bin/idlewatt-agent'
	@echo 'make test                     set up, build all, check the style, run the tests'
	@echo 'make soak                     the long tests'
	@echo 'make bench                    the benchmarks, beside their peers; one table at the end'
	@echo 'make train                    teaches Valet, the model of the demonstration, and tests the trainer'
	@echo 'make deb                      Debian packages, in $(tree)/packages'
	@echo 'make test-deb                 installs, tries and purges them: for a bare machine, as root'
	@echo 'make lint                     clang-format, clang-tidy, self-contained headers'
	@echo 'make clean                    remove build/'
	@echo 'jobs=N limits parallel compilers (now $(jobs)).'

demo: build
	@exec $(tree)/bin/idlewatt demo $(DEMO_ARGS)

build:
	@exec 1>&2; tools/setup demo; tools/configure $(tree); \
		cmake --build $(tree) --target programs -j $(jobs)

test:
	@tools/setup test
	@tools/configure $(tree) IDLEWATT_TESTS
	@cmake --build $(tree) -j $(jobs)
	@tools/tidy
	@ctest --test-dir $(tree) --output-on-failure --no-tests=error -LE soak -j $$(nproc)

soak:
	@tools/setup soak
	@tools/configure $(tree) IDLEWATT_TESTS
	@cmake --build $(tree) -j $(jobs)
	@fuzz/soak --build . $(jobs)
	@ctest --test-dir $(tree) --output-on-failure --no-tests=error -L soak

bench:
	@tools/setup bench
	@tools/configure $(tree) IDLEWATT_BENCH
	@cmake --build $(tree) --target benchmarks -j $(jobs)
	@ls $(tree)/bench/*_bench >/dev/null 2>&1 || { echo 'bench: there is no benchmark yet' >&2; exit 1; }
	@rm -f $(tree)/bench/figures $(tree)/bench/said
	@for program in $(tree)/bench/*_bench; do echo "== $$program"; IDLEWATT_FIGURES=$(tree)/bench/figures \
		$$program 2> >(tee -a $(tree)/bench/said >&2) | tee -a $(tree)/bench/said; done
	@echo; node bench/table.mjs $(tree)/bench/figures | tee $(tree)/bench/table.md
	@if grep -F 'ERROR OCCURRED' $(tree)/bench/said; then echo 'bench: the table lacks the figures of these' >&2; exit 1; fi

# Interrupted, it goes on from its last state.
train:
	@tools/setup train
	@tools/configure $(tree) IDLEWATT_TESTS IDLEWATT_TRAINER
	@cmake --build $(tree) --target idlewatt-trainer trainer_test valet_test -j $(jobs)
	@ctest --test-dir $(tree) --output-on-failure --no-tests=error -R '^(trainer|valet)$$'
	@$(tree)/bin/idlewatt-trainer --model build/valet.gguf --state build/valet.state \
		--threads $$(($$(nproc) < 16 ? $$(nproc) : 16)) $(TRAIN_ARGS)

lint:
	@tools/setup lint
	@tools/configure $(tree) IDLEWATT_TESTS
	@cmake --build $(tree) --target generated
	@tools/lint $(tree) $(jobs)

# dpkg-dev finds out which libraries the programs need.
deb: build
	@exec 1>&2; command -v dpkg-shlibdeps >/dev/null || { echo 'deb: apt-get install dpkg-dev' >&2; exit 1; }; \
		cmake --build $(tree) --target documents -j $(jobs); cpack --config $(tree)/CPackConfig.cmake -B $(tree)/packages >/dev/null
	@ls $(tree)/packages/*.deb

# Installs and purges them: as root, on a bare Debian 12 that is thrown away afterwards.
test-deb:
	@tests/package/deb_test

clean:
	@rm -rf build
