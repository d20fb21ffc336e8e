"""What PyYAML reads: documents as lines of hexadecimal bytes, answers as lines of JSON.

A document is read from its bytes and from a file opened as text, as Prefect opens it. Values come
with their types; what JSON can't carry (sets, bytes, a list that contains itself) is an error.
"""

import codecs
import datetime
import io
import json
import struct
import sys

import yaml
from pydantic_core import to_json


def typed(value, inside=()):
    if id(value) in inside:
        raise ValueError("it contains itself")
    if value is None:
        return ["null"]
    if isinstance(value, bool):
        return ["bool", value]
    if isinstance(value, int):
        return ["integer", str(value)]
    if isinstance(value, float):
        bits = struct.pack(">d", value).hex()
        return ["float", "nan" if value != value else bits]
    if isinstance(value, str):
        value.encode()
        return ["text", value]
    if isinstance(value, (datetime.date, datetime.datetime)):
        return ["moment", json.loads(to_json(value))]
    inside = (*inside, id(value))
    if isinstance(value, (list, tuple)):
        return ["list", [typed(item, inside) for item in value]]
    if isinstance(value, dict):
        return ["mapping", [[typed(k, inside), typed(v, inside)] for k, v in value.items()]]
    raise TypeError(type(value).__name__)


def answer(stream):
    try:
        return {"value": typed(yaml.safe_load(stream))}
    except (Exception, RecursionError) as error:
        return {"error": f"{type(error).__name__}: {error}"}


for line in sys.stdin:
    content = bytes.fromhex(line)
    result = answer(content)
    if not content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        as_text = answer(io.TextIOWrapper(io.BytesIO(content), encoding="utf-8"))
        result["same_as_text"] = as_text.get("value") == result.get("value")
    print(json.dumps(result), flush=True)
