"""`python -m benchmarks.gateway_decode MESSAGES`: positions per second that a protocol's functions cut and decode, by protocol.

One message a frame, made by the simulated trackers, in one process and without a server; "teltonika_10" has ten records.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import UTC, datetime

import django

django.setup()

from benchmarks.gateway_setting import drive, encoder_of  # noqa: E402
from tasks_app.ingest.trackers.base import TrackerSession  # noqa: E402
from tasks_app.ingest.trackers.registry import PROTOCOLS  # noqa: E402
from trackerproject.dev.simulated_trackers import ENCODERS  # noqa: E402

DIFFERENT = 200


def main(messages: int) -> None:
    rates = {name: decode_rate(name, messages) for name in ENCODERS if name in PROTOCOLS}
    rates["teltonika_10"] = decode_rate("teltonika", messages, records=10)
    print(json.dumps(rates))


def decode_rate(protocol: str, messages: int, *, records: int = 1) -> float:
    """Fixes per second."""
    encoder = encoder_of(protocol, ENCODERS[protocol].sample_identifier)
    session, now = TrackerSession("tcp", encoder.identifier), datetime.now(UTC)
    cut, decode = PROTOCOLS[protocol].cut, PROTOCOLS[protocol].decode
    if login := encoder.login():
        decode(cut(login.data, session).frames[0], session, now)
    reports = drive(0, DIFFERENT * records)
    packets = [encoder.pack(reports[at : at + records]).data for at in range(0, len(reports), records)]
    fixes = sum(len(decode(cut(packet, session).frames[0], session, now).messages) for packet in packets)
    assert fixes == len(reports), f"{protocol}: {fixes} of {len(reports)} decoded"
    turns = max(1, messages // len(reports))
    began = time.perf_counter()
    for _ in range(turns):
        for packet in packets:
            for frame in cut(packet, session).frames:
                decode(frame, session, now)
    return turns * len(reports) / (time.perf_counter() - began)


if __name__ == "__main__":
    main(int(sys.argv[1]))
