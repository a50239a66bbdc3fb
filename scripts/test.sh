#!/usr/bin/env bash
# The tests of `make test`: all unit tests, the fuzzers for a few seconds, then the system tests that are not slow. Each runs
# whatever the others say.
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export PATH=$PATH:$LOQA_CACHE_DIR/tools/prometheus PYTHONDONTWRITEBYTECODE=1
output=$(mktemp -d)
trap 'rm -rf "$output"' EXIT
failed=0

ctest --preset release -j "${JOBS:-2}" 2>&1 | tee "$output/ctest" || failed=1
scripts/fuzz.sh templates sentences 2>&1 | tee "$output/fuzz" || failed=1
"$LOQA_CACHE_DIR/venv/bin/python" -m pytest -c tests/pytest.ini tests -m "not slow" 2>&1 | tee "$output/pytest" || failed=1

echo
echo "unit tests:   $(grep -E 'tests passed, .* out of|No tests' "$output/ctest" || echo 'ctest did not finish')"
sed -nE 's/^fuzz: /fuzz:         /p' "$output/fuzz"
echo "system tests: $(grep -E '^=+ .* in [0-9.]+s' "$output/pytest" | tail -n 1 || true)"
exit $failed
