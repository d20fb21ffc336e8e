"""Makes the repository that `manifest.py` registers: flows, and a `prefect.yaml` that declares them.

Two deployments of each flow: one that runs by schedule in three of four cases, one for people.
The same bytes every time but for the names of the flows. Nothing is measured here.
"""

import random
import subprocess

from python_source import NOUNS, STANDARD_LIBRARIES, SourceWriter, join

POOL = "bench"
TAG = "v1.0.0"
FLOWS_PER_FILE = 2
ZONES = ("UTC", "Europe/Vienna", "America/New_York", "Asia/Tokyo")


def make_repository(home, prefix, deployments, environment):
    """A clone with its own bare remote, both at the tag; `prefix` keeps the names of its flows apart."""
    remote, repository = home / "flows.git", home / "flows"
    repository.mkdir(parents=True)
    writer = SourceWriter(random.Random(1000))
    entrypoints = []
    for number in range(-(-deployments // 2 // FLOWS_PER_FILE)):
        header = writer.header(
            ["from prefect import flow, task", "from typing import Literal, Optional"], STANDARD_LIBRARIES
        )
        blocks = [header, writer.task(), writer.function()]
        path = f"teams/{NOUNS[number % len(NOUNS)]}/flows/job_{number:03}.py"
        for letter in "abcd"[:FLOWS_PER_FILE]:
            function, lines = flow(writer, f"{number:03}{letter}", prefix)
            blocks.append(lines)
            entrypoints.append(f"{path}:{function}")
        (repository / path).parent.mkdir(parents=True, exist_ok=True)
        (repository / path).write_text(join(blocks))
    (repository / "prefect.yaml").write_text(prefect_yaml(writer, remote, entrypoints, deployments))

    def git(*command):
        subprocess.run(["git", *command], cwd=repository, env=environment, check=True)

    git("init", "--quiet", "--bare", str(remote))
    git("init", "--quiet", "--initial-branch=main")
    git("add", ".")
    git("commit", "--quiet", "--message", "Start")
    git("tag", "--annotate", "--message", TAG, TAG)
    git("remote", "add", "origin", f"file://{remote}")
    git("push", "--quiet", "--set-upstream", "origin", "main", TAG)
    return repository


def flow(writer, unique, prefix):
    """A flow whose parameters the deployments know."""
    function = f"{writer.verb_name()}_{unique}"
    lines = [
        f'@flow(name="{prefix}-{function.replace("_", "-")}", retries={writer.below(4)})',
        f"def {function}(",
        '    region: Literal["eu", "us", "asia"] = "eu",',
        f"    days: int = {1 + writer.below(30)},",
        "    tables: Optional[list[str]] = None,",
        "    dry_run: bool = False,",
        ") -> None:",
        f'    """{writer.sentence()}',
        "",
        "    Args:",
        f"        region: {writer.sentence()}",
        f"        days: {writer.sentence()}",
        '    """',
    ]
    return function, lines + writer.body(5 + writer.below(20), "    ", ["region", "tables"])


def prefect_yaml(writer, remote, entrypoints, deployments):
    lines = f"""\
name: bench
prefect-version: 3.8.8

definitions:
  tags: &tags [bench, "{{{{ $TIER }}}}"]
  zone: &zone Europe/Vienna
  pools:
    small: &small
      name: {POOL}
      job_variables: &variables
        env: {{LOG_LEVEL: INFO, TZ: UTC}}
        stream_output: true
    large: &large
      name: {POOL}
      job_variables:
        <<: *variables
        env: {{LOG_LEVEL: DEBUG, WORKERS: "8"}}
        working_dir: /srv/large

pull:
- prefect.deployments.steps.git_clone:
    id: clone
    repository: file://{remote}
    branch: {TAG}
- prefect.deployments.steps.set_working_directory:
    directory: "{{{{ clone.directory }}}}"

deployments:
""".splitlines()
    for number in range(deployments):
        entrypoint = entrypoints[number // 2]
        lines += scheduled(writer, entrypoint) if number % 2 == 0 else by_hand(writer, entrypoint)
    return "\n".join(lines) + "\n"


def scheduled(writer, entrypoint):
    lines = [
        "- name: scheduled",
        f"  entrypoint: {entrypoint}",
        f"  version: {TAG}",
        "  tags: *tags",
        f"  description: {writer.sentence()}",
        "  parameters:",
        f'    region: {writer.pick(("eu", "us", "asia"))}',
        f"    days: {1 + writer.below(90)}",
        f"    tables: [{writer.name()}, {writer.name()}]",
        f"  work_pool: *{writer.pick(('small', 'small', 'large'))}",
    ]
    if writer.chance(0.3):
        lines += ["  concurrency_limit:", f"    limit: {1 + writer.below(4)}", "    collision_strategy: ENQUEUE"]
    which = writer.below(8)
    if which < 4:
        hour = f"{writer.below(60)} {writer.below(24)} * * {writer.pick(('*', '*', '1', '1-5'))}"
        zone = writer.pick(("*zone", *ZONES))
        lines += ["  schedules:", f"  - cron: {hour}", f"    timezone: {zone}", "    slug: daily"]
        if which == 3:
            lines += ["  - rrule: FREQ=MONTHLY;BYMONTHDAY=1", "    slug: monthly", "    active: false"]
    elif which < 6:
        anchor = f"2026-01-0{1 + writer.below(9)}T0{writer.below(10)}:00:00Z"
        lines += ["  schedules:", f"  - interval: {3600 * (6 + writer.below(40))}", f'    anchor_date: "{anchor}"',
                  "    slug: every", "    parameters: {dry_run: false}"]
    return lines


def by_hand(writer, entrypoint):
    lines = ["- name: by-hand", f"  entrypoint: {entrypoint}", f"  version: {TAG}", "  work_pool: *small"]
    if writer.chance(0.5):
        lines += [f"  tags: [bench, {writer.noun()}]"]
    if writer.chance(0.5):
        lines += ["  parameters: {dry_run: true}"]
    if writer.chance(0.2):
        lines += ["  enforce_parameter_schema: false"]
    if writer.chance(0.2):
        lines += ["  pull:", "  - prefect.deployments.steps.git_clone:",
                  "      repository: https://git.example.com/data/shared.git", "      branch: stable"]
    return lines
