"""The kinds of messages of this package. A new one is a line here; other packages register theirs in their AppConfig."""

from __future__ import annotations

from notifications_app.messages.kinds import (
    alarm,
    battery,
    channel,
    command,
    connection,
    daily_summary,
    digest,
    geofence,
    ignition,
    maintenance,
    other,
    overspeed,
    system,
    trip,
)
from notifications_app.messages.kinds.base import register_events
from notifications_app.models.kinds import MESSAGE_KINDS

MODULES = (
    geofence,
    connection,
    overspeed,
    trip,
    ignition,
    alarm,
    battery,
    command,
    maintenance,
    daily_summary,
    system,
    other,
    digest,
    channel,
)

for module in MODULES:
    MESSAGE_KINDS.register(*module.KINDS)
    register_events(*module.EVENTS)
