"""A GraphQL backend of Prefect 1 as far as its client and flowreg need one: it accepts and refuses
what the real one does, keeps flows as it does, and records every request.

    prefect1_server.py PORT_FILE [--projects A,B] [--key KEY] [--delay SECONDS] [--limit BYTES]

`GET /requests` answers with what was sent, `GET /flows` with what is held.

Stated of the real backend: versions and archiving of a version group, the last idempotency key of
a flow group, refusals with HTTP 200, 400 and 413, and that two registrations of one new flow at
the same time both become first versions.
"""

import argparse
import base64
import gzip
import json
import re
import threading
import time
import uuid
from datetime import datetime, timezone
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

TOKEN = re.compile(r'\s*(?:([_A-Za-z][_A-Za-z0-9]*)|("(?:[^"\\]|\\.)*")|(-?\d+)|([$!:{}()\[\],])|(#.*))')
FLOW_FIELDS = {
    "id", "name", "version", "archived", "created", "is_schedule_active", "schedule", "storage",
    "serialized_flow", "run_config", "parameters", "core_version", "version_group_id",
    "flow_group_id", "project_id", "description",
}
FLOW_INPUT = {
    "project_id", "serialized_flow", "set_schedule_active", "version_group_id", "idempotency_key",
    "description",
}


class GraphQlError(Exception):
    def __init__(self, message, code="INTERNAL_SERVER_ERROR", status=200, path=None):
        Exception.__init__(self, message)
        self.status, self.code, self.path = status, code, path


def parse_error(message):
    return GraphQlError("Syntax Error: " + message, "GRAPHQL_PARSE_FAILED", 400)


def invalid(message):
    return GraphQlError(message, "GRAPHQL_VALIDATION_FAILED", 400)


class Document:
    """The part of the language that clients of Prefect 1 write."""

    def __init__(self, text):
        self.tokens, at = [], 0
        text = text.strip()
        while at < len(text):
            match = TOKEN.match(text, at)
            if not match:
                raise parse_error("unexpected character %r" % text[at : at + 5])
            at = match.end()
            if not match.group(5):
                self.tokens.append(match.group(0).strip())
        self.tokens.append("")

    def take(self, expected=None):
        token = self.tokens.pop(0)
        if expected is not None and token != expected:
            raise parse_error("expected %r, found %r" % (expected, token))
        return token

    def operation(self):
        kind = "query"
        if self.tokens[0] in ("query", "mutation"):
            kind = self.take()
        if self.tokens[0] == "(":
            while self.take() != ")":
                pass
        selection = self.selection()
        self.take("")
        return kind, selection

    def selection(self):
        self.take("{")
        fields = []
        while self.tokens[0] != "}":
            if self.tokens[0] == ",":
                self.take()
                continue
            name, arguments, below = self.take(), {}, None
            if self.tokens[0] == "(":
                self.take()
                arguments = self.pairs(")")
            if self.tokens[0] == "{":
                below = self.selection()
            fields.append((name, arguments, below))
        self.take("}")
        return fields

    def pairs(self, end):
        pairs = {}
        while self.tokens[0] != end:
            if self.tokens[0] == ",":
                self.take()
                continue
            name = self.take()
            self.take(":")
            pairs[name] = self.value()
        self.take(end)
        return pairs

    def value(self):
        token = self.take()
        if token == "{":
            return self.pairs("}")
        if token == "[":
            items = []
            while self.tokens[0] != "]":
                if self.tokens[0] == ",":
                    self.take()
                else:
                    items.append(self.value())
            self.take()
            return items
        if token == "$":
            return ("$", self.take())
        if token in ("true", "false", "null"):
            return json.loads(token)
        return json.loads(token) if token[:1] in '"-0123456789' else token


