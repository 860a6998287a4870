"""State of watched fleets in one web process, and how far each viewer is up to date.

A change gives a device a new version and moves it to the end; a viewer remembers a version. What to send to a viewer is
then what stands behind it: each device once, as it is now. So a slow viewer costs nothing and always gets the newest.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

import msgspec

from tasks_app.queries.live import CommandNow, DeviceInfo, DeviceNow, RecentEvent

# A viewer who fell behind by more than so many events of a fleet gets the number of those left out.
KEPT_EVENTS = 1000
KEPT_REMOVALS = 1000
KEPT_COMMANDS = 1000


@dataclass(frozen=True, slots=True)
class Known:
    """A device's last known state; `info` is None until it was read from the database."""

    device_id: int
    info: DeviceInfo | None
    now: DeviceNow | None
    version: int
    info_version: int


class _About(msgspec.Struct):
    """The device of an event or a command, as its JSON names it."""

    device_id: int


_about = msgspec.json.Decoder(_About).decode


@dataclass(slots=True)
class Cursor:
    """Position of a viewer in the changes: versions of devices, number of events."""

    version: int = 0
    events: int = 0


@dataclass(slots=True)
class FleetUpdate:
    """Changes not yet sent to a viewer. `devices` marks those whose info is new to the viewer."""

    devices: list[tuple[Known, bool]] = field(default_factory=list)
    removed: list[int] = field(default_factory=list)
    events: list[RecentEvent] = field(default_factory=list)
    dropped_events: int = 0
    commands: list[CommandNow] = field(default_factory=list)
    geofences_changed: bool = False

    def add(self, other: FleetUpdate) -> None:
        """Add the changes of one more fleet."""
        self.devices += other.devices
        self.removed += other.removed
        self.events += other.events
        self.dropped_events += other.dropped_events
        self.commands += other.commands
        self.geofences_changed |= other.geofences_changed

    def keep_latest_events(self, number: int) -> None:
        """Of several fleets' events the latest so many, in order."""
        self.events = sorted(self.events, key=lambda event: event.event_id)[-number:]

    def __bool__(self) -> bool:
        parts = (self.devices, self.removed, self.events, self.dropped_events, self.commands, self.geofences_changed)
        return any(parts)


