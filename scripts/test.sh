#!/bin/sh
# Runs all tests; installs the real Prefect that some of them need, once, into target/.
#
#   scripts/test.sh [arguments of `cargo test`]
#
# PYTHON names another interpreter than python3; it has to be 3.10 to 3.13.
# FLOWREG_TEST_PREFECT names the bin directory of a Prefect that is installed already.
set -eu

prefect=3.8.8
# Prefect's own pins are loose: with newer ones its server does not start, or starts and never
# schedules anything.
packages="prefect==$prefect fastapi==0.139.2 sqlalchemy==2.0.58"

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

install_prefect() {
    venv=target/prefect-$prefect
    # Written last: an installation that was interrupted is made again.
    if [ "$(cat "$venv/complete" 2>/dev/null)" = "$packages" ]; then
        return
    fi
    python=$(find_python)
    "$python" -c 'import ensurepip, venv' 2>/dev/null ||
        fail "$python has no ensurepip; on Debian and Ubuntu: apt-get install python3-venv"
    echo "installing Prefect $prefect into $venv" >&2
    mkdir -p target
    rm -rf "$venv"
    "$python" -m venv "$venv"
    # shellcheck disable=SC2086 # a list of packages
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check $packages
    "$venv/bin/prefect" --version >/dev/null
    printf '%s\n' "$packages" >"$venv/complete"
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
if [ -z "${FLOWREG_TEST_PREFECT:-}" ]; then
    install_prefect
fi
install_hook_managers
exec cargo test "$@"
