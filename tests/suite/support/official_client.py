"""The official client's command line, imported once.

    python official_client.py SOCKET

Each connection is one run: it sends a line with an object of `directory`, `environment` and `arguments`, and gets
one with `code` and `output`. A run is a process of its own, forked after the import, which is most of what a run
costs; before it begins it has the directory, the variables and the settings that a new process would have.
"""

import contextlib
import gc
import io
import json
import os
import signal
import socket
import sys
import tempfile

PROGRAM = os.path.join(os.path.dirname(sys.executable), "prefect")


def import_all():
    """What `prefect deploy` imports before it does anything, as the command itself imports most of it late."""
    import anyio._backends._asyncio
    import prefect.cli
    import prefect.cli.deploy._core
    import prefect.deployments.steps
    import prefect.main
    import prefect.telemetry.run_telemetry
    import ruamel.yaml

    sys.argv = [PROGRAM, "deploy", "--help"]
    with contextlib.redirect_stdout(io.StringIO()), contextlib.suppress(SystemExit):
        prefect.cli.app()


def run(request):
    """Ends this process as the command line does: with SystemExit, through all that called."""
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    tempfile.tempdir = None
    sys.argv = [PROGRAM, *request["arguments"]]
    # The directory of the script, as for the program itself.
    sys.path[0] = os.path.dirname(PROGRAM)
    import prefect.context
    from prefect.cli import app

    prefect.context.refresh_global_settings_context()
    sys.exit(app())


def answer(connection):
    request = json.loads(connection.makefile("r").readline())
    with tempfile.TemporaryFile() as output:
        child = os.fork()
        if child == 0:
            connection.close()
            for descriptor in (1, 2):
                os.dup2(output.fileno(), descriptor)
            run(request)
        _, status = os.waitpid(child, 0)
        output.seek(0)
        text = output.read().decode(errors="replace")
    code = os.waitstatus_to_exitcode(status)
    connection.sendall(json.dumps({"code": code, "output": text}).encode())


def main():
    path = sys.argv[1]
    import_all()
    gc.freeze()
    # Nobody waits for the processes that answer.
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(path)
    listener.listen()
    while True:
        connection, _ = listener.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listener.close()
            answer(connection)
            os._exit(0)
        connection.close()


main()