class FleetView:
    """One fleet. Changed by `apply` (a message of a worker) and `reread` (the database), read by `updates_after`."""

    def __init__(self) -> None:
        self.version = 0
        self.event_count = 0
        self._known: dict[int, Known] = {}
        self._removed: dict[int, int] = {}
        # None in the place of one that is no longer this fleet's: places are counted.
        self._events: deque[RecentEvent | None] = deque(maxlen=KEPT_EVENTS)
        self._event_ids: dict[int, None] = {}
        # With the version of this view at which each changed, the last changed at the end.
        self._commands: dict[int, tuple[int, CommandNow]] = {}
        # The version at which a geofence last changed, and what told it.
        self._geofences_version = 0
        self._geofence_mark: object = None
        # Whether the database is to be asked: a device was published that it was not asked about yet, or rows changed.
        self.is_outdated = False

    def apply(
        self, devices: Iterable[DeviceNow], events: Iterable[RecentEvent], commands: Iterable[CommandNow] = ()
    ) -> None:
        """Apply a message of a worker. Messages of two workers may cross: the newer state stays."""
        for now in devices:
            before = self._known.get(now.device_id)
            if before is None or before.now is None or now.age >= before.now.age:
                self._put(before, now, before.info if before else None)
                self.is_outdated |= before is None
        self._add_events(events)
        self._put_commands(commands)

    def reread(
        self,
        devices: Sequence[tuple[DeviceInfo, DeviceNow]],
        events: Iterable[RecentEvent],
        commands: Iterable[CommandNow] = (),
        geofence_mark: object = None,
    ) -> None:
        """Apply the database's devices, recent events and commands of the fleet; unchanged rows are no update."""
        for info, now in devices:
            before = self._known.get(info.id)
            if before is not None and before.now is not None and before.now.age > now.age:
                now = before.now
            if before is None or before.info != info or before.now is None or before.now.state != now.state:
                self._put(before, now, info)
        if gone := self._known.keys() - {info.id for info, _now in devices}:
            self._remove(gone)
        self._add_events(events)
        self._put_commands(commands)
        if geofence_mark != self._geofence_mark:
            self._geofence_mark, self._geofences_version = geofence_mark, self._next_version()

    def updates_after(self, cursor: Cursor) -> FleetUpdate:
        """Changes since `cursor`, which moves to now."""
        update = FleetUpdate(
            [(known, known.info_version > cursor.version) for known in self._known_after(cursor.version)],
            [device_id for device_id, version in self._removed.items() if version > cursor.version],
        )
        missed = self.event_count - cursor.events
        if missed:
            kept = min(missed, len(self._events))
            update.events = self._latest_events(kept)
            update.dropped_events = missed - kept
        update.commands = [command for version, command in self._commands.values() if version > cursor.version]
        update.geofences_changed = self._geofences_version > cursor.version
        cursor.version, cursor.events = self.version, self.event_count
        return update

    def snapshot(self, cursor: Cursor, events: int) -> FleetUpdate:
        """All devices, the latest so many events and the commands of late; `cursor` moves to now."""
        cursor.version, cursor.events = self.version, self.event_count
        commands = [command for _version, command in self._commands.values()]
        return FleetUpdate(
            [(known, True) for known in self._known.values()],
            [],
            self._latest_events(KEPT_EVENTS)[-events:],
            commands=commands,
        )

    def device(self, device_id: int) -> Known | None:
        """The device as it is now, if the fleet has it and it was read from the database."""
        known = self._known.get(device_id)
        return known if known is not None and known.info is not None else None

    def _latest_events(self, number: int) -> list[RecentEvent]:
        return [event for event in list(self._events)[-number:] if event is not None]

    def _remove(self, device_ids: Set[int]) -> None:
        """Forget devices that left, and what is known about them: who comes now has no right to it."""
        for device_id in device_ids:
            del self._known[device_id]
            self._removed[device_id] = self._next_version()
        _drop_oldest(self._removed, KEPT_REMOVALS)
        for place, event in enumerate(self._events):
            if event is not None and _about(event.event).device_id in device_ids:
                self._events[place] = None
                self._event_ids.pop(event.event_id, None)
        self._commands = {
            command_id: kept
            for command_id, kept in self._commands.items()
            if _about(kept[1].command).device_id not in device_ids
        }

    def _known_after(self, version: int) -> Iterator[Known]:
        return takewhile(lambda known: known.version > version, reversed(self._known.values()))

    def _put(self, before: Known | None, now: DeviceNow, info: DeviceInfo | None) -> None:
        version = self._next_version()
        same_info = before is not None and before.info == info
        info_version = before.info_version if same_info and before is not None else version
        self._known.pop(now.device_id, None)
        self._removed.pop(now.device_id, None)
        self._known[now.device_id] = Known(now.device_id, info, now, version, info_version)

    def _add_events(self, events: Iterable[RecentEvent]) -> None:
        for event in events:
            if event.event_id not in self._event_ids:
                self._event_ids[event.event_id] = None
                self._events.append(event)
                self.event_count += 1
        _drop_oldest(self._event_ids, 2 * KEPT_EVENTS)

    def _put_commands(self, commands: Iterable[CommandNow]) -> None:
        for command in commands:
            _version, before = self._commands.get(command.command_id, (0, None))
            if before is None or command.version > before.version:
                self._commands.pop(command.command_id, None)
                self._commands[command.command_id] = (self._next_version(), command)
        _drop_oldest(self._commands, KEPT_COMMANDS)

    def _next_version(self) -> int:
        self.version += 1
        return self.version


def _drop_oldest(kept: dict[int, Any], limit: int) -> None:
    while len(kept) > limit:
        del kept[next(iter(kept))]
