"""What the real Prefect would register for the calls that deploy flows in each file of a directory.

    python deploy_calls.py DIRECTORY ANSWERS

Every file is run as a program, with DIRECTORY as its working directory, in a process of its own that
is forked after Prefect was imported. No server is asked: pools are all there and take images, and
what a deployment would be registered as is written down in place of being sent.
ANSWERS gets one line per file: {"file", "error", "deployments": [...]}.
"""

import json
import os
import runpy
import sys
import uuid
from contextlib import redirect_stdout
from pathlib import Path
from types import SimpleNamespace

sys.dont_write_bytecode = True


def interval_of(schedule):
    interval = getattr(schedule, "interval", None)
    return None if interval is None else interval.total_seconds()


def scheduled(one):
    schedule = one.schedule.model_dump(mode="json")
    if "interval" in schedule:
        schedule["interval"] = interval_of(one.schedule)
        schedule["anchor_date"] = one.schedule.anchor_date.isoformat()
    return {
        "schedule": schedule,
        "active": one.active,
        "parameters": one.parameters,
        "slug": one.slug,
    }


def registered(deployment, pool, image):
    pool = pool or deployment.work_pool_name
    if deployment.work_queue_name and not pool:
        raise ValueError("A work queue can only be provided when registering with a work pool.")
    if deployment.job_variables and not pool:
        raise ValueError("Job variables can only be provided when registering with a work pool.")
    variables = dict(deployment.job_variables)
    if image:
        variables["image"] = image
    fields = {
        "tags",
        "parameters",
        "description",
        "paused",
        "enforce_parameter_schema",
        "concurrency_limit",
        "concurrency_options",
        "work_queue_name",
    }
    answer = deployment.model_dump(mode="json", include=fields)
    answer["flow"] = deployment.flow_name
    answer["name"] = deployment.name
    answer["entrypoint"] = None if deployment.storage else deployment.entrypoint
    answer["work_pool_name"] = pool
    answer["job_variables"] = variables
    answer["schedules"] = [scheduled(one) for one in deployment.schedules or []]
    answer["version"] = deployment.version
    return answer


def patch(found):
    import prefect.client.orchestration
    import prefect.deployments.runner as runner
    from prefect.runner import Runner

    pool = SimpleNamespace(
        base_job_template={"variables": {"properties": {"image": {"type": "string"}}}},
        type="docker",
        is_managed_pool=False,
        is_push_pool=False,
    )

    class Client:
        def __init__(self, is_sync):
            self.is_sync = is_sync

        def answer(self, value):
            async def later():
                return value

            return value if self.is_sync else later()

        def read_work_pool(self, *_, **__):
            return self.answer(pool)

        def read_workers_for_work_pool(self, *_, **__):
            return self.answer([])

        def __enter__(self):
            return self

        def __exit__(self, *_):
            return None

        async def __aenter__(self):
            return self

        async def __aexit__(self, *_):
            return None

    def get_client(*_, sync_client=False, **__):
        return Client(sync_client)

    prefect.client.orchestration.get_client = get_client
    runner.get_client = get_client

    def apply(self, schedules=None, work_pool_name=None, image=None, version_info=None):
        found.append(registered(self, work_pool_name, image))
        return uuid.uuid4()

    async def aapply(self, schedules=None, work_pool_name=None, image=None, version_info=None):
        return apply(self, schedules, work_pool_name, image, version_info)

    runner.RunnerDeployment.apply = apply
    runner.RunnerDeployment.aapply = aapply

    def add_deployment(self, deployment):
        return apply(deployment)

    async def aadd_deployment(self, deployment):
        return apply(deployment)

    async def start(self, *_, **__):
        return None

    Runner.add_deployment = add_deployment
    Runner.aadd_deployment = aadd_deployment
    Runner.start = start


def run(path, directory):
    found = []
    patch(found)
    sys.path.insert(0, str((directory / path).parent))
    sys.argv = [str(path)]
    answer = {"file": str(path), "error": None, "deployments": found}
    try:
        with redirect_stdout(sys.stderr):
            runpy.run_path(str(path), run_name="__main__")
    except BaseException as error:
        answer["error"] = f"{type(error).__name__}: {error}"
    return answer


def main():
    import prefect.deployments.runner
    import prefect.runner  # noqa: F401

    directory, answers = Path(sys.argv[1]).resolve(), sys.argv[2]
    answers = os.open(answers, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.chdir(directory)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    os.dup2(2, 1)
    for path in sorted(directory.rglob("*.py")):
        path = path.relative_to(directory)
        child = os.fork()
        if child == 0:
            try:
                answer = run(path, directory)
                os.write(answers, (json.dumps(answer, default=str) + "\n").encode())
            finally:
                os._exit(0)
        os.waitpid(child, 0)


main()
