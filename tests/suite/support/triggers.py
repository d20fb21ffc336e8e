"""Makes of each list of triggers on standard input what `prefect deploy` sends for it."""

import json
import sys
from uuid import UUID

from prefect.cli.deploy._triggers import _initialize_deployment_triggers

DEPLOYMENT = UUID("00000000-0000-0000-0000-000000000001")


def automations(spec):
    try:
        triggers = _initialize_deployment_triggers("nightly", spec)
        for trigger in triggers:
            trigger.set_deployment_id(DEPLOYMENT)
        return [trigger.as_automation().model_dump(mode="json") for trigger in triggers]
    except Exception as error:
        return str(error)


answers = [automations(spec) for spec in json.load(sys.stdin)]
json.dump(answers, sys.stdout)
