"""`python -m benchmarks.gateway_slow SECONDS SILENT DEAF SLOW`: milliseconds to an acknowledgement, beside other trackers.

A hundred trackers send a fix every half second. First alone; then beside SILENT ones that said nothing after their log-in,
DEAF ones that send and never read, and SLOW ones that send one byte of a frame after the other, all on the same gateway.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys

import django

django.setup()

from benchmarks.gateway_setting import (  # noqa: E402
    TrackerClient,
    connect_all,
    drive,
    encoder_of,
    gateway,
    make_devices,
    share_of,
)
from benchmarks.web import HOST  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402

SENDERS = 100
EVERY_SECONDS = 0.5
SLOW_BYTE_SECONDS = 0.2
# What a deaf one sends at once: more answers than its buffers take.
DEAF_PACKETS = 400


def main(seconds: int, silent: int, deaf: int, slow: int) -> None:
    names = make_devices(SENDERS + silent + deaf + slow)
    with gateway("gt06") as (_, port):
        took = asyncio.run(measure(port, names, seconds, (silent, deaf, slow)))
    client().flushdb()
    print(json.dumps(took))


async def measure(port: int, names: list[str], seconds: int, counts: tuple[int, int, int]) -> dict[str, float]:
    alone = await latencies_of(port, names[:SENDERS], seconds)
    silent, deaf, slow = counts
    rest = names[SENDERS:]
    others = [silent_client(name) for name in rest[: silent + deaf]]
    await connect_all(port, others)
    tasks = [
        asyncio.create_task(send_deaf(one, name)) for one, name in zip(others[silent:], rest[silent:], strict=False)
    ]
    tasks += [asyncio.create_task(send_slowly(port, name)) for name in rest[silent + deaf :]]
    beside = await latencies_of(port, names[:SENDERS], seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for one in others:
        one.transport.abort()
    return {
        **{f"p{share}": share_of(alone, share / 100) * 1000 for share in (50, 99)},
        **{f"with_p{share}": share_of(beside, share / 100) * 1000 for share in (50, 99)},
        "others": float(len(others) + slow),
    }


async def latencies_of(port: int, names: list[str], seconds: int) -> list[float]:
    clients = []
    for number, name in enumerate(names):
        encoder = encoder_of("gt06", name)
        login = encoder.login()
        assert login is not None
        packets = [encoder.pack([report]).data for report in drive(number, int(seconds / EVERY_SECONDS))]
        clients.append(TrackerClient(login.data, packets, EVERY_SECONDS))
    await connect_all(port, clients)
    for one in clients:
        one.begin()
        await asyncio.sleep(EVERY_SECONDS / len(clients))
    await asyncio.gather(*(one.done for one in clients))
    for one in clients:
        one.transport.abort()
    return [seconds for one in clients for seconds in one.latencies]


def silent_client(name: str) -> TrackerClient:
    login = encoder_of("gt06", name).login()
    assert login is not None
    return TrackerClient(login.data, [])


async def send_deaf(one: TrackerClient, name: str) -> None:
    """Send without an end, and read nothing."""
    one.transport.pause_reading()
    one.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    encoder = encoder_of("gt06", name)
    while not one.transport.is_closing():
        if one.transport.get_write_buffer_size() < 65_536:
            one.transport.write(b"".join(encoder.heartbeat().data for _ in range(DEAF_PACKETS)))
        await asyncio.sleep(1)


async def send_slowly(port: int, name: str) -> None:
    """Log in, then send a position byte by byte."""
    _reader, writer = await asyncio.open_connection(HOST, port)
    encoder = encoder_of("gt06", name)
    login = encoder.login()
    assert login is not None
    try:
        writer.write(login.data)
        for report in drive(0, 1000):
            for byte in encoder.pack([report]).data:
                writer.write(bytes([byte]))
                await asyncio.sleep(SLOW_BYTE_SECONDS)
    finally:
        writer.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
