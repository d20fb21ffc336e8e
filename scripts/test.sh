#!/bin/sh
# Runs tests; installs what they need, once, into target/: real Prefects and hook managers.
#
#   scripts/test.sh             all tests
#   scripts/test.sh ladder      those with `ladder` in their names; installs only what these need
#   scripts/test.sh ARGUMENTS   arguments of `cargo test`
#
# PYTHON names another interpreter than python3; it has to be 3.10 to 3.13.
# FLOWREG_TEST_PREFECT, FLOWREG_TEST_PREFECT2 and FLOWREG_TEST_PREFECT1 name the bin directories of
# Prefects that are installed already.
#
# Prefect 1 runs on Python 3.7 to 3.10 only. Where there is none (PYTHON1 names one), the tests that
# need it are skipped, and the output says which; with PREFECT1=required that is an error.
set -eu

# Prefect's own pins are loose. With newer ones the server of Prefect 3 does not start, or starts and
# never schedules anything; runs of Prefect 2 fail; Prefect 1 can't serialize a flow. PyYAML 6.0.4 lets
# another mapping win where two that `<<` merges have the same key.
prefect=3.8.8
packages="prefect==$prefect fastapi==0.139.2 sqlalchemy==2.0.58 pyyaml==6.0.3"
prefect2=2.20.25
packages2="prefect==$prefect2 anyio==4.9.0"
prefect1=1.4.1
packages1="prefect[git]==$prefect1 marshmallow<4 pendulum<3"

root=$(cd "$(dirname "$0")/.." && pwd)
cd "$root"

fail() {
    echo "scripts/test.sh: $1" >&2
    exit 1
}

find_python() {
    for candidate in ${PYTHON:-python3 python3.12 python3.11 python3.13 python3.10}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 13))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    fail "no Python 3.10 to 3.13 found; install python3.11 or set PYTHON"
}

find_python1() {
    for candidate in ${PYTHON1:-python3.10 python3.9 python3.8 \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.10.*/bin/python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.9.*/bin/python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 7) <= sys.version_info[:2] <= (3, 10))' \
            2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
}

# install VERSION PACKAGES PYTHON
install() {
    venv=target/prefect-$1
    # Written last: an installation that was interrupted is made again.
    if [ "$(cat "$venv/complete" 2>/dev/null)" = "$2" ]; then
        return
    fi
    "$3" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$3 has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv"
    echo "installing Prefect $1 into $venv" >&2
    mkdir -p target
    rm -rf "$venv"
    "$3" -m venv "$venv"
    # shellcheck disable=SC2086 # a list of packages
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $2
    # Prefect 1 has only the command, of the others it makes a directory in the home.
    "$venv/bin/prefect" --version >/dev/null 2>&1 || "$venv/bin/prefect" version >/dev/null
    printf '%s\n' "$2" >"$venv/complete"
}

# The hook managers that live together with our hooks.
install_hook_managers() {
    venv=target/hook-managers
    tools="pre-commit==4.7.0 prek==0.5.11 lefthook==2.2.2"
    if [ "$(cat "$venv/complete" 2>/dev/null)" = "$tools" ]; then
        return
    fi
    echo "installing $tools and husky into $venv" >&2
    rm -rf "$venv"
    "$(find_python)" -m venv "$venv"
    # shellcheck disable=SC2086 # a list of packages
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $tools
    mkdir "$venv/husky"
    if command -v npm >/dev/null; then
        npm install --prefix "$venv/husky" --no-audit --no-fund --silent husky@9.1.7
    else
        echo "scripts/test.sh: npm is not installed: husky will not be tested" >&2
    fi
    printf '%s\n' "$tools" >"$venv/complete"
}

for tool in git cargo; do
    command -v "$tool" >/dev/null || fail "$tool is not installed"
done

# list_tests ARGUMENTS: the tests that match, one a line: `module::name: test`. Builds them first.
list_tests() {
    for argument in "$@"; do
        # What follows `--` goes to the test binaries already.
        if [ "$argument" = -- ]; then
            cargo test --workspace "$@" --list --format terse
            return
        fi
    done
    cargo test --workspace "$@" -- --list --format terse
}

# needs MODULES: the second and further words of their lines in needs.txt.
needs() {
    while read -r module what; do
        for one in $1; do
            if [ "$one" = "$module" ]; then echo "$what"; fi
        done
    done <tests/suite/needs.txt
}

if [ $# -eq 0 ]; then
    needed="prefect3 prefect2 prefect1 hook-managers"
else
    tests=$(list_tests "$@")
    # A crate may have a module of the same name: then more is installed than is needed.
    needed=$(needs "$(echo "$tests" | sed -n 's/^\([a-z0-9_]*\)::.*: test$/\1/p' | sort -u)")
fi

is_needed() {
    case " $(echo $needed) " in
    *" $1 "*) return 0 ;;
    esac
    return 1
}

if is_needed prefect3 && [ -z "${FLOWREG_TEST_PREFECT:-}" ]; then
    python=$(find_python)
    install "$prefect" "$packages" "$python"
fi
if is_needed prefect2 && [ -z "${FLOWREG_TEST_PREFECT2:-}" ]; then
    python=$(find_python)
    install "$prefect2" "$packages2" "$python"
fi
if is_needed prefect1 && [ -z "${FLOWREG_TEST_PREFECT1:-}" ]; then
    python1=$(find_python1)
    if [ -n "$python1" ]; then
        install "$prefect1" "$packages1" "$python1"
    elif [ "${PREFECT1:-}" = required ]; then
        fail "no Python 3.7 to 3.10 found for Prefect 1; set PYTHON1"
    else
        echo "no Python 3.7 to 3.10 found: tests that need Prefect 1 are skipped" >&2
        export FLOWREG_TEST_PREFECT1=none
    fi
fi
if is_needed hook-managers; then
    install_hook_managers
fi
exec cargo test --workspace "$@"
