"""Trips and stops of real traces by our detector beside those of trackintel, an independent library.

Neither is the truth: what they agree on needs no defence, and what they do not is explained in docs/reports.md. It needs
no server and no Django, but trackintel brings three dozen packages that nothing else here wants. So they get an
environment of their own, with the numpy and shapely that the product is pinned to:

    python -m venv /tmp/trackintel
    /tmp/trackintel/bin/pip install -c constraints.txt trackintel==1.4.2 numpy==2.4.6 shapely==2.2.0 rich==15.0.0
    /tmp/trackintel/bin/python -W ignore::FutureWarning -m benchmarks.trip_comparison FILE [--differences 5]

FILE is a CSV file (also compressed) with the columns device_id, timestamp, latitude and longitude, such as the GeoLife traces.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import geopandas
import numpy as np
import numpy.typing as npt
import pandas
import trackintel
from rich.console import Console
from rich.table import Table

from tasks_app.geo.distance import step_distances_meters
from tasks_app.geo.motion import MotionRules, timeline
from tasks_app.geo.motion_rules import RULES_BY_KIND, motion_rules
from tasks_app.geo.steps import read_steps

# Trackintel has one distance, from the first fix of a stop to all of its others; ours are radius and scatter beside it.
STAYPOINT_METERS = 50.0
MATCHED_FROM = 0.8
# Where fixes are farther apart nobody knows what happened, and the detectors take different things for granted.
SILENCE_SECONDS = 60.0

# Begin and end in epoch seconds.
Span = tuple[float, float]


@dataclass(frozen=True, slots=True)
class Found:
    """Findings of one detector in the trace of one person; `meters` is the way of the trips."""

    stops: list[Span]
    trips: list[Span]
    meters: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """Both detectors on one trace, and the silences in it, about which they cannot be compared."""

    person: str
    fixes: int
    ours: Found
    theirs: Found
    silences: list[Span]
    matched: list[tuple[Span, Span]]

    @property
    def ours_stopped(self) -> list[Span]:
        return without(self.ours.stops, self.silences)

    @property
    def theirs_stopped(self) -> list[Span]:
        return without(self.theirs.stops, self.silences)


def main() -> None:
    parser = argparse.ArgumentParser(description="Trips and stops by our detector beside those of trackintel.")
    parser.add_argument("file", type=Path, help="CSV: device_id, timestamp, latitude, longitude")
    parser.add_argument("--kind", choices=sorted(RULES_BY_KIND), default="phone", help="whose rules, for all devices")
    parser.add_argument("--differences", type=int, default=0, help="print so many of the longest differences of each")
    options = parser.parse_args()
    traces = pandas.read_csv(options.file, parse_dates=["timestamp"]).sort_values(["device_id", "timestamp"])
    traces = traces.drop_duplicates(["device_id", "timestamp"])
    comparisons = [
        compare(str(person), trace, motion_rules(options.kind)) for person, trace in traces.groupby("device_id")
    ]
    console = Console(width=150)
    console.print(as_table(comparisons))
    for comparison in comparisons if options.differences else []:
        print_differences(console, comparison, options.differences)


def compare(person: str, trace: pandas.DataFrame, rules: MotionRules) -> Comparison:
    ours, theirs = find_ours(trace, rules), find_theirs(trace, rules)
    times = epoch_seconds(trace["timestamp"])
    after = np.flatnonzero(np.diff(times) > SILENCE_SECONDS)
    silences = list(zip(times[after].tolist(), times[after + 1].tolist(), strict=True))
    return Comparison(person, len(trace), ours, theirs, silences, matches(ours.trips, theirs.trips))


def find_ours(trace: pandas.DataFrame, rules: MotionRules) -> Found:
    track = (epoch_seconds(trace["timestamp"]), trace["latitude"].to_numpy(), trace["longitude"].to_numpy())
    found = timeline(read_steps(*track, rules=rules))
    return Found(
        [(stop.started_seconds, stop.ended_seconds) for stop in found.stops],
        [(trip.started_seconds, trip.ended_seconds) for trip in found.trips],
        sum(trip.distance_meters for trip in found.trips),
    )


def find_theirs(trace: pandas.DataFrame, rules: MotionRules) -> Found:
    """Staypoints, and the triplegs between them that our rules would call trips by length and duration."""
    places = geopandas.points_from_xy(trace["longitude"], trace["latitude"])
    columns = {"user_id": trace["device_id"], "tracked_at": trace["timestamp"]}
    fixes = trackintel.Positionfixes(geopandas.GeoDataFrame(columns, geometry=places, crs="EPSG:4326"))
    fixes, stops = fixes.generate_staypoints(
        dist_threshold=STAYPOINT_METERS,
        time_threshold=rules.min_stop_seconds / 60.0,
        gap_threshold=rules.max_gap_seconds / 60.0,
        include_last=True,
    )
    _, legs = fixes.generate_triplegs(stops, gap_threshold=rules.max_gap_seconds / 60.0)
    meters = np.array([way_meters(line.coords) for line in legs.geometry])
    lasting = (legs["finished_at"] - legs["started_at"]).dt.total_seconds() >= rules.min_trip_seconds
    enough = (meters >= rules.min_trip_meters) & lasting
    return Found(spans(stops), spans(legs[enough]), float(meters[enough].sum()))


def epoch_seconds(timestamps: pandas.Series) -> npt.NDArray[np.float64]:
    return (timestamps - pandas.Timestamp(0, tz="UTC")).dt.total_seconds().to_numpy()


def spans(rows: pandas.DataFrame) -> list[Span]:
    begins, ends = epoch_seconds(rows["started_at"]), epoch_seconds(rows["finished_at"])
    return sorted(zip(begins.tolist(), ends.tolist(), strict=True))


def way_meters(places: Iterable[Sequence[float]]) -> float:
    longitudes, latitudes = np.array(list(places)).T
    return float(step_distances_meters(latitudes, longitudes).sum())


def common(left: list[Span], right: list[Span]) -> list[Span]:
    """Return the parts that lie in both; each is in time order and free of overlaps."""
    pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in left for b in right)
    return [(begin, end) for begin, end in pairs if begin < end]


def without(whole: list[Span], left_out: list[Span]) -> list[Span]:
    """`whole` less `left_out`, both in time order and each free of overlaps."""
    edges = [-np.inf, *(edge for span in left_out for edge in span), np.inf]
    return common(whole, list(zip(edges[0::2], edges[1::2], strict=True)))


def length(parts: list[Span]) -> float:
    return sum(end - begin for begin, end in parts)


def matches(ours: list[Span], theirs: list[Span]) -> list[tuple[Span, Span]]:
    """Pairs whose common time is at least `MATCHED_FROM` of their joint time: so much can a trip share with one only."""
    return [(left, right) for left in ours for right in theirs if overlap(left, right) >= MATCHED_FROM]


def overlap(left: Span, right: Span) -> float:
    return (min(left[1], right[1]) - max(left[0], right[0])) / (max(left[1], right[1]) - min(left[0], right[0]))


def as_table(comparisons: list[Comparison]) -> Table:
    table = Table(title="ours / trackintel")
    table.add_column("person")
    for name in ("fixes", "stops", "stopped h", "same", "trips", "matched", "start s", "end s", "km"):
        table.add_column(name, justify="right")
    for comparison in comparisons:
        table.add_row(comparison.person, *cells([comparison]))
    table.add_section()
    table.add_row("all", *cells(comparisons))
    return table


def cells(rows: list[Comparison]) -> Iterator[str]:
    ours, theirs = [row.ours for row in rows], [row.theirs for row in rows]
    ours_seconds = sum(length(row.ours_stopped) for row in rows)
    theirs_seconds = sum(length(row.theirs_stopped) for row in rows)
    both_seconds = sum(length(common(row.ours_stopped, row.theirs_stopped)) for row in rows)
    either_seconds = ours_seconds + theirs_seconds - both_seconds
    matched = [pair for row in rows for pair in row.matched]
    yield f"{sum(row.fixes for row in rows):,}"
    yield f"{sum(len(found.stops) for found in ours)} / {sum(len(found.stops) for found in theirs)}"
    yield f"{ours_seconds / 3600.0:.1f} / {theirs_seconds / 3600.0:.1f}"
    yield f"{both_seconds / either_seconds:.0%}" if either_seconds else ""
    yield f"{sum(len(found.trips) for found in ours)} / {sum(len(found.trips) for found in theirs)}"
    yield str(len(matched))
    yield f"{np.median([left[0] - right[0] for left, right in matched]):+.0f}" if matched else ""
    yield f"{np.median([left[1] - right[1] for left, right in matched]):+.0f}" if matched else ""
    yield f"{sum(found.meters for found in ours) / 1000.0:.1f} / {sum(found.meters for found in theirs) / 1000.0:.1f}"


def print_differences(console: Console, row: Comparison, count: int) -> None:
    """The longest times that only one of the two calls a stop."""
    for name, mine, others in (
        ("ours", row.ours_stopped, row.theirs_stopped),
        ("trackintel", row.theirs_stopped, row.ours_stopped),
    ):
        alone = sorted(without(mine, others), key=lambda span: span[0] - span[1])[:count]
        for begin, end in sorted(alone):
            console.print(
                f"{row.person} stopped by {name} alone: {local_time(begin)} to {local_time(end)}, {end - begin:.0f} s"
            )


def local_time(seconds: float) -> str:
    return f"{pandas.Timestamp(seconds, unit='s'):%Y-%m-%d %H:%M:%S}"


if __name__ == "__main__":
    main()
