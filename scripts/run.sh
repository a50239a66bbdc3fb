#!/usr/bin/env bash
# A first conversation: starts Loqa on free ports and an empty data folder of its own, asks it the bundled question by voice,
# shows where the time went, and stays up until Ctrl-C. With ONCE=1 it ends there, exit code 0 if there was an answer.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

loqa=$PWD/build/bin/loqa
data=$(mktemp -d "${TMPDIR:-/tmp}/loqa-run-XXXXXX")
export LOQA_HTTP_PORT=0 LOQA_BUS_PORT=0 LOQA_TELEMETRY_PROMETHEUS_BIND=127.0.0.1:0
up=

stop() { # exit code: that of `loqa up`
    local code=0
    if [[ $up ]]; then
        kill -TERM "$up" 2>/dev/null || true
        wait "$up" || code=$?
        up=
    fi
    rm -rf "$data"
    return $code
}
trap 'stop || true' EXIT
interrupted() {
    stop || exit 1
    exit 0
}
trap interrupted INT TERM

echo "Starting Loqa ($loqa up --data $data)"
exec {output}< <(exec "$loqa" up --data "$data")
up=$!
line=
until [[ $line == ready ]]; do
    if ! IFS= read -r -t 300 -u "$output" line; then
        echo "run: Loqa did not come up; its own words are above. What may be missing: $loqa doctor" >&2
        exit 1
    fi
done

echo
echo "Asking by voice: share/audio/question.wav"
"$loqa" say --data "$data" share/audio/question.wav
echo
"$loqa" trace --data "$data"

if [[ ${ONCE-} ]]; then
    stop || { echo "run: Loqa answered, but did not end cleanly" >&2 && exit 1; }
    exit
fi
cat <<END

Loqa stays up until Ctrl-C. From another terminal:
  $loqa say --mic --data $data
  $loqa ask "what time is it" --data $data
  $loqa listen --data $data
END
wait "$up" || true
