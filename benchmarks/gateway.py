"""The gateway: ten thousand trackers on one process, messages acknowledged per second, decoding, slow and silent trackers."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

CONNECTED = 10_000
QUICK_CONNECTED = 1_000
LIMIT_MB = 250.0
# Trackers that send one message after the other, each when the one before was acknowledged; so for the devices over HTTP.
SENDERS = 200
MESSAGES_PER_SENDER = 300
QUICK_MESSAGES_PER_SENDER = 40
# Beside them: so many that say nothing after their log-in, that do not read, and that send a byte at a time.
SILENT, DEAF, SLOW = 2_000, 100, 200
DECODED = 20_000


def run(setting: Setting) -> Iterator[Figure]:
    """Decoding alone, then a real `manage.py gateway` and the same fixes through `/ingest/positions`."""
    for name, rate in setting.measure("benchmarks.gateway_decode", setting.scaled(DECODED)).items():
        yield Figure("gateway", f"decode_{name}", rate, None, None, "messages/s")
    connected = QUICK_CONNECTED if setting.quick else CONNECTED
    took = setting.measure("benchmarks.gateway_memory", connected)
    setting.console.print(", ".join(f"{name} {value:,.1f}" for name, value in took.items()))
    yield Figure("gateway", f"memory_{connected}_connected", took["mb"], "limit", LIMIT_MB, "MB PSS")
    yield Figure("gateway", f"memory_{connected}_connected", took["mb"], "0 connected", took["empty_mb"], "MB PSS")
    yield Figure("gateway", f"connect_{connected}", took["rate"], None, None, "trackers/s")
    yield from throughput_figures(setting)
    yield from slow_figures(setting)


def throughput_figures(setting: Setting) -> Iterator[Figure]:
    """The same fixes, each in a message of its own, by turns."""
    messages = QUICK_MESSAGES_PER_SENDER if setting.quick else MESSAGES_PER_SENDER
    rounds = []
    for _ in range(setting.rounds):
        took = setting.measure("benchmarks.gateway_throughput", SENDERS, messages)
        setting.console.print(", ".join(f"{name} {value:,.0f}" for name, value in took.items()))
        rounds.append(took)
    took = {name: median(one[name] for one in rounds) for name in rounds[0]}
    yield Figure("gateway", "messages", took["gateway"], "/ingest/positions", took["http"], "messages/s")
    yield Figure(
        "gateway", "message_cpu", took["gateway_us"], "/ingest/positions", took["http_us"], "us of processor time"
    )
    yield Figure("gateway", "records_of_10", took["records"], "/ingest/positions", took["http"], "fixes/s")


def slow_figures(setting: Setting) -> Iterator[Figure]:
    """Seconds from a message to its acknowledgement, without and with slow and silent trackers on the same process."""
    counts = [setting.scaled(SILENT), *(max(5, count // (10 if setting.quick else 1)) for count in (DEAF, SLOW))]
    took = setting.measure("benchmarks.gateway_slow", 10 if setting.quick else 30, *counts)
    setting.console.print(", ".join(f"{name} {value:,.2f}" for name, value in took.items()))
    for share in ("p50", "p99"):
        yield Figure("gateway", f"with_slow_trackers_{share}", took[f"with_{share}"], "without", took[share], "ms")
