"""Events through the rules, as the rules grow in number; and positions with alerts on beside positions with alerts off."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median

from benchmarks.figures import Figure
from benchmarks.setting import Setting

EVENTS, QUICK_EVENTS = 10_000, 2_000
RULES = (10, 100, 1_000, 5_000)
WANTED_EVENTS_PER_SECOND = 2_000.0
FIXES_PER_DEVICE = 200


def run(setting: Setting) -> Iterator[Figure]:
    """Matching and writing beside what is wanted and beside few rules; the pipeline beside itself without alerts."""
    yield from rule_figures(setting)
    yield alerts_figure(setting)


def rule_figures(setting: Setting) -> Iterator[Figure]:
    events = QUICK_EVENTS if setting.quick else EVENTS
    rounds = [
        {count: setting.measure("benchmarks.event_rules", events, count) for count in RULES}
        for _ in range(setting.rounds)
    ]
    rates = {count: median(one[count]["events_per_second"] for one in rounds) for count in RULES}
    cpu_rates = {count: median(one[count]["events_per_cpu_second"] for one in rounds) for count in RULES}
    notified = rounds[0][RULES[0]]["notifications"]
    setting.console.print(f"{events:,} events became {notified:,.0f} notifications in each case")
    yield Figure("notifications", "events_1000_rules", rates[1_000], "wanted", WANTED_EVENTS_PER_SECOND, "events/s")
    for count in RULES[1:]:
        yield Figure("notifications", f"events_{count}_rules", rates[count], "10 rules", rates[10], "events/s")
        cpu = "events/s of processor time"
        yield Figure("notifications", f"events_{count}_rules_cpu", cpu_rates[count], "10 rules", cpu_rates[10], cpu)


def alerts_figure(setting: Setting) -> Figure:
    """Rows/s of the pipeline; "theirs" is ours with nobody listening to its events. At least 0.9 is wanted."""
    rounds = [setting.measure("benchmarks.alerts", setting.scaled(FIXES_PER_DEVICE)) for _ in range(setting.rounds)]
    on, off = (median(one[name] for one in rounds) for name in ("on", "off"))
    setting.console.print(f"alerts on {on:,.0f} rows/s, off {off:,.0f} rows/s")
    return Figure("notifications", "pipeline_with_alerts", on, "alerts off", off, "rows/s")
