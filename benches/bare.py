"""The least that a client of a Prefect server can do: one connection, one request after the other.

It knows beforehand how many pages there are and what the bodies of its requests are, and reads no
answer that it does not need. Nothing is measured here.
"""

import http.client
import http.server
import json
import subprocess
import threading
import time
import uuid
from urllib.parse import urlsplit

from declared import POOL
from server import PAGE

# As flowreg waits before it repeats a request.
FIRST_PAUSE, LONGEST_PAUSE = 0.025, 2.0


class Bare:
    def __init__(self, url):
        self.address = urlsplit(url)
        self.connection = None
        self.repeated = 0

    def connect(self):
        """The server closes a connection that is idle, and after a 5xx."""
        if self.connection:
            self.connection.close()
        self.connection = http.client.HTTPConnection(self.address.netloc, timeout=120)
        self.connection.connect()

    def post(self, path, body):
        """Sends a body until the server has time for it; the answer as it comes."""
        if not self.connection:
            self.connect()
        pause = FIRST_PAUSE
        while True:
            headers = {"Content-Type": "application/json"}
            self.connection.request("POST", self.address.path + path, body, headers)
            answer = self.connection.getresponse()
            content = answer.read()
            if answer.status < 300:
                return content
            if answer.status != 503:
                raise SystemExit(f"{path}: {answer.status} {content[:500].decode(errors='replace')}")
            self.repeated += 1
            time.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE)
            self.connect()


def read_pages(bare, flow_pages, deployment_pages):
    """All flows and deployments of a server that holds no others; nobody looks at them."""
    for path, count in (("/flows/filter", flow_pages), ("/deployments/filter", deployment_pages)):
        for page in range(count):
            bare.post(path, json.dumps({"limit": PAGE, "offset": page * PAGE}).encode())


def replay(bare, requests):
    """Sends what was recorded; ids of flows are those that this server gives."""
    ids = {}
    for path, body, id in requests:
        if path == "/flows/":
            ids[id] = json.loads(bare.post(path, body))["id"].encode()
        else:
            bare.post(path, body.replace(id, ids[id]))


class Recorder(http.server.BaseHTTPRequestHandler):
    """An empty server that has one work pool."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.reply("3.8.8")

    def do_POST(self):
        path = self.path.removeprefix("/api")
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if path == "/work_pools/filter":
            self.reply([{"id": str(uuid.uuid4()), "name": POOL, "type": "process", "is_paused": False}])
        elif path.endswith("/filter"):
            self.reply([])
        else:
            made = str(uuid.uuid4())
            concerned = made if path == "/flows/" else json.loads(body)["flow_id"]
            self.server.requests.append((path, body, concerned.encode()))
            self.reply({"id": made})

    def reply(self, value):
        body = json.dumps(value).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def record(flowreg, repository, environment):
    """What flowreg writes to an empty server when it writes one after the other.

    The server that it talks to here only answers and writes down: that the bodies are those of a
    registration is seen on the real one, which must hold the same after both.
    """
    recorder = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Recorder)
    recorder.requests = []
    threading.Thread(target=recorder.serve_forever, daemon=True).start()
    try:
        url = f"http://127.0.0.1:{recorder.server_port}/api"
        command = [flowreg, "register", "--jobs", "1"]
        environment = {**environment, "PREFECT_API_URL": url}
        done = subprocess.run(command, cwd=repository, env=environment, capture_output=True, text=True)
        if done.returncode != 0:
            raise SystemExit(f"flowreg register: {done.returncode}\n{done.stderr}{done.stdout[-3000:]}")
    finally:
        recorder.shutdown()
    return recorder.requests
