#!/usr/bin/env bash
# Fuzzes the template compiler and the matcher (templates), and what a conversation makes of sentences (sentences), for
# LOQA_FUZZ_SECONDS each (default 10) from a fixed seed. Builds with clang++ what has changed since the last time.
#   run.sh [FOLDER]    where to build and to keep what was found; default build/fuzz
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../../.." && pwd)
build=${1:-$root/build/fuzz}
clang=$(command -v clang++-19 || command -v clang++-18) || {
    echo "fuzz: error: there is no clang++; run scripts/setup.sh test" >&2
    exit 1
}
mkdir -p "$build/objects"
launcher=()
! command -v ccache >/dev/null || launcher=(ccache)
flags=(-std=c++23 -O1 -g1 -DFMT_SHARED -I "$root/src" -w)
# clang reads libstdc++ 12's <expected> only when told that the language has what it asks for.
flags+=(-D__cpp_concepts=202002L)
flags+=(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

sources=("$root"/src/loqa/intent/*.cpp "$root"/src/loqa/base/*.cpp "$here"/*_fuzz.cpp)
jobs=() library=()
for source in "${sources[@]}"; do
    object=$build/objects/$(basename "$(dirname "$source")")-$(basename "$source" .cpp).o
    jobs+=("$source" "$object")
    [[ $object == */fuzz-* ]] || library+=("$object")
done
printf '%s\0' "${jobs[@]}" | xargs -0 -n 2 -P "${JOBS:-2}" "$(command -v bash)" -c '"${@:1:$#-2}" -c "${@: -2:1}" -o "${@: -1}"' - \
    "${launcher[@]}" "$clang" "${flags[@]}"
# An archive: only what the targets need is linked.
rm -f "$build/library.a"
ar rcs "$build/library.a" "${library[@]}"

failed=0
for target in templates sentences; do
    program=$build/${target}_fuzz
    "$clang" -fsanitize=fuzzer,address,undefined "$build/objects/fuzz-${target}_fuzz.o" "$build/library.a" \
        -o "$program" -lyaml-cpp -lfmt -lsodium
    mkdir -p "$build/found/$target"
    log=$build/$target.log
    if "$program" -seed=1 -max_total_time="${LOQA_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
        -dict="$here/words.dict" -artifact_prefix="$build/$target-" "$build/found/$target" "$here/corpus/$target" >"$log" 2>&1; then
        echo "fuzz: $target: $(grep -oE '^Done [0-9]+ runs in [0-9]+ second' "$log" | tail -n 1)s, nothing found"
    else
        tail -n 40 "$log"
        echo "fuzz: $target: FAILED, the whole output is in $log"
        failed=1
    fi
done
exit $failed
