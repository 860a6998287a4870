"""`python -m benchmarks.gateway_slow SECONDS SILENT DEAF SLOW`: milliseconds to an acknowledgement, beside other trackers.

A hundred trackers send a fix every half second. First alone; then beside SILENT ones that said nothing after their log-in,
DEAF ones that send and never read, and SLOW ones that send one byte of a frame after the other, all on the same gateway.
"""

from __future__ import annotations

import asyncio
import json
import socket
import sys
import time

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
# Deaf ones send so much at once until the gateway takes no more of them, which is waited for: all buffers are full then.
DEAF_PACKETS = 200
BLOCKED_AFTER_SECONDS, MOST_SECONDS_TO_BLOCK = 2.0, 90.0


def main(seconds: int, silent: int, deaf: int, slow: int) -> None:
    names = make_devices(SENDERS + silent + deaf + slow)
    with gateway("teltonika", "gt06") as (_, ports):
        took = asyncio.run(measure(ports, names, seconds, (silent, deaf, slow)))
    client().flushdb()
    print(json.dumps(took))


async def measure(
    ports: dict[str, int], names: list[str], seconds: int, counts: tuple[int, int, int]
) -> dict[str, float]:
    port = ports["teltonika"]
    alone = await latencies_of(port, names[:SENDERS], seconds)
    silent, deaf, slow = counts
    rest = names[SENDERS:]
    others = [TrackerClient(login_of(encoder_of("teltonika", name)), []) for name in rest[:silent]]
    await connect_all(port, others)
    deaf_ones = [Deaf(ports["gt06"], name) for name in rest[silent : silent + deaf]]
    tasks = [asyncio.create_task(one.send()) for one in deaf_ones]
    await wait_until_blocked(deaf_ones)
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
        "others": float(silent + deaf + slow),
        "deaf_blocked": float(sum(one.is_blocked for one in deaf_ones)),
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


class Deaf:
    """A GT06 that sends signs of life, each of which is answered, and reads nothing."""

    def __init__(self, port: int, name: str) -> None:
        self._port = port
        self._encoder = encoder_of("gt06", name)
        self._took_at = time.monotonic()

    @property
    def is_blocked(self) -> bool:
        return time.monotonic() - self._took_at > BLOCKED_AFTER_SECONDS

    async def send(self) -> None:
        """Send without an end."""
        loop = asyncio.get_running_loop()
        deaf = socket.socket()
        deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        deaf.setblocking(False)
        login = login_of(self._encoder)
        packets = b"".join(self._encoder.heartbeat().data for _ in range(DEAF_PACKETS))
        try:
            await loop.sock_connect(deaf, (HOST, self._port))
            await loop.sock_sendall(deaf, login)
            while True:
                await loop.sock_sendall(deaf, packets)
                self._took_at = time.monotonic()
        except ConnectionError:
            return  # The gateway has closed it.
        finally:
            deaf.close()


async def wait_until_blocked(deaf_ones: list[Deaf]) -> None:
    deadline = time.monotonic() + MOST_SECONDS_TO_BLOCK
    while not all(one.is_blocked for one in deaf_ones) and time.monotonic() < deadline:
        await asyncio.sleep(0.2)


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
