#!/bin/sh
# Builds flowreg and runs the main job on the embedded default, in a repository made on the spot:
# several flows, a feature branch, a lightweight and an annotated tag.
set -eu
cd "$(dirname "$0")/.."

# FLOWREG names a binary that is built already.
flowreg=${FLOWREG:-}
if [ -z "$flowreg" ]; then
    cargo build --quiet
    flowreg=$PWD/target/debug/flowreg
fi

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# Nothing of this machine's configuration, so that everybody sees the same.
export GIT_CONFIG_GLOBAL=/dev/null GIT_CONFIG_SYSTEM=/dev/null
export GIT_AUTHOR_NAME=Ada GIT_AUTHOR_EMAIL=ada@example.com
export GIT_COMMITTER_NAME=Ada GIT_COMMITTER_EMAIL=ada@example.com
unset BUILD_TAG GIT_BRANCH PREFECT_API_URL PREFECT_PROFILE || true
export PREFECT_HOME="$place/prefect"

say() { printf '\n\033[1m# %s\033[0m\n' "$1"; }
# Shows a command as it would be typed, and runs it; some are expected to fail.
run() {
    printf '\033[2m$ %s\033[0m\n' "$*"
    "$@" || printf '(exit %s)\n' "$?"
}
flowreg() { "$flowreg" "$@"; }

say 'A repository with three flows, and its remote'
cd "$place"
git init --quiet --bare -b main flows.git
git init --quiet -b main work
cd work
git remote add origin "$place/flows.git"
mkdir flows
cat > flows/etl.py <<'EOF'
from datetime import date
from typing import Literal, Optional

from prefect import flow


@flow(name="nightly-sync", description="Copies what changed since yesterday.")
def nightly_sync(source: str, days: int = 1, mode: Literal["full", "delta"] = "delta"):
    ...


@flow
async def backfill(since: date, until: Optional[date] = None):
    """Loads a range of days again.

    Args:
        since: the first day
        until: the last day, today if it is not given
    """
EOF
cat > flows/report.py <<'EOF'
import prefect


@prefect.flow(log_prints=True)
def weekly_report(recipients: list[str], dry_run: bool = False):
    """Sends the numbers of the week."""
EOF
git add -A
git commit --quiet -m 'Add the flows'
git tag v1.0.0
git push --quiet origin main v1.0.0
run flowreg flows

say 'Mainline: the tag on main is what production runs'
run flowreg reference --explain
run flowreg register

say 'Once more: nothing changed, nothing is written'
run flowreg register

say 'A feature branch, registered at its HEAD beside production'
git switch --quiet -c feature/parquet
sed -i.bak 's/dry_run: bool = False/dry_run: bool = False, top: int = 10/' flows/report.py
rm flows/report.py.bak
git commit --quiet -am 'Report the top ten'
git push --quiet origin feature/parquet
run flowreg register

say 'The next release, as a CI tagging job sees it: an annotated tag in BUILD_TAG'
git switch --quiet main
git merge --quiet --ff-only feature/parquet
git tag -a v1.1.0 -m 'Release 1.1.0'
git push --quiet origin main v1.1.0
printf '\033[2m$ %s\033[0m\n' 'export BUILD_TAG=v1.1.0'
export BUILD_TAG=v1.1.0
run flowreg plan
run flowreg register

say 'What is registered now'
run flowreg list

say 'What to type next'
cat <<EOF
In your own repository (put target/debug on your PATH, or \`cargo install --path .\`):

    flowreg flows                      which flows are there, at which reference
    flowreg plan                       what register would do
    flowreg register                   do it, in the embedded registry
    export PREFECT_API_URL=http://127.0.0.1:4200/api
    flowreg register                   do it on a Prefect server
EOF
