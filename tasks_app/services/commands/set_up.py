"""The settings of a device that decide what its commands look like."""

from __future__ import annotations

import re
from dataclasses import replace

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import InvalidCommand, TrackerSession
from tasks_app.models import DeviceAccess
from tasks_app.models.device_access import relay_variants_of
from tasks_app.utils.sealing import Unreadable


def as_set_up(session: TrackerSession, access: DeviceAccess, protocol: str) -> TrackerSession:
    """Return the session with the relay's form and the password of the device's settings. Raises InvalidCommand."""
    variant = access.relay_variant if access.relay_variant in relay_variants_of(protocol) else ""
    return replace(session, relay_variant=variant, password=own_password(access))


def own_password(access: DeviceAccess) -> str:
    """Return the password in the device's settings, "" where there is none. Raises InvalidCommand."""
    try:
        return access.password
    except Unreadable as error:
        raise InvalidCommand(_("The tracker's password cannot be decrypted any more: enter it again.")) from error


def without_own_password(text: str, access: DeviceAccess) -> str:
    """Return what a tracker said without the password in its device's settings, which some repeat; not where digits hold it."""
    try:
        password = access.password
    except Unreadable:
        return text
    return re.sub(rf"(?<![A-Za-z0-9]){re.escape(password)}(?![A-Za-z0-9])", "…", text) if password else text
