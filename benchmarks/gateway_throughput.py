"""`python -m benchmarks.gateway_throughput SENDERS MESSAGES`: fixes acknowledged per second, each in a message of its own.

SENDERS trackers (Teltonika) on one gateway, then as many devices that POST the same fixes to `/ingest/positions` of one uvicorn
worker, over connections that stay open: one message after the other, each when the one before was acknowledged.
"_us": processor time of that server's process per message. "records": ten fixes a packet.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine
from typing import Any

import django

django.setup()

import psutil  # noqa: E402

from benchmarks.gateway_setting import (  # noqa: E402
    TrackerClient,
    connect_all,
    drive,
    encoder_of,
    gateway,
    login_of,
    make_devices,
)
from benchmarks.single_fixes import content_length  # noqa: E402
from benchmarks.web import HOST, processor_seconds, web_server  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402
from tasks_app.models import Device  # noqa: E402
from tasks_app.queries.position_buffer import buffer_stats  # noqa: E402
from tasks_app.services.devices.credentials import issue_key  # noqa: E402
from trackerproject.dev.simulated_trackers import Report  # noqa: E402

RECORDS = 10


def main(senders: int, messages: int) -> None:
    names = make_devices(senders)
    drives = [drive(number, messages) for number in range(senders)]
    rate, us = through_gateway(names, drives, 1)
    records, _ = through_gateway(names, drives, RECORDS)
    http, http_us = through_http(names, drives)
    client().flushdb()
    print(json.dumps({"gateway": rate, "gateway_us": us, "http": http, "http_us": http_us, "records": records}))


def through_gateway(names: list[str], drives: list[list[Report]], records: int) -> tuple[float, float]:
    """Fixes per second, and microseconds of the gateway's processor time for each."""
    sent: list[tuple[bytes, list[bytes]]] = []
    for name, reports in zip(names, drives, strict=True):
        encoder = encoder_of("teltonika", name)
        packets = [encoder.pack(reports[at : at + records]).data for at in range(0, len(reports), records)]
        sent.append((login_of(encoder), packets))
    with gateway("teltonika") as (process, ports):

        async def work(measured: Callable[[Callable[[], Coroutine[Any, Any, None]]], Coroutine[Any, Any, Any]]) -> Any:
            clients = [TrackerClient(login, packets) for login, packets in sent]
            await connect_all(ports["teltonika"], clients)

            async def send() -> None:
                for one in clients:
                    one.begin()
                await asyncio.gather(*(one.done for one in clients))

            took = await measured(send)
            for one in clients:
                one.transport.abort()
            return took

        return measured_rate(psutil.Process(process.pid), sum(map(len, drives)), work)


def through_http(names: list[str], drives: list[list[Report]]) -> tuple[float, float]:
    """The same over HTTP."""
    devices = Device.objects.in_bulk(names, field_name="unique_id")
    keys = [issue_key(device=devices[name], rotate=True) for name in names]
    requests = [
        [http_request(name, key, report) for report in reports]
        for name, key, reports in zip(names, keys, drives, strict=True)
    ]
    with web_server("trackerproject.asgi:application") as (process, port):

        async def work(measured: Any) -> Any:
            streams = [await asyncio.open_connection(HOST, port) for _ in names]

            async def send() -> None:
                await asyncio.gather(*(post_all(*one, some) for one, some in zip(streams, requests, strict=True)))

            took = await measured(send)
            for _, writer in streams:
                writer.close()
            return took

        return measured_rate(psutil.Process(process.pid), sum(map(len, drives)), work)


def http_request(name: str, key: str, report: Report) -> bytes:
    body = json.dumps(
        {
            "device_id": name,
            "timestamp": report.at.isoformat(),
            "latitude": report.latitude,
            "longitude": report.longitude,
            "speed": report.speed_kph,
            "course": report.course_degrees,
            "attributes": {"ignition": report.ignition, "sat": report.satellites},
        }
    )
    head = f"POST /ingest/positions HTTP/1.1\r\nHost: {HOST}\r\nAuthorization: Bearer {key}\r\n"
    return f"{head}Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode()


async def post_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, requests: list[bytes]) -> None:
    for request in requests:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        body = await reader.readexactly(content_length(head))
        assert head.startswith(b"HTTP/1.1 202 "), (head, body)


def measured_rate(server: psutil.Process, fixes: int, work: Any) -> tuple[float, float]:
    """Have `work` send all, and see that all of it is in Redis."""
    client().flushdb()

    async def measured(send: Callable[[], Coroutine[Any, Any, None]]) -> tuple[float, float]:
        cpu, began = processor_seconds(server), time.perf_counter()
        await send()
        seconds = time.perf_counter() - began
        return fixes / seconds, (processor_seconds(server) - cpu) / fixes * 1_000_000

    took = asyncio.run(work(measured))
    size = buffer_stats().size
    assert size == fixes, f"{size} of {fixes} fixes are in the buffer"
    return took


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
