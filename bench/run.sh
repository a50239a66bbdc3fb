#!/usr/bin/env bash
# What `make bench` runs: the micro-benchmarks that were built, then intents beside the reference matcher, then
# the voice path. Arguments go to voice_bench.py.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
cache=${LOQA_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/loqa}

for name in intent stt skills; do
    echo "== ${name}_bench"
    "build/bench/${name}_bench" --benchmark_min_time=0.2
done
echo "== turn_bench: what a turn costs beside its engines"
build/bench/turn_bench

echo "== intents beside the reference matcher: the same sentences, the same homes"
PYTHONDONTWRITEBYTECODE=1 "$cache/venv/bin/python" bench/intent_hassil.py

echo "== voice path: end of speech to first audible sample"
PYTHONDONTWRITEBYTECODE=1 exec "$cache/venv/bin/python" bench/voice_bench.py "$@"
