# Sourced by what runs in stages: each is timed, the first that fails ends the run, and a table says how it went.
# stage NAME COMMAND…
# shellcheck shell=bash

stage_table=()

stage() {
    local name=$1 started=$SECONDS code=0
    shift
    printf '\n━━ %s: %s\n' "$name" "$*"
    # Not as part of a condition, in which a function's `set -e` would be off.
    set +e
    (set -e && "$@")
    code=$?
    set -e
    stage_table+=("$(printf '%-28s %5d s  %s' "$name" $((SECONDS - started)) "$( ((code == 0)) && echo ok || echo "FAILED ($code)")")")
    ((code == 0)) || finish_stages "$name"
}

finish_stages() { # the stage that failed, if one did
    printf '\n━━ how long each stage took\n'
    printf '%s\n' "${stage_table[@]}"
    printf '%-28s %5d s\n' "in all" "$SECONDS"
    if [[ ${1-} ]]; then
        echo "failed: $1" >&2
        exit 1
    fi
}
