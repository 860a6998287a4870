"""The figures of the daily summary: a person's fleets in the last 24 hours."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from django.db.models import Count, F, FloatField, Q, QuerySet, Window
from django.db.models.fields.json import KT
from django.db.models.functions import Cast, Coalesce, RowNumber

from notifications_app.messages.spot import Spot
from notifications_app.queries.distance import fleet_distance_meters
from tasks_app.models import Device, DeviceStatus, Event, EventKind
from tasks_app.queries.access import visible_fleets

if TYPE_CHECKING:
    from django.contrib.auth.models import AbstractUser

WINDOW = timedelta(hours=24)
TOP_DEVICES = 5
TOP_EVENTS = 5
MAX_OFFLINE_LISTED = 10


@dataclass(frozen=True, slots=True)
class TopEvent:
    """An alarm, under the device's name for it, or an overspeed (`alarm` is None) with its top speed so far."""

    vehicle: str
    spot: Spot
    alarm: str | None = None
    speed_kph: float | None = None


@dataclass(slots=True)
class FleetSummary:
    """One fleet now and in the window. Devices taken out of service are not counted."""

    name: str
    device_count: int
    online_count: int
    offline_count: int
    distance_meters: float | None = None  # None: not measured
    event_counts: list[tuple[Any, int]] = field(default_factory=list)  # (label of the kind, events), most first
    top_devices: list[tuple[str, int]] = field(default_factory=list)  # (name, events), most first
    top_events: list[TopEvent] = field(default_factory=list)  # alarms, then the fastest overspeeds
    offline_devices: list[tuple[str, datetime | None]] = field(default_factory=list)  # (name, since), longest first

    @property
    def distance_kilometers(self) -> float | None:
        return None if self.distance_meters is None else self.distance_meters / 1000

    @property
    def event_count(self) -> int:
        return sum(count for _label, count in self.event_counts)

    @property
    def offline_not_listed(self) -> int:
        return max(0, self.offline_count - len(self.offline_devices))


def fleet_summaries(user: AbstractUser, *, now: datetime) -> list[FleetSummary]:
    """One summary per fleet that `user` sees, by name.

    The distance costs one read per device, once an hour and fleet; everything else six queries in all.
    """
    offline, online = Q(devices__state__status=DeviceStatus.OFFLINE), Q(devices__state__status=DeviceStatus.ONLINE)
    in_service = Q(devices__is_active=True)
    fleets = visible_fleets(user).annotate(
        device_count=Count("devices", filter=in_service),
        online_count=Count("devices", filter=in_service & online),
        offline_count=Count("devices", filter=in_service & offline),
    )
    summaries = {
        fleet.pk: FleetSummary(fleet.name, fleet.device_count, fleet.online_count, fleet.offline_count)
        for fleet in fleets.order_by("name")
    }
    # Whole minutes, so that people whose summaries are made together share the measured distances.
    until = now.replace(second=0, microsecond=0)
    _add_distances(summaries, since=until - WINDOW, until=until)
    _add_events(summaries, since=now - WINDOW, until=now)
    _add_offline(summaries)
    return list(summaries.values())


def _add_distances(summaries: dict[int, FleetSummary], *, since: datetime, until: datetime) -> None:
    devices: defaultdict[int, list[Device]] = defaultdict(list)
    for device in Device.objects.filter(fleet__in=list(summaries), is_active=True).order_by("pk"):
        devices[device.fleet_id].append(device)
    for fleet_id, summary in summaries.items():
        summary.distance_meters = fleet_distance_meters(fleet_id, devices[fleet_id], start=since, end=until)


def _add_events(summaries: dict[int, FleetSummary], *, since: datetime, until: datetime) -> None:
    events = Event.objects.filter(
        device__fleet__in=list(summaries), occurred_at__gt=since, occurred_at__lte=until
    ).order_by()
    labels = dict(EventKind.choices)
    by_kind = events.values_list("device__fleet_id", "kind").annotate(count=Count("id")).order_by("-count", "kind")
    for fleet_id, kind, count in by_kind:
        summaries[fleet_id].event_counts.append((labels.get(kind, kind), count))
    by_device = events.values_list("device__fleet_id", "device__name", "device_id").annotate(count=Count("id"))
    for fleet_id, name, _device_id, count in by_device.order_by("-count", "device__name", "device_id"):
        if len(summaries[fleet_id].top_devices) < TOP_DEVICES:
            summaries[fleet_id].top_devices.append((name, count))
    _add_top_events(summaries, events)


def _add_top_events(summaries: dict[int, FleetSummary], events: QuerySet[Event]) -> None:
    speed_kph = Cast(Coalesce(KT("data__peak_kph"), KT("data__speed_kph")), FloatField())
    ranked = events.filter(kind__in=[EventKind.ALARM, EventKind.OVERSPEED]).annotate(
        top_kph=speed_kph,
        rank=Window(
            RowNumber(),
            partition_by="device__fleet_id",
            # "alarm" comes before "overspeed".
            order_by=[F("kind"), F("top_kph").desc(nulls_last=True), F("occurred_at").desc(), F("pk")],
        ),
    )
    top = ranked.filter(rank__lte=TOP_EVENTS).select_related("device").order_by("device__fleet_id", "rank")
    for event in top:
        is_alarm = event.kind == EventKind.ALARM
        one = TopEvent(
            event.device.name,
            Spot(event.occurred_at, event.latitude, event.longitude),
            alarm=str(event.data.get("alarm", "")) if is_alarm else None,
            speed_kph=None if is_alarm else event.top_kph,
        )
        summaries[event.device.fleet_id].top_events.append(one)


def _add_offline(summaries: dict[int, FleetSummary]) -> None:
    offline = Device.objects.filter(fleet__in=list(summaries), is_active=True, state__status=DeviceStatus.OFFLINE)
    listed: defaultdict[int, int] = defaultdict(int)
    rows = offline.order_by("state__offline_since", "name").values_list("fleet_id", "name", "state__offline_since")
    for fleet_id, name, since in rows:
        if listed[fleet_id] < MAX_OFFLINE_LISTED:
            listed[fleet_id] += 1
            summaries[fleet_id].offline_devices.append((name, since))
