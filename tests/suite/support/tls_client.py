"""What the real client says of HTTPS servers: for each line `ADDRESS FILE` of standard input, one line with
`ok` or the reason. FILE is what PREFECT_API_SSL_CERT_FILE names.
"""

import asyncio
import sys

from prefect.client.orchestration import PrefectClient
from prefect.settings import PREFECT_API_SSL_CERT_FILE, temporary_settings


async def answer(address, file):
    with temporary_settings({PREFECT_API_SSL_CERT_FILE: file}):
        try:
            client = PrefectClient(api=address)
            error = await client.api_healthcheck()
        except Exception as caught:
            error = caught
    return "ok" if error is None else str(error).replace("\n", " ")


for line in sys.stdin:
    address, file = line.split()
    print(asyncio.run(answer(address, file)))
