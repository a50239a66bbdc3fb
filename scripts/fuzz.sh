#!/usr/bin/env bash
# Fuzzes what reads text and bytes from outside, each target for LOQA_FUZZ_SECONDS (default 10) from a fixed seed, on from
# what earlier runs found. Builds with clang++ what has changed since the last time. Exit code 1 when anything was found.
#   scripts/fuzz.sh [TARGET…]    templates, sentences, messages, wav, config, http, spoken, manifest, told; default all
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
build=build/fuzz
clang=$(command -v clang++-19 || command -v clang++-18) || {
    echo "fuzz: error: there is no clang++; run scripts/setup.sh test" >&2
    exit 1
}
mkdir -p "$build/objects"
launcher=()
! command -v ccache >/dev/null || launcher=(ccache)
flags=(-std=c++23 -O1 -g1 -DFMT_SHARED -I src -w)
# clang reads libstdc++ 12's <expected> only when told that the language has what it asks for.
flags+=(-D__cpp_concepts=202002L)
flags+=(-fsanitize=fuzzer-no-link,address,undefined -fno-sanitize-recover=undefined -fno-omit-frame-pointer)

object_of() { echo "$build/objects/$(basename "$(dirname "$1")")-$(basename "$1" .cpp).o"; }

fuzz() { # target, module, sources beside its own and those of base
    local target=$1 folder=src/loqa/$2/fuzz source
    shift 2
    local sources=("$folder/${target}_fuzz.cpp" "$@" src/loqa/base/*.cpp) jobs=() library=()
    for source in "${sources[@]}"; do
        jobs+=("$source" "$(object_of "$source")")
        [[ $source == "$folder"/* ]] || library+=("$(object_of "$source")")
    done
    printf '%s\0' "${jobs[@]}" | xargs -0 -n 2 -P "${JOBS:-2}" "$(command -v bash)" -c '"${@:1:$#-2}" -c "${@: -2:1}" -o "${@: -1}"' - \
        "${launcher[@]}" "$clang" "${flags[@]}"
    # An archive: only what the target needs is linked.
    rm -f "$build/$target.a"
    ar rcs "$build/$target.a" "${library[@]}"
    "$clang" -fsanitize=fuzzer,address,undefined "$(object_of "$folder/${target}_fuzz.cpp")" "$build/$target.a" \
        -o "$build/${target}_fuzz" -lyaml-cpp -lfmt -lsodium -lcurl -lsqlite3 -lprometheus-cpp-core

    mkdir -p "$build/found/$target"
    local log=$build/$target.log words=()
    [[ ! -e $folder/words.dict ]] || words=(-dict="$folder/words.dict")
    if "$build/${target}_fuzz" -seed=1 -max_total_time="${LOQA_FUZZ_SECONDS:-10}" -timeout=10 -rss_limit_mb=2048 -max_len=4096 \
        "${words[@]}" -artifact_prefix="$build/$target-" "$build/found/$target" "$folder/corpus/$target" >"$log" 2>&1; then
        echo "fuzz: $target: $(grep -oE '^Done [0-9]+ runs in [0-9]+ second' "$log" | tail -n 1)s, nothing found"
    else
        tail -n 40 "$log"
        echo "fuzz: $target: FAILED, the whole output is in $log"
        return 1
    fi
}

failed=0
(($#)) || set -- templates sentences messages wav config http spoken manifest told
for target; do
    case $target in
        templates | sentences) what=(intent src/loqa/intent/*.cpp) ;;
        messages) what=(protocol src/loqa/protocol/*.cpp) ;;
        wav) what=(audio src/loqa/audio/wav.cpp src/loqa/audio/pcm.cpp) ;;
        config) what=(config src/loqa/config/*.cpp) ;;
        http) what=(telemetry src/loqa/telemetry/*.cpp) ;;
        spoken) what=(tts src/loqa/tts/{spoken,clauses}.cpp) ;;
        manifest)
            what=(skills src/loqa/skills/{manifest,settings,signature,http_client,abi,facts,calls_outside,storage}.cpp
                src/loqa/store/database.cpp src/loqa/telemetry/*.cpp src/loqa/intent/*.cpp src/loqa/protocol/*.cpp)
            ;;
        told)
            what=(session src/loqa/session/{later,traces,phrases}.cpp src/loqa/house/learned.cpp src/loqa/intent/*.cpp
                src/loqa/protocol/*.cpp src/loqa/telemetry/*.cpp src/loqa/timers/local_time.cpp)
            ;;
        *) echo "fuzz: there is no target $target" >&2 && exit 2 ;;
    esac
    # Not as part of a condition, in which `set -e` would be off.
    set +e
    (set -e && fuzz "$target" "${what[@]}")
    code=$?
    set -e
    ((code == 0)) || failed=1
done
exit $failed
