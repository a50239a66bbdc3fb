#!/usr/bin/env bash
# The tests of `make test-slow`: every unit test under sanitizers, the slow system tests, and the README's first command in a
# fresh clone.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
. scripts/stages.sh

export PATH=$PATH:$LOQA_CACHE_DIR/tools/prometheus PYTHONDONTWRITEBYTECODE=1
# What they find is told by function and line.
symbols=external_symbolizer_path=$(command -v llvm-symbolizer-19 || command -v llvm-symbolizer-18 || true)
export ASAN_OPTIONS=$symbols:strict_string_checks=1
export UBSAN_OPTIONS=$symbols:print_stacktrace=1
export TSAN_OPTIONS=$symbols:suppressions=$PWD/scripts/tsan.supp:second_deadlock_stack=1

sanitized() { # preset
    grep -qs 'CMAKE_CXX_COMPILER:.*clang' "build-$1/CMakeCache.txt" || cmake --fresh --preset "$1" -DLOQA_CACHE_DIR="$LOQA_CACHE_DIR"
    cmake --build --preset "$1" -j "${JOBS:-2}" --target unit_tests
    ctest --preset "$1" -j "${JOBS:-2}" -E '^tts$'
    # eSpeak NG loses some kilobytes each time it is unloaded, and no suppression can name a library that is gone.
    ASAN_OPTIONS=$ASAN_OPTIONS:detect_leaks=0 ctest --preset "$1" -R '^tts$'
}

slow_system_tests() {
    local code=0
    # Without these their tests are left out, and say so.
    scripts/setup.sh homeassistant rust || true
    "$LOQA_CACHE_DIR/venv/bin/python" -m pytest -c tests/pytest.ini tests -m slow || code=$?
    ((code == 5)) && echo "no test is marked slow" && code=0
    return $code
}

fresh_clone() {
    local clone
    clone=$(mktemp -d)
    # shellcheck disable=SC2064
    trap "rm -rf '$clone'" EXIT
    git clone --quiet "$PWD" "$clone/loqa"
    env -u MAKEFLAGS -u MAKELEVEL make -C "$clone/loqa" run ONCE=1 CCACHE_BASEDIR="$clone/loqa"
}

stage "address, undefined" sanitized asan
stage "threads" sanitized tsan
stage "fuzzing" env LOQA_FUZZ_SECONDS=20 scripts/fuzz.sh messages wav config
stage "slow system tests" slow_system_tests
stage "make run, fresh clone" fresh_clone
finish_stages
