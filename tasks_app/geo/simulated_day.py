"""One vehicle's day in the simulated city, as a receiver in it would measure it. Pure and decided by the generator.

The speed along a leg follows from what the street allows at each point (limit, turn, red light, destination) and from
how hard a driver accelerates and brakes, solved for the whole leg at once over the distance.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

from tasks_app.geo.distance import FloatArray
from tasks_app.geo.simulated_city import (
    BLOCK_METERS,
    DEPOT,
    GRID_TURN_DEGREES,
    INDUSTRY,
    MARKET,
    REACH_BLOCKS,
    IntArray,
    Node,
    route,
    street_limit_kph,
    to_degrees,
)

BoolArray = npt.NDArray[np.bool_]

STEP_METERS = 5.0
STEPS_PER_BLOCK = int(BLOCK_METERS / STEP_METERS)
TURN_KPH = 18.0
RED_LIGHT_SHARE, LUCKY_RED_LIGHT_SHARE = 0.35, 0.08
DAY_SECONDS = 86_400
HOUR = 3600.0
ENGINE_OFF_AFTER_SECONDS = 360.0
NOISE_KNOT_SECONDS = 40.0


@dataclass(frozen=True, slots=True)
class VehicleDay:
    """Measured fixes of one vehicle in time order, shape (n,). `seconds` are whole seconds since midnight."""

    seconds: IntArray
    latitudes: FloatArray
    longitudes: FloatArray
    speeds_kph: FloatArray
    courses_degrees: FloatArray
    altitudes_meters: FloatArray
    accuracies_meters: FloatArray
    ignition: BoolArray
    battery_volts: FloatArray
    fuel_percent: FloatArray
    driving_spans: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class _Leg:
    """One drive, at knots in time order: seconds since its start, meters on the plane, m/s, degrees from north."""

    seconds: FloatArray
    x_meters: FloatArray
    y_meters: FloatArray
    driven_meters: FloatArray
    speeds_mps: FloatArray
    headings: FloatArray


def vehicle_day(random: np.random.Generator, *, hurries: bool) -> VehicleDay:
    """A working day from the depot and back; a driver who `hurries` speeds on avenues for minutes."""
    legs, starts = _itinerary(random, hurries=hurries)
    seconds = np.concatenate([leg.seconds + start for leg, start in zip(legs, starts, strict=True)])
    spans = [(start, start + float(leg.seconds[-1])) for leg, start in zip(legs, starts, strict=True)]
    driven = np.cumsum([0.0, *(leg.driven_meters[-1] for leg in legs)])
    odometer = np.concatenate([leg.driven_meters + before for leg, before in zip(legs, driven, strict=False)])
    times = _fix_times(spans, random)
    x, y = (
        np.interp(times, seconds, np.concatenate([getattr(leg, name) for leg in legs]))
        for name in ("x_meters", "y_meters")
    )
    speeds = np.interp(times, seconds, np.concatenate([leg.speeds_mps for leg in legs])) * 3.6
    place = np.maximum(np.searchsorted(seconds, times, side="right") - 1, 0)
    headings = np.concatenate([leg.headings for leg in legs])[place]
    ignition = _ignition(times, spans)
    return _measure(
        random, times, x, y, speeds, headings, ignition, np.interp(times, seconds, odometer) / 1000.0, spans
    )


def _itinerary(random: np.random.Generator, *, hurries: bool) -> tuple[list[_Leg], list[float]]:
    """Legs and when they start: customers until evening with a lunch break, then home to the depot."""
    clock, home_at = random.uniform(5.25, 6.75) * HOUR, random.uniform(18.0, 19.5) * HOUR
    here, had_lunch = DEPOT, False
    legs: list[_Leg] = []
    starts: list[float] = []
    while clock < home_at:
        there = _customer(here, random)
        legs.append(_leg(route(here, there, random), random, hurry=hurries and random.random() < 0.6))
        starts.append(clock)
        lunch = not had_lunch and clock > 11.6 * HOUR
        had_lunch = had_lunch or lunch
        clock += float(legs[-1].seconds[-1]) + (random.uniform(2700, 3900) if lunch else random.uniform(150, 960))
        here = there
    legs.append(_leg(route(here, DEPOT, random), random, hurry=hurries))
    starts.append(clock)
    return legs, starts


def _customer(here: Node, random: np.random.Generator) -> Node:
    """The next customer: often around the market, the industrial park or the centre, at least eight blocks away."""
    while True:
        around, spread = [(MARKET, 2), (INDUSTRY, 3), ((0, 0), 8), ((0, 0), REACH_BLOCKS - 4)][
            int(random.choice(4, p=[0.2, 0.2, 0.25, 0.35]))
        ]
        offset = random.integers(-spread, spread + 1, 2)
        there = (int(around[0] + offset[0]), int(around[1] + offset[1]))
        if abs(there[0] - here[0]) + abs(there[1] - here[1]) >= 8:
            return there


def _leg(nodes: IntArray, random: np.random.Generator, *, hurry: bool) -> _Leg:
    heading_of_edge = np.diff(nodes, axis=0)
    edges = len(heading_of_edge)
    along = np.linspace(0.0, edges * BLOCK_METERS, edges * STEPS_PER_BLOCK + 1)
    edge = np.minimum(np.arange(len(along)) // STEPS_PER_BLOCK, edges - 1)
    limits = _edge_limits_kph(nodes, heading_of_edge)
    # In a hurry well above the limit on an avenue, else as fast as the traffic of the hour lets one drive.
    hurried = np.where(limits >= 60, limits * random.uniform(1.2, 1.34), limits)
    allowed = ((hurried if hurry else limits * random.uniform(0.62, 0.97)) / 3.6)[edge]
    turns = 1 + np.flatnonzero((heading_of_edge[1:] != heading_of_edge[:-1]).any(axis=1))
    allowed[turns * STEPS_PER_BLOCK] = TURN_KPH / 3.6
    lights = (nodes[1:-1] % 4 == 0).all(axis=1) & (limits[:-1] < 90)
    red_share = LUCKY_RED_LIGHT_SHARE if hurry else RED_LIGHT_SHARE
    red = 1 + np.flatnonzero(lights & (random.random(edges - 1) < red_share))
    allowed[np.concatenate([[0, edges], red]) * STEPS_PER_BLOCK] = 0.0
    speeds = _driven_speeds_mps(along, allowed, random)
    seconds = np.concatenate([[0.0], np.cumsum(2 * STEP_METERS / (speeds[1:] + speeds[:-1]))])
    corners = np.arange(edges + 1) * BLOCK_METERS
    x, y = (np.interp(along, corners, nodes[:, axis] * BLOCK_METERS) for axis in (0, 1))
    bearings = np.degrees(np.arctan2(heading_of_edge[:, 0], heading_of_edge[:, 1])) - GRID_TURN_DEGREES
    knots = (seconds, x, y, along, speeds, bearings[edge] % 360.0)
    return _Leg(*_with_waits(knots, red * STEPS_PER_BLOCK, random.uniform(8.0, 55.0, len(red))))


def _edge_limits_kph(nodes: IntArray, heading_of_edge: IntArray) -> FloatArray:
    line = np.where(heading_of_edge[:, 0] == 0, nodes[:-1, 0], nodes[:-1, 1])
    return street_limit_kph(line).astype(np.float64)


def _driven_speeds_mps(along: FloatArray, allowed: FloatArray, random: np.random.Generator) -> FloatArray:
    """The fastest profile below `allowed` with bounded acceleration and braking: v2(s) <= v2(s') + 2 a |s - s'|."""
    push, brake = 2.0 * random.uniform(1.0, 1.8), 2.0 * random.uniform(1.5, 2.4)
    squared = allowed**2
    squared = np.minimum.accumulate(squared - push * along) + push * along
    squared = np.minimum.accumulate((squared + brake * along)[::-1])[::-1] - brake * along
    return np.sqrt(np.maximum(squared, 0.0))


def _with_waits(knots: tuple[FloatArray, ...], places: IntArray, waits: FloatArray) -> list[FloatArray]:
    """The knots with a second one, later by the wait, at each place the vehicle stands."""
    seconds, *others = (np.insert(values, places + 1, values[places]) for values in knots)
    later = np.zeros(len(seconds))
    later[places + 1 + np.arange(len(places))] = waits
    return [seconds + np.cumsum(later), *others]


def _fix_times(spans: list[tuple[float, float]], random: np.random.Generator) -> IntArray:
    """About every ten seconds while driving, every one to two minutes while parked."""
    edges = [0.0, *(edge for span in spans for edge in span), float(DAY_SECONDS)]
    parts = []
    for number, (begin, end) in enumerate(pairwise(edges)):
        low, high = (9, 12) if number % 2 else (60, 121)
        steps = random.integers(low, high, int((end - begin) / low) + 2)
        times = np.ceil(begin) + np.concatenate([[0], np.cumsum(steps)])
        parts.append(times[times < end])
    return np.unique(np.concatenate(parts).astype(np.int64))


def _ignition(times: IntArray, spans: list[tuple[float, float]]) -> BoolArray:
    """On while driving and during stops too short to switch the engine off."""
    on = np.zeros(len(times), dtype=np.bool_)
    for number, (begin, end) in enumerate(spans):
        following = spans[number + 1][0] if number + 1 < len(spans) else float("inf")
        until = following if following - end <= ENGINE_OFF_AFTER_SECONDS else end
        on |= (times >= begin) & (times <= until)
    return on


def _measure(
    random: np.random.Generator,
    times: IntArray,
    x_meters: FloatArray,
    y_meters: FloatArray,
    speeds_kph: FloatArray,
    headings: FloatArray,
    ignition: BoolArray,
    driven_km: FloatArray,
    spans: list[tuple[float, float]],
) -> VehicleDay:
    """Fixes as a receiver measures the truth: correlated noise of 3 to 8 m, a few fixes far worse and saying so."""
    count = len(times)
    knots = np.arange(0.0, DAY_SECONDS + 2 * NOISE_KNOT_SECONDS, NOISE_KNOT_SECONDS)
    sigma = np.interp(times, knots[::30], random.uniform(3.0, 8.0, len(knots[::30])))
    standing = speeds_kph < 1.0
    scale = sigma * np.where(standing, 0.5, 1.0)
    noise_x, noise_y = (np.interp(times, knots, random.normal(0.0, 0.8, len(knots))) * scale for _ in range(2))
    poor = random.random(count) < 0.004
    turn, far = random.uniform(0.0, 2 * np.pi, count), np.where(poor, random.uniform(30.0, 60.0, count), 0.0)
    latitudes, longitudes = to_degrees(x_meters + noise_x + far * np.cos(turn), y_meters + noise_y + far * np.sin(turn))
    measured = np.where(standing, 0.0, np.maximum(speeds_kph + random.normal(0.0, 0.8, count), 0.0))
    return VehicleDay(
        seconds=times,
        latitudes=_rounded(latitudes, 7),
        longitudes=_rounded(longitudes, 7),
        speeds_kph=_rounded(measured, 1),
        courses_degrees=_rounded((headings + np.where(standing, 0.0, random.normal(0.0, 2.0, count))) % 360.0, 1) % 360,
        altitudes_meters=_rounded(760 + x_meters / 150 + 15 * np.sin(y_meters / 900) + random.normal(0, 2, count), 1),
        accuracies_meters=_rounded(np.where(poor, random.uniform(110.0, 180.0, count), sigma * 1.3), 1),
        ignition=ignition,
        battery_volts=_rounded(np.where(ignition, 13.9, 12.5) + random.normal(0.0, 0.05, count), 2),
        fuel_percent=_rounded(np.maximum(random.uniform(55.0, 98.0) - driven_km * 0.16, 3.0), 1),
        driving_spans=spans,
    )


def _rounded(values: npt.ArrayLike, digits: int) -> FloatArray:
    return np.asarray(values, dtype=np.float64).round(digits)
