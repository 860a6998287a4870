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
    login_of,
    make_devices,
    share_of,
)
from benchmarks.web import HOST  # noqa: E402
from tasks_app.engine.connection import client  # noqa: E402

SENDERS = 100
EVERY_SECONDS = 0.5
SLOW_BYTE_SECONDS = 1.0
DEAF_SECONDS = 1.0
# What is done once for two thousand new connections is over by then.
SETTLE_SECONDS = 5.0


def main(seconds: int, silent: int, deaf: int, slow: int) -> None:
    names = make_devices(SENDERS + silent + deaf + slow)
    with gateway("teltonika") as (_, ports):
        took = asyncio.run(measure(ports["teltonika"], names, seconds, (silent, deaf, slow)))
    client().flushdb()
    print(json.dumps(took))


async def measure(port: int, names: list[str], seconds: int, counts: tuple[int, int, int]) -> dict[str, float]:
    alone = await latencies_of(port, names[:SENDERS], seconds)
    silent, deaf, slow = counts
    rest = names[SENDERS:]
    others = [TrackerClient(login_of(encoder_of("teltonika", name)), []) for name in rest[:silent]]
    await connect_all(port, others)
    tasks = [asyncio.create_task(send_deaf(port, name)) for name in rest[silent : silent + deaf]]
    tasks += [asyncio.create_task(send_slowly(port, name)) for name in rest[silent + deaf :]]
    await asyncio.sleep(SETTLE_SECONDS)
    beside = await latencies_of(port, names[:SENDERS], seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    for one in others:
        one.transport.abort()
    return {
        **{f"p{share}": share_of(alone, share / 100) * 1000 for share in (50, 99)},
        **{f"with_p{share}": share_of(beside, share / 100) * 1000 for share in (50, 99)},
        "others": float(silent + deaf + slow),
    }


async def latencies_of(port: int, names: list[str], seconds: int) -> list[float]:
    clients = []
    for number, name in enumerate(names):
        encoder = encoder_of("teltonika", name)
        packets = [encoder.pack([report]).data for report in drive(number, int(seconds / EVERY_SECONDS))]
        clients.append(TrackerClient(login_of(encoder), packets, EVERY_SECONDS))
    await connect_all(port, clients)
    for one in clients:
        one.begin()
        await asyncio.sleep(EVERY_SECONDS / len(clients))
    await asyncio.gather(*(one.done for one in clients))
    for one in clients:
        one.transport.abort()
    return [seconds for one in clients for seconds in one.latencies]


async def send_deaf(port: int, name: str) -> None:
    """Send a fix every second, and read nothing."""
    loop = asyncio.get_running_loop()
    encoder = encoder_of("teltonika", name)
    packets = [login_of(encoder), *(encoder.pack([report]).data for report in drive(0, 100))]
    deaf = socket.socket()
    deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    deaf.setblocking(False)
    try:
        await loop.sock_connect(deaf, (HOST, port))
        for packet in packets:
            await loop.sock_sendall(deaf, packet)
            await asyncio.sleep(DEAF_SECONDS)
    finally:
        deaf.close()


async def send_slowly(port: int, name: str) -> None:
    """Log in, then send positions byte by byte."""
    _reader, writer = await asyncio.open_connection(HOST, port)
    encoder = encoder_of("teltonika", name)
    try:
        writer.write(login_of(encoder))
        for report in drive(0, 1000):
            for byte in encoder.pack([report]).data:
                writer.write(bytes([byte]))
                await asyncio.sleep(SLOW_BYTE_SECONDS)
    finally:
        writer.close()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
