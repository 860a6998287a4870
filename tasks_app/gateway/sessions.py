"""The connections of a gateway, and which of them holds the session of a device: the newest one."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from typing import Protocol

from django.utils import timezone

from tasks_app.gateway.intake import Parcel
from tasks_app.gateway.limits import ConnectionLimits
from tasks_app.gateway.notes import Notes
from tasks_app.gateway.tally import Tally
from tasks_app.ingest.trackers.base import TrackerProtocol, TrackerSession
from tasks_app.queries.tracker_devices import TrackerDevice
from tasks_app.queries.trackers import SessionDescription


class Connection(Protocol):
    """A connection by TCP, or a sender of datagrams, as others know it: see `link.Link`.

    Times are those of the gateway's clock, but for `since`.
    """

    protocol: TrackerProtocol
    session: TrackerSession
    address: str
    # None until it said whose it is.
    device: TrackerDevice | None
    # Of its session; 0 while it has none.
    fence: int
    is_closed: bool
    is_waiting: bool
    is_retired: bool
    opened_at: float
    heard_at: float
    commanded_at: float
    since: datetime
    bytes_received: int
    bytes_sent: int
    frame_count: int

    def send(self, data: bytes) -> None:
        """Send bytes, and count them."""

    def has_unsent(self) -> bool:
        """Return whether bytes wait because the tracker does not read."""

    def pause(self) -> None:
        """Read no further."""

    def retire(self) -> None:
        """End it once what it has read is taken in."""

    def close(self, reason: str) -> None:
        """End it, for a reason that is counted."""


def described(link: Connection, now: float) -> SessionDescription:
    """Describe the session of a connection, the gateway's clock showing `now`."""
    assert link.device is not None
    return SessionDescription(
        device_pk=link.device.pk,
        protocol=link.protocol.name,
        transport=link.session.transport,
        since=link.since,
        last_seen_at=timezone.now() - timedelta(seconds=now - link.heard_at),
        address=link.address,
        bytes_received=link.bytes_received,
        bytes_sent=link.bytes_sent,
        frames=link.frame_count,
    )


class Sessions:
    """Knows all connections, and for each device the one that has its session."""

    def __init__(self, tally: Tally, notes: Notes, limits: ConnectionLimits) -> None:
        self._tally = tally
        self._notes = notes
        self._limits = limits
        self.links: set[Connection] = set()
        self.by_device: dict[str, Connection] = {}
        # Identifier and fence of sessions that ended and are still written down in Redis.
        self.ended: list[tuple[str, int]] = []
        # By device and transport: the latest connection that named itself, with or without its session.
        self._newest: dict[tuple[str, str], Connection] = {}

    # --- What connections report --------------------------------------------------------------------------------------

    def joined(self, link: Connection) -> None:
        """Take up a connection."""
        self.links.add(link)
        self._tally.opened[link.protocol.name, link.session.transport] += 1

    def named(self, link: Connection) -> None:
        """Note that a connection said whose it is."""
        if link.device is not None and not self.has_newer(link):
            self._newest[link.device.unique_id, link.session.transport] = link

    def opened(self, link: Connection, parcel: Parcel) -> None:
        """Take up the session that was opened with a parcel: the newer connection of a device wins.

        After an outage several of one tracker open theirs in any order; those that it gave up meanwhile are older.
        """
        former = self.by_device.get(parcel.unique_id)
        if former is not None and former.fence > parcel.fence:
            self.ended.append((parcel.unique_id, parcel.fence))
            link.retire()
            return
        if link.is_closed or self.has_newer(link):
            if former is not None and former is not link:
                former.fence = parcel.fence
            else:
                self.ended.append((parcel.unique_id, parcel.fence))
            link.retire()
            return
        link.fence = parcel.fence
        self.by_device[parcel.unique_id] = link
        if former is not None and former is not link:
            former.retire()
        assert link.device is not None
        self._notes.connected(link.device.pk, link.protocol.name)

    def leave(self, link: Connection) -> None:
        """End the session of a connection, which closes or is another device's from now on."""
        if link.device is not None:
            key = link.device.unique_id, link.session.transport
            if self._newest.get(key) is link:
                del self._newest[key]
        if link.device is not None and link.fence:
            if self.by_device.get(link.device.unique_id) is link:
                del self.by_device[link.device.unique_id]
            self.ended.append((link.device.unique_id, link.fence))
            self._notes.left(link.device.pk)
        link.fence = 0

    def lost(self, link: Connection) -> None:
        """Forget a connection whose transport is gone."""
        if link in self.links:
            self.links.remove(link)
            if link.session.transport == "tcp":
                self._limits.leave(link.address)

    # --- What others ask ----------------------------------------------------------------------------------------------

    def find(self, unique_id: str, fence: int) -> Connection | None:
        """Return the connection that holds exactly this session; None for one that its tracker has given up."""
        link = self.by_device.get(unique_id)
        if link is None or link.fence != fence or link.is_closed or self.has_newer(link):
            return None
        return link

    def has_newer(self, link: Connection) -> bool:
        """Return whether a later connection is of the same device: its tracker has given this one up.

        A datagram, whose address may be forged, says nothing of a connection by TCP.
        """
        if link.device is None:
            return False
        transports = ("tcp", "udp") if link.session.transport == "udp" else ("tcp",)
        others = (self._newest.get((link.device.unique_id, transport)) for transport in transports)
        return any(one is not None and one.opened_at > link.opened_at for one in others)

    def superseded(self, unique_id: str, fence: int) -> None:
        """Close a session that a newer connection, of this fence, took over on another node."""
        link = self.by_device.get(unique_id)
        if link is not None and link.fence < fence:
            link.close("superseded")

    def counts(self) -> Counter[str]:
        """Return how many devices are connected by each protocol."""
        return Counter(link.protocol.name for link in self.by_device.values())
