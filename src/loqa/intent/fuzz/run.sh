#!/usr/bin/env bash
# Fuzzes the template compiler and the matcher for LOQA_FUZZ_SECONDS (default 20). Needs clang++-19.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../../../.." && pwd)
build=${1:-$root/build-fuzz}
command -v clang++-19 >/dev/null || { echo "intent fuzz: skipped, no clang++-19"; exit 0; }
mkdir -p "$build/corpus"
flags=(-std=c++23 -O1 -g -fsanitize=fuzzer,address,undefined -fno-sanitize-recover=undefined -I "$root/src")
# clang 19 reads libstdc++ 12's <expected> only when told that the language has what it asks for.
flags+=(-D__cpp_concepts=202002L -w)
sources=("$here/intent_fuzz.cpp")
for name in compiler collection document home matcher search sentence_template spoken_numbers text; do
    sources+=("$root/src/loqa/intent/$name.cpp")
done
sources+=("$root/src/loqa/base/result.cpp" "$root/src/loqa/base/files.cpp" "$root/src/loqa/base/text.cpp")
program="$build/intent_fuzz"
stale=0
for source in "${sources[@]}" "$root"/src/loqa/intent/*.hpp; do [[ $source -nt $program ]] && stale=1; done
if [[ $stale == 1 ]]; then
    clang++-19 "${flags[@]}" "${sources[@]}" -o "$program" -lyaml-cpp -lfmt
fi
exec "$program" -max_total_time="${LOQA_FUZZ_SECONDS:-20}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
    -artifact_prefix="$build/" "$build/corpus" "$here/corpus"
