"""Loads registered flows as an agent's run does: from what the backend holds, with Prefect's own
schema and storage. Prints the names of each flow's tasks, by the name that it is registered by."""

import json
import sys
import urllib.request

from prefect.serialization.flow import FlowSchema

tasks = {}
for row in json.load(urllib.request.urlopen(sys.argv[1] + "/flows")):
    if not row["archived"]:
        flow = FlowSchema().load(row["serialized_flow"])
        loaded = flow.storage.get_flow(flow.name)
        tasks[flow.name] = sorted(task.name for task in loaded.tasks)
print(json.dumps(tasks))
