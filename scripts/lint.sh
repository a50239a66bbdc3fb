#!/usr/bin/env bash
# What machines can judge about the sources: formatting, clang-tidy, that scripts parse, that the tree speaks of itself alone.
# With --format the formatting is mended instead.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

tool() { # clang-format or clang-tidy, in the version that setup.sh prefers
    command -v "$1-19" || command -v "$1-18" || { echo "lint: no $1. Run: scripts/setup.sh lint" >&2 && exit 1; }
}

mapfile -t sources < <(git ls-files --cached --others --exclude-standard -- '*.cpp' '*.hpp' | xargs -r ls 2>/dev/null)
clang_format=$(tool clang-format)
if [[ ${1-} == --format ]]; then
    "$clang_format" -i "${sources[@]}"
    exit
fi

failed=()
check() { # name, command…
    local name=$1
    shift
    echo "lint: $name"
    "$@" || failed+=("$name")
}

shell_scripts_parse() {
    local script
    while IFS= read -r script; do
        [[ -f $script ]] || continue
        [[ $(head -c 40 "$script" | tr -d '\0') == '#!'*bash* || $script == *.sh ]] || continue
        bash -n "$script" || return
    done < <(git ls-files)
}

check "formatting (mend with: make format)" "$clang_format" --dry-run -Werror "${sources[@]}"
check "shell scripts parse" shell_scripts_parse
check "the tree speaks of itself alone" /usr/bin/python3 scripts/check_tree.py
cmake --preset lint -DLOQA_CACHE_DIR="$LOQA_CACHE_DIR" >/dev/null
check "clang-tidy" /usr/bin/python3 scripts/tidy.py "$(tool clang-tidy)" build-lint "${JOBS:-2}"

if ((${#failed[@]})); then
    printf 'lint: failed: %s\n' "${failed[@]}" >&2
    exit 1
fi
echo "lint: good"
