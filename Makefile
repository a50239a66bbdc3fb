# What a person types. The work is done by cmake and by scripts/.
MAKEFLAGS += --no-print-directory
JOBS ?= $(shell nproc)
export LOQA_CACHE_DIR ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/loqa
# A clone in another folder, as `make test-slow` makes one, finds what this one compiled.
export CCACHE_BASEDIR := $(CURDIR)
export CCACHE_NOHASHDIR := 1

.PHONY: help run build test test-slow bench bench-all lint format setup clean

help:  ## this list
	@echo "Loqa: a voice assistant that runs wholly on your own machines."
	@echo
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18
	@echo
	@echo "Each installs first what it needs and this machine lacks (scripts/setup.sh --help)."

run: build/build.ninja  ## ask a question by voice and hear the answer; stays up until Ctrl-C (ONCE=1: ends after the answer)
	@cmake --build --preset release -j $(JOBS) --target apps/all
	@ONCE=$(ONCE) scripts/run.sh

build: build/build.ninja  ## all binaries, skills and tests, in build/bin/, build/skills/ and build/tests/
	@[ -e build/skills/timer/timer.wasm ] || cmake --preset release -DLOQA_CACHE_DIR=$(LOQA_CACHE_DIR) >/dev/null
	@cmake --build --preset release -j $(JOBS)

build/build.ninja: | setup
	@cmake --preset release -DLOQA_CACHE_DIR=$(LOQA_CACHE_DIR)

test:  ## unit tests, and the system tests that take seconds
	@scripts/setup.sh build test
	@$(MAKE) build
	@JOBS=$(JOBS) scripts/test.sh

test-slow:  ## all tests under the address and thread sanitizers, the slow system tests, a fresh clone
	@scripts/setup.sh build test
	@$(MAKE) build
	@JOBS=$(JOBS) scripts/test-slow.sh

bench:  ## measures latencies on this machine; bench/RESULTS.md has what was recorded
	@scripts/setup.sh build test
	@$(MAKE) build
	@bench/run.sh

bench-all:  ## the voice path clean, in noise, with pauses and older voices, in one table: 35 minutes
	@scripts/setup.sh build test
	@$(MAKE) build
	@PYTHONDONTWRITEBYTECODE=1 $(LOQA_CACHE_DIR)/venv/bin/python bench/conditions.py $(ARGS)

lint: build/build.ninja  ## formatting, clang-tidy, the order of modules, scripts
	@scripts/setup.sh build test lint
	@JOBS=$(JOBS) scripts/lint.sh

format:  ## lets clang-format rewrite the C++ sources
	@scripts/setup.sh lint
	@scripts/lint.sh --format

setup:  ## installs what this machine lacks to build and run
	@scripts/setup.sh build

clean:  ## removes what was built; engines, models and the compiler's cache stay
	rm -rf build build-asan build-tsan build-lint build-debug
