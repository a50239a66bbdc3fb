#!/usr/bin/env bash
# Installs what this machine lacks to build, run and test Loqa. Run it as often as you like: what is there is left alone, what
# was interrupted is done again. Packages come from this machine's own apt and pip sources; docs/dependencies.md names each.
set -euo pipefail

usage() {
    cat <<END
Usage: scripts/setup.sh [--check] [GROUP…]

Groups:  build    all that \`make run\` needs: compiler, libraries, engines, speech models (the default)
         test     what \`make test\` needs besides: other voices, recordings, pytest, Prometheus, what fuzzing and skills need
         skills   clang for WebAssembly: the skills that ship, and those of your own
         lint     clang-format and clang-tidy
         all      all of these
         whisper  only when asked for: whisper.cpp, built here, and its model whisper-tiny-en (docs/engines.md)
         homeassistant  only when asked for: a Home Assistant for the slow tests to talk to
         rust     only when asked for: Rust for WebAssembly, for the skill in Rust

  --check  only say what is missing; exit code 1 if anything is

Debian packages are installed with apt-get, through sudo where you are not root. All else goes to
${cache/#$HOME/\~} (LOQA_CACHE_DIR chooses another folder).
END
}

# "a|b": the first of them that this system has.
build_packages=(
    g++ make cmake ninja-build ccache mold pkg-config python3 python3-venv
    libcli11-dev libcpp-httplib-dev libcurl4-openssl-dev libfmt-dev libnats-dev libprotozero-dev libsamplerate0-dev libsodium-dev
    libspeexdsp-dev libsqlite3-dev libyaml-cpp-dev nlohmann-json3-dev portaudio19-dev prometheus-cpp-dev
    libbenchmark-dev libgmock-dev libgtest-dev
    libespeak-ng1 espeak-ng-data
)
skills_packages=(
    "clang-19|clang-18" "lld-19|lld-18" wasi-libc "libclang-rt-19-dev-wasm32|libclang-rt-18-dev-wasm32"
    "libc++-19-dev-wasm32|libc++-18-dev-wasm32" "libc++abi-19-dev-wasm32|libc++abi-18-dev-wasm32"
)
test_packages=(
    espeak-ng flite git minisign pocketsphinx-testdata sox "libclang-rt-19-dev|libclang-rt-18-dev" "llvm-19|llvm-18"
    "${skills_packages[@]}"
)
lint_packages=("clang-format-19|clang-format-18" "clang-tidy-19|clang-tidy-18")
whisper_packages=(g++ cmake ninja-build python3 python3-venv nlohmann-json3-dev)
homeassistant_packages=(python3 python3-venv)
rust_packages=(rustc libstd-rust-dev-wasm32 "lld-19|lld-18")

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${LOQA_CACHE_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/loqa}
venv=$cache/venv
prometheus=$cache/tools/prometheus
whisper=$cache/engines/whisper
requirements=$root/scripts/requirements-tools.txt
homeassistant=$cache/tools/homeassistant
homeassistant_requirements=$root/scripts/requirements-homeassistant.txt
assets=("$root/scripts/models.py" --manifest "$root/scripts/engines.json" --manifest "$root/share/models.json")
export PYTHONDONTWRITEBYTECODE=1

die() { # sentence, hint
    printf 'setup: error: %s\n' "$1" >&2
    [[ -z ${2-} ]] || printf '  %s\n' "$2" >&2
    exit 1
}

say() { printf '      %s\n' "$*"; }

#── Debian packages ───────────────────────────────────────────────────────────────────────────────────────────────────────

as_root() {
    if ((EUID == 0)); then "$@"; else sudo "$@"; fi
}

# Those of the arguments of which no alternative is installed.
missing_packages() {
    local installed wanted
    installed=" $(dpkg-query -W -f '${db:Status-Status}=${Package} ' -- $(tr '| ' '\n\n' <<<"$*") 2>/dev/null || true) "
    for wanted; do
        local alternative found=
        for alternative in ${wanted//|/ }; do
            [[ $installed == *" installed=$alternative "* ]] && found=1
        done
        [[ $found ]] || echo "$wanted"
    done
}

# Sets `resolved` and `unknown`: the first alternative that apt can install, or the whole choice if it can install none.
resolve_packages() {
    local wanted alternative candidates
    resolved=() unknown=()
    candidates=" $(apt-cache policy -- $(tr '| ' '\n\n' <<<"$*") |
        awk '/^[^ ]/ { name = substr($1, 1, length($1) - 1) } /^  Candidate:/ && $2 != "(none)" { printf "%s ", name }') "
    for wanted; do
        local found=
        for alternative in ${wanted//|/ }; do
            if [[ $candidates == *" $alternative "* ]]; then
                found=$alternative
                break
            fi
        done
        if [[ $found ]]; then resolved+=("$found"); else unknown+=("$wanted"); fi
    done
}

# Turns apt's status lines into one line that counts up on a terminal, into a few lines elsewhere.
show_apt_progress() {
    local kind percent last=
    while IFS=: read -r kind _ percent _; do
        case $kind in dlstatus) kind=downloading ;; pmstatus) kind=installing ;; *) continue ;; esac
        percent=${percent%%.*}
        if [[ -t 1 ]]; then
            printf '\r\033[K      %s %s%%' "$kind" "$percent"
        elif [[ "$kind $((percent / 50))" != "$last" ]]; then
            say "$kind $percent%"
            last="$kind $((percent / 50))"
        fi
    done
    [[ ! -t 1 ]] || printf '\r\033[K'
}

apt_get() { # what to say on failure (nothing: return 1), arguments of apt-get
    local log=$cache/apt.log words=$1
    shift
    : >"$log"
    # The status goes through a descriptor of its own: apt makes it non-blocking, at which packages' scripts stumble. It is
    # opened behind sudo, which closes all but the standard ones.
    # shellcheck disable=SC2016
    as_root env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 sh -c 'log=$1; shift; exec "$@" 3>&1 >"$log" 2>&1' - "$log" \
        apt-get -y -o APT::Status-Fd=3 -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold \
        "$@" </dev/null | show_apt_progress && { grep -m1 '^Fetched' "$log" | sed 's/^/      /' || true; } && return
    grep -E '^(E|W): ' "$log" >&2 || tail -n 5 "$log" >&2
    [[ -z $words ]] || die "$words" "Its whole output is in $log. Once the cause is mended, run scripts/setup.sh again."
    return 1
}

update_package_lists() {
    say "updating the package lists"
    apt_get "apt-get update failed" update
    lists_are_fresh=1
}

install_packages() {
    local system missing=("$@") lists_are_fresh= resolved unknown
    system=$(. /etc/os-release && echo "$PRETTY_NAME")
    say "${#missing[@]} missing: ${missing[*]}"
    ((EUID == 0)) || command -v sudo >/dev/null ||
        die "Debian packages are missing and there is no sudo" "As root: apt-get install --no-install-recommends ${missing[*]%%|*}"
    resolve_packages "${missing[@]}"
    if ((${#unknown[@]})); then
        update_package_lists
        resolve_packages "${missing[@]}"
    fi
    ((${#unknown[@]} == 0)) ||
        die "apt knows no package ${unknown[*]//|/ or } on $system" "On Debian the section main is needed, on Ubuntu main and universe."
    local failed="apt-get could not install ${resolved[*]}"
    # Lists that are there can still be too old to download by: one more try with fresh ones.
    if ! apt_get "${lists_are_fresh:+$failed}" install --no-install-recommends "${resolved[@]}"; then
        update_package_lists
        apt_get "$failed" install --no-install-recommends "${resolved[@]}"
    fi
}

#── Prometheus: only the program, since its package would start a service that listens on all interfaces ──────────────────

has_prometheus() { [[ -x $prometheus/prometheus ]] || command -v prometheus >/dev/null; }

install_prometheus() {
    local temporary resolved unknown lists_are_fresh=
    resolve_packages prometheus
    ((${#resolved[@]})) || update_package_lists
    temporary=$(mktemp -d "$cache/.unfinished-XXXXXX")
    say "taking the program out of Debian's package"
    (cd "$temporary" && apt-get download prometheus >"$cache/apt.log" 2>&1) || {
        grep '^E: ' "$cache/apt.log" >&2 || true
        rm -rf "$temporary"
        die "apt-get could not download prometheus" "Run apt-get update as root, then scripts/setup.sh again."
    }
    mkdir "$temporary/prometheus"
    dpkg-deb --fsys-tarfile "$temporary"/prometheus_*.deb |
        tar -x -C "$temporary/prometheus" --strip-components=3 ./usr/bin/prometheus
    mkdir -p "${prometheus%/*}"
    rm -rf "$prometheus"
    mv "$temporary/prometheus" "$prometheus"
    rm -rf "$temporary"
}

#── whisper.cpp: built from its sources, for the processor of this machine ────────────────────────────────────────────────

whisper_stamp() { cat "$root"/apps/loqa-whisper/* "$root/scripts/engines.json" | sha256sum; }

has_whisper() { [[ -x $whisper/loqa-whisper && "$(cat "$whisper/.made-of" 2>/dev/null)" == "$(whisper_stamp)" ]]; }

install_whisper() {
    local work log=$cache/whisper.log
    "$root/scripts/models.py" --manifest "$root/scripts/engines.json" pull whisper.cpp
    work=$(mktemp -d "$cache/.unfinished-XXXXXX")
    # shellcheck disable=SC2064
    trap "rm -rf '$work'" EXIT
    tar -xzf "$cache"/engines/whisper.cpp/*.tar.gz -C "$work" --strip-components=1 --wildcards '*/whisper.cpp'
    say "compiling it, a few minutes"
    { cmake -G Ninja -S "$root/apps/loqa-whisper" -B "$work/build" -DWHISPER_SOURCE="$work/whisper.cpp" &&
        cmake --build "$work/build" -j "${JOBS:-$(nproc)}" --target loqa-whisper; } >"$log" 2>&1 || {
        grep -E 'error|Error' "$log" | tail -n 5 >&2
        die "whisper.cpp could not be built" "Its whole output is in $log. Once the cause is mended, run scripts/setup.sh whisper again."
    }
    mkdir -p "$whisper"
    mv "$work/build/loqa-whisper" "$whisper/loqa-whisper"
    whisper_stamp >"$whisper/.made-of"
    say "loqa-whisper in $whisper; more models: loqa models pull whisper-base"
    rm -rf "$work"
    trap - EXIT
}

#── Python: pip to fetch with, pytest and its like to test with ───────────────────────────────────────────────────────────

# A venv dies with the Python it was made by, as at a system upgrade: the stamp names it.
has_venv() { [[ -x $venv/bin/python && "$(cat "$venv/.made-by" 2>/dev/null)" == "$(readlink -f /usr/bin/python3)" ]]; }

install_venv() {
    local version
    version=$(/usr/bin/python3 -c 'import sys; print(sys.version_info >= (3, 11), sys.version.split()[0])')
    [[ $version == True* ]] || die "Python ${version#* } is too old: 3.11 is needed" "Debian 12 or Ubuntu 24.04 and later have it."
    say "making $venv"
    /usr/bin/python3 -m venv --clear "$venv" || die "python3 -m venv failed" "Is the package python3-venv whole? Its own words are above."
    readlink -f /usr/bin/python3 >"$venv/.made-by"
}

has_test_tools() {
    has_venv && [[ "$(cat "$venv/.tools" 2>/dev/null)" == "$(sha256sum <"$requirements")" ]] && "$venv/bin/python" - <<'END'
import importlib.metadata as metadata, sys
files = (file for distribution in metadata.distributions() for file in distribution.files or ())
sys.exit(any(not file.locate().exists() for file in files if file.suffix != ".pyc"))
END
}

install_test_tools() {
    has_venv || install_venv
    rm -f "$venv/.tools"
    say "$(grep -oE '^[a-z0-9-]+==[0-9.]+' "$requirements" | tr '\n' ' ')"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir --require-hashes \
        --only-binary=:all: --force-reinstall -r "$requirements" ||
        die "pip could not install the packages above" "Check the network and \`$venv/bin/pip config list\`, then run scripts/setup.sh again."
    sha256sum <"$requirements" >"$venv/.tools"
}

#── Home Assistant: a venv of its own, of exactly the packages that are listed ────────────────────────────────────────────

homeassistant_stamp() { { readlink -f /usr/bin/python3 && cat "$homeassistant_requirements"; } | sha256sum; }

has_homeassistant() { [[ -x $homeassistant/bin/hass && "$(cat "$homeassistant/.made-of" 2>/dev/null)" == "$(homeassistant_stamp)" ]]; }

install_homeassistant() {
    local version
    version=$(/usr/bin/python3 -c 'import platform, sys; print("%d.%d" % sys.version_info[:2], platform.machine())')
    [[ $version == "3.11 x86_64" ]] || die "the pinned Home Assistant is for Python 3.11 on x86_64, and this is $version" \
        "The test that wants it is left out."
    say "fetching its packages, about a minute and 700 MB"
    rm -rf "$homeassistant"
    /usr/bin/python3 -m venv "$homeassistant" || die "python3 -m venv failed" "Is the package python3-venv whole? Its own words are above."
    # Four of them are sources without compiled parts, built with the venv's own setuptools.
    timeout 900 "$homeassistant/bin/python" -m pip install --quiet --disable-pip-version-check --no-input --no-cache-dir \
        --require-hashes --no-deps --no-build-isolation -r "$homeassistant_requirements" 2>"$cache/homeassistant.log" || {
        tail -n 5 "$cache/homeassistant.log" >&2
        die "pip could not install Home Assistant" "Its whole output is in $cache/homeassistant.log. Check the network, then run scripts/setup.sh homeassistant again."
    }
    homeassistant_stamp >"$homeassistant/.made-of"
}

#── What is missing, and the steps that mend it ───────────────────────────────────────────────────────────────────────────

check_only=
groups=()
for argument; do
    case $argument in
        --check) check_only=1 ;;
        build | test | skills | lint | whisper | homeassistant | rust) groups+=("$argument") ;;
        all) groups+=(build test lint) ;;
        -h | --help) usage && exit ;;
        *) usage >&2 && exit 2 ;;
    esac
done
((${#groups[@]})) || groups=(build)

wants() { [[ " ${groups[*]} " == *" $1 "* ]]; }

find_missing() { # sets steps and packages
    local wanted=() group
    for group in "${groups[@]}"; do
        local -n of_group=${group}_packages
        wanted+=("${of_group[@]}")
    done
    steps=()
    mapfile -t packages < <(missing_packages "${wanted[@]}")
    ((${#packages[@]} == 0)) || steps+=("Debian packages")
    if wants build; then
        [[ -x /usr/bin/python3 ]] && has_venv || steps+=("pip")
        [[ -x /usr/bin/python3 ]] && "${assets[@]}" missing >/dev/null || steps+=("engines and models")
    fi
    if wants whisper; then
        [[ -x /usr/bin/python3 ]] && has_venv || [[ " ${steps[*]} " == *" pip "* ]] || steps+=("pip")
        has_whisper || steps+=("whisper.cpp")
        [[ -x /usr/bin/python3 ]] && "$root/scripts/models.py" missing whisper-tiny-en >/dev/null || steps+=("Whisper's model")
    fi
    if wants homeassistant; then
        has_homeassistant || steps+=("Home Assistant")
    fi
    if wants test; then
        has_test_tools || steps+=("test tools")
        has_prometheus || steps+=("Prometheus")
    fi
}

command -v dpkg-query >/dev/null || die "this system has no dpkg" \
    "Loqa is built on Debian and Ubuntu. Elsewhere install what docs/dependencies.md lists; scripts/models.py pull fetches the models."

find_missing
if ((${#steps[@]} == 0)); then
    echo "setup: nothing to do (${groups[*]})"
    exit
fi
if [[ $check_only ]]; then
    echo "setup: missing: $(IFS=, && echo "${steps[*]}")${packages:+ (${packages[*]})}"
    exit 1
fi

mkdir -p "$cache" 2>/dev/null && [[ -w $cache ]] || die "cannot write to $cache" "Make it writable, or set LOQA_CACHE_DIR to another folder."
exec 9>"$cache/.setup.lock"
if ! flock -n 9; then
    echo "setup: another one is running; waiting for it"
    flock 9
    find_missing
fi
trap 'exit 130' INT

number=0
for step in "${steps[@]}"; do
    echo "[$((number += 1))/${#steps[@]}] $step"
    case $step in
        "Debian packages") install_packages "${packages[@]}" ;;
        "pip") install_venv ;;
        "engines and models") "${assets[@]}" pull ;;
        "whisper.cpp") install_whisper ;;
        "Whisper's model") "$root/scripts/models.py" pull whisper-tiny-en ;;
        "Home Assistant") install_homeassistant ;;
        "test tools") install_test_tools ;;
        "Prometheus") install_prometheus ;;
    esac
done
echo "setup: done in $SECONDS s (${groups[*]})"