class Backend:
    def __init__(self, options):
        self.options = options
        self.lock = threading.Lock()
        self.requests = []
        self.tenant = str(uuid.uuid4())
        self.projects = {name: str(uuid.uuid4()) for name in options.projects.split(",") if name}
        self.flows, self.groups = [], {}

    def run(self, body, headers):
        try:
            request = json.loads(body)
            query, variables = request["query"], request.get("variables")
        except (ValueError, KeyError, TypeError):
            raise GraphQlError("POST body missing. Did you forget use body-parser middleware?", status=400)
        if isinstance(variables, str):
            variables = json.loads(variables)
        with self.lock:
            self.requests.append({"query": query, "variables": variables, "headers": headers})
            recorded = self.requests[-1]
        if self.options.key and headers.get("authorization") != "Bearer " + self.options.key:
            raise GraphQlError("AuthenticationError: Forbidden", "UNAUTHENTICATED")
        if isinstance(variables, dict) and "serialized_flow" in variables.get("input", {}):
            with self.lock:
                recorded["serialized"] = decompressed(variables["input"])
        kind, selection = Document(query).operation()
        data = {}
        for name, arguments, below in selection:
            arguments = {key: self.filled(value, variables or {}) for key, value in arguments.items()}
            resolver = getattr(self, "%s_%s" % (kind, name), None)
            if resolver is None:
                raise invalid('Cannot query field "%s" on type "%s".' % (name, kind.title()))
            try:
                data[name] = resolver(arguments, below)
            except GraphQlError as error:
                error.path = error.path or [name]
                raise
        return data

    def filled(self, value, variables):
        return variables.get(value[1]) if isinstance(value, tuple) else value

    # Queries

    def query_project(self, arguments, below):
        rows = [{"id": key, "name": name} for name, key in self.projects.items()]
        return [select(row, below, "project") for row in rows if matches(row, arguments.get("where", {}))]

    def query_tenant(self, arguments, below):
        return [select({"id": self.tenant, "slug": "default", "name": "default"}, below, "tenant")]

    def query_flow_by_pk(self, arguments, below):
        rows = [row for row in self.rows() if row["id"] == arguments["id"]]
        return select(rows[0], below, "flow") if rows else None

    def query_flow(self, arguments, below):
        unknown = set(arguments) - {"where", "order_by", "limit", "offset"}
        if unknown:
            raise invalid('Unknown argument "%s" on field "flow".' % unknown.pop())
        rows = [row for row in self.rows() if matches(row, arguments.get("where", {}))]
        for name, direction in reversed(list((arguments.get("order_by") or {}).items())):
            rows.sort(key=lambda row: row[name], reverse=direction == "desc")
        offset = arguments.get("offset", 0)
        rows = rows[offset : offset + arguments.get("limit", len(rows))]
        return [select(row, below, "flow") for row in rows]

    def rows(self):
        names = {key: name for name, key in self.projects.items()}
        with self.lock:
            for flow in self.flows:
                group = self.groups[flow["version_group_id"]]
                project = {"id": flow["project_id"], "name": names[flow["project_id"]]}
                yield dict(flow, project=project, flow_group={"id": group["id"], "settings": group["settings"]})

    # Mutations

    def mutation_create_flow_from_compressed_string(self, arguments, below):
        given = arguments.get("input")
        unknown = set(given) - FLOW_INPUT
        if unknown:
            raise GraphQlError(
                'Variable "$input" got invalid value; Field "%s" is not defined by type '
                '"create_flow_from_compressed_string_input".' % unknown.pop(),
                status=400,
            )
        try:
            uuid.UUID(given["project_id"])
        except (KeyError, ValueError, TypeError):
            raise GraphQlError(
                "Variable '$input' got invalid value %r at 'input.project_id'; Expected type UUID. "
                "Could not parse UUID: %s" % (given.get("project_id"), given.get("project_id"))
            )
        serialized = decompressed(given)
        if serialized is None:
            raise GraphQlError("Unable to decompress serialized flow")
        if given["project_id"] not in self.projects.values():
            raise GraphQlError("Invalid project.")
        return select({"id": self.create(given, serialized)}, below, "flow")

    def create(self, given, serialized):
        name, project, key = serialized["name"], given["project_id"], given.get("idempotency_key")
        with self.lock:
            same = [f for f in self.flows if f["name"] == name and f["project_id"] == project]
        group = given.get("version_group_id") or (same[-1]["version_group_id"] if same else str(uuid.uuid4()))
        # Between the look-up and the row, as in the real one, somebody else may come.
        time.sleep(0.02)
        with self.lock:
            held = self.groups.setdefault(group, {"id": str(uuid.uuid4()), "settings": {}})
            live = [f for f in self.flows if f["version_group_id"] == group and not f["archived"]]
            if key and held["settings"].get("idempotency_key") == key and live:
                return live[-1]["id"]
            held["settings"] = dict(held["settings"], idempotency_key=key)
            for flow in live:
                flow["archived"] = True
            versions = [f["version"] for f in self.flows if f["version_group_id"] == group]
            schedule = serialized.get("schedule")
            required = any(parameter.get("required") for parameter in serialized.get("parameters") or [])
            self.flows.append(
                {
                    "id": str(uuid.uuid4()),
                    "name": name,
                    "project_id": project,
                    "version": max(versions, default=0) + 1,
                    "version_group_id": group,
                    "flow_group_id": held["id"],
                    "archived": False,
                    "created": datetime.now(timezone.utc).isoformat(),
                    "schedule": schedule,
                    "is_schedule_active": bool(
                        schedule and given.get("set_schedule_active", True) and not required
                    ),
                    "storage": serialized.get("storage"),
                    "run_config": serialized.get("run_config"),
                    "parameters": serialized.get("parameters"),
                    "core_version": serialized.get("__version__"),
                    "description": None,
                    "serialized_flow": serialized,
                }
            )
            return self.flows[-1]["id"]

    def mutation_register_tasks(self, arguments, below):
        return select({"success": True}, below, "payload")

    mutation_register_edges = mutation_register_tasks

    def mutation_set_schedule_active(self, arguments, below):
        with self.lock:
            for flow in self.flows:
                if flow["id"] == arguments["input"]["flow_id"]:
                    flow["is_schedule_active"] = bool(flow["schedule"])
        return select({"success": True}, below, "payload")

    def mutation_set_schedule_inactive(self, arguments, below):
        with self.lock:
            for flow in self.flows:
                if flow["id"] == arguments["input"]["flow_id"]:
                    flow["is_schedule_active"] = False
        return select({"success": True}, below, "payload")

    def mutation_delete_flow(self, arguments, below):
        with self.lock:
            self.flows = [f for f in self.flows if f["id"] != arguments["input"]["flow_id"]]
        return select({"success": True}, below, "payload")

    def mutation_create_project(self, arguments, below):
        key = self.projects.setdefault(arguments["input"]["name"], str(uuid.uuid4()))
        return select({"id": key}, below, "payload")


