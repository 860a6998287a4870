"""`python -m benchmarks.gateway_memory TRACKERS`: MB of one gateway with so many trackers, each of which has sent a fix.

"rate" is how many a second named themselves and were answered, two hundred at once, each device looked up in PostgreSQL.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from subprocess import Popen

import django

django.setup()

from benchmarks.gateway_setting import (  # noqa: E402
    TrackerClient,
    connect_all,
    drive,
    encoder_of,
    gateway,
    login_of,
    make_devices,
    pss_mb,
)
from tasks_app.engine.connection import client  # noqa: E402

# Sessions are written down and lists of frames trimmed by then.
SETTLE_SECONDS = 5.0


def main(count: int) -> None:
    names = make_devices(count)
    with gateway("teltonika") as (process, ports):
        empty_mb = pss_mb(process)
        rate, mb = asyncio.run(measure(names, process, ports["teltonika"]))
    client().flushdb()
    print(json.dumps({"mb": mb, "empty_mb": empty_mb, "rate": rate}))


async def measure(names: list[str], process: Popen[bytes], port: int) -> tuple[float, float]:
    clients = []
    for number, name in enumerate(names):
        encoder = encoder_of("teltonika", name)
        clients.append(TrackerClient(login_of(encoder), [encoder.pack(drive(number, 1)).data]))
    began = time.perf_counter()
    await connect_all(port, clients)
    rate = len(clients) / (time.perf_counter() - began)
    for one in clients:
        one.begin()
    await asyncio.gather(*(one.done for one in clients))
    await asyncio.sleep(SETTLE_SECONDS)
    mb = pss_mb(process)
    for one in clients:
        one.transport.abort()
    return rate, mb


if __name__ == "__main__":
    main(int(sys.argv[1]))
