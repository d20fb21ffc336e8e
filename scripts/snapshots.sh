#!/bin/sh
# Takes what flowreg prints today over into the snapshots of tests/suite/output*.rs. Read the diff
# of these files before you commit it.
#
#   scripts/snapshots.sh [NAME]     only tests with NAME in their names; default: output
#
# Snapshots that stand in the source can only be changed by `cargo insta`, which is installed from
# PyPI into target/ unless it is there already (`cargo install --locked cargo-insta`).
set -eu
cd "$(dirname "$0")/.."

version=1.49.0
if ! command -v cargo-insta >/dev/null; then
    venv=target/cargo-insta
    if [ "$(cat "$venv/complete" 2>/dev/null)" != "$version" ]; then
        rm -rf "$venv"
        "${PYTHON:-python3}" -m venv "$venv"
        "$venv/bin/pip" install --quiet --disable-pip-version-check \
            "astral-dev-toolchain-cargo-insta==$version"
        # Written last: an installation that was interrupted is made again.
        echo "$version" >"$venv/complete"
    fi
    PATH=$PWD/$venv/bin:$PATH
fi
cargo insta test --accept --test-runner cargo-test --test suite -- "${1:-output}"
git diff --stat -- tests/suite