def decompressed(given):
    try:
        return json.loads(gzip.decompress(base64.b64decode(given["serialized_flow"])))
    except (OSError, ValueError, EOFError):
        return None


def select(row, below, kind):
    if below is None:
        raise invalid('Field of type "%s" must have a selection of subfields.' % kind)
    result = {}
    for name, _, deeper in below:
        if name not in row or (kind == "flow" and "name" in row and name not in FLOW_FIELDS | {"project", "flow_group"}):
            raise invalid('Cannot query field "%s" on type "%s".' % (name, kind))
        result[name] = row[name] if deeper is None else select(row[name], deeper, name)
    return result


def matches(row, where):
    for name, condition in where.items():
        if name == "_and":
            conditions = condition if isinstance(condition, list) else [condition]
            if not all(matches(row, one) for one in conditions):
                return False
        elif name not in row:
            raise invalid('Field "%s" is not defined by type "bool_exp".' % name)
        elif isinstance(row[name], dict):
            if not matches(row[name], condition):
                return False
        else:
            for operator, value in condition.items():
                if operator not in ("_eq", "_in"):
                    raise invalid('Field "%s" is not defined by type "comparison_exp".' % operator)
                if not (row[name] == value if operator == "_eq" else row[name] in value):
                    return False
    return True


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_GET(self):
        backend = self.server.backend
        answer = {"/requests": lambda: backend.requests, "/flows": lambda: list(backend.rows())}
        self.reply(200, json.dumps(answer[self.path]()))

    def do_POST(self):
        length = int(self.headers.get("content-length") or 0)
        body = self.rfile.read(length)
        backend = self.server.backend
        if backend.options.delay:
            time.sleep(backend.options.delay)
        if length > backend.options.limit:
            page = "<!DOCTYPE html><html><body><pre>PayloadTooLargeError: request entity too large</pre></body></html>"
            return self.reply(413, page, "text/html; charset=utf-8")
        headers = {name.lower(): value for name, value in self.headers.items()}
        try:
            answer, status = {"data": backend.run(body, headers)}, 200
        except GraphQlError as error:
            shown = {"message": str(error), "locations": [{"line": 1, "column": 1}], "path": error.path}
            shown["extensions"] = {"code": error.code, "exception": {"message": str(error)}}
            answer, status = {"errors": [shown]}, error.status
            if status == 200:
                answer["data"] = {error.path[0]: None} if error.path else None
        self.reply(status, json.dumps(answer))

    def reply(self, status, text, kind="application/json; charset=utf-8"):
        body = text.encode()
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_):
        pass


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("port_file", type=Path)
    parser.add_argument("--projects", default="data")
    parser.add_argument("--key")
    parser.add_argument("--delay", type=float, default=0)
    parser.add_argument("--limit", type=int, default=5 * 1024 * 1024)
    options = parser.parse_args()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.backend = Backend(options)
    part = options.port_file.with_suffix(".part")
    part.write_text(str(server.server_address[1]))
    part.rename(options.port_file)
    server.serve_forever()


main()
