"""Starts a real Prefect server with a new database, and talks to it.

Used by the benches that measure against a server. Nothing is measured here.
"""

import contextlib
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import measure

# The most that a server gives at once.
PAGE = 200


def prefect_directory():
    """The directory with the `prefect` to measure against."""
    directory = Path(os.environ.get("FLOWREG_TEST_PREFECT", measure.ROOT / "target/prefect-3.8.8/bin"))
    if not (directory / "prefect").exists():
        raise SystemExit(f"no Prefect in {directory}: run scripts/test.sh once, or set FLOWREG_TEST_PREFECT")
    return directory


class Api:
    def __init__(self, url):
        self.url = url

    def call(self, method, path, body=None):
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def create_pool(self, name):
        """A process work pool, as `prefect work-pool create` makes it."""
        workers = self.call("GET", "/collections/views/aggregate-worker-metadata")
        template = workers["prefect"]["process"]["default_base_job_configuration"]
        self.call("POST", "/work_pools/", {"name": name, "type": "process", "base_job_template": template})

    def pages(self, path, filter):
        """All that the server holds of one kind."""
        items = []
        while True:
            page = self.call("POST", path, {**filter, "limit": PAGE, "offset": len(items)})
            items += page
            if len(page) < PAGE:
                return items

    def deployments(self, filter):
        """Deployments by entrypoint and name."""
        held = self.pages("/deployments/filter", filter)
        return {f"{deployment['entrypoint']} {deployment['name']}": deployment for deployment in held}


@contextlib.contextmanager
def started(directory, prefect, environment):
    """A Prefect server with a new database on a free port, stopped at the end."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **environment,
        "PREFECT_HOME": str(directory / "prefect"),
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "PREFECT_SERVER_UI_ENABLED": "false",
        "PREFECT_SERVER_LOGGING_LEVEL": "WARNING",
        "DO_NOT_TRACK": "1",
    }
    log_path = directory / "server.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(
            [prefect / "prefect", "server", "start", "--host", "127.0.0.1", "--port", str(port)],
            env=environment, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True,
        )
    api = Api(f"http://127.0.0.1:{port}/api")
    try:
        deadline = time.monotonic() + 180
        while not healthy(api):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit(f"the Prefect server did not start:\n{log_path.read_text()[-2000:]}")
            time.sleep(0.3)
        yield api
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def healthy(api):
    try:
        return api.call("GET", "/health") is True
    except (OSError, urllib.error.URLError):
        return False
