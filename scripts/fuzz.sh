#!/usr/bin/env bash
# Fuzzes the decoders of bytes from outside: messages and headers of the bus, WAV files, the configuration. Each target runs
# for LOQA_FUZZ_SECONDS (default 20) on from what earlier runs found in build-fuzz. Needs clang++-19. Arguments name targets.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
command -v clang++-19 >/dev/null || { echo "fuzz: skipped, no clang++-19"; exit 0; }
build=build-fuzz
flags=(-std=c++23 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I src -w)
# clang 19 reads libstdc++ 12's <expected> only when told that the language has what it asks for.
flags+=(-D__cpp_concepts=202002L)
base=(src/loqa/base/*.cpp)

# name, its source, the module's sources, seeds
fuzz() {
    local name=$1 source=$2 seed=$3 program=$build/$1_fuzz
    shift 3
    mkdir -p "$build/$name-corpus"
    [[ -e $build/$name-corpus/seed ]] || printf '%b' "$seed" >"$build/$name-corpus/seed"
    local newest
    newest=$(find src/loqa -name '*.?pp' -newer "$program" -print -quit 2>/dev/null || echo stale)
    if [[ ! -e $program || -n $newest ]]; then
        clang++-19 "${flags[@]}" "$source" "$@" -o "$program" -lyaml-cpp -lfmt -lsodium
    fi
    echo "fuzz $name for ${LOQA_FUZZ_SECONDS:-20} s"
    "$program" -max_total_time="${LOQA_FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 -verbosity=0 \
        -print_final_stats=1 -artifact_prefix="$build/$name-" "$build/$name-corpus" 2>&1 |
        grep -E 'number_of_executed_units|ERROR|SUMMARY|Test unit' || true
    return "${PIPESTATUS[0]}"
}

wanted=("$@")
((${#wanted[@]})) || wanted=(messages wav config)
for name in "${wanted[@]}"; do
    case $name in
        messages)
            fuzz messages src/loqa/protocol/fuzz/messages_fuzz.cpp '\x01{"session_id":"s","text":"hello","confidence":0.5}' \
                src/loqa/protocol/*.cpp "${base[@]}"
            ;;
        wav)
            fuzz wav src/loqa/audio/fuzz/wav_fuzz.cpp \
                'RIFF\x2c\x00\x00\x00WAVEfmt \x10\x00\x00\x00\x01\x00\x01\x00\x80\x3e\x00\x00\x00\x7d\x00\x00\x02\x00\x10\x00data\x08\x00\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00' \
                src/loqa/audio/wav.cpp src/loqa/audio/pcm.cpp "${base[@]}"
            ;;
        config)
            fuzz config src/loqa/config/fuzz/config_fuzz.cpp 'stt:\n  threads: 2\nbus: {embedded: true}\n\x00STT_THREADS=3\n' \
                src/loqa/config/*.cpp "${base[@]}"
            ;;
        *)
            echo "fuzz: no target $name" >&2
            exit 2
            ;;
    esac
done
