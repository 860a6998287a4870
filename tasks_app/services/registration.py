"""Devices nobody entered yet: added to one fleet by themselves, where INGEST_REGISTER_UNKNOWN names it."""

from __future__ import annotations

import logging
import re

from django.conf import settings

from tasks_app.models import Device, Fleet
from tasks_app.models.devices import DeviceKind

logger = logging.getLogger(__name__)

# What trackers and phones call themselves. Anything else is more likely a stranger's attempt.
_PLAUSIBLE_ID = re.compile(r"[\w.:-]{3,40}", re.ASCII)


def register_unknown(*, unique_id: str, name: str = "", kind: DeviceKind = DeviceKind.OTHER) -> Device | None:
    """Add the device, without a key; None where that is not wanted.

    It is not wanted without the setting, for an identifier no tracker has, and once the fleet holds
    INGEST_REGISTER_MAX_DEVICES devices.
    """
    fleet_name = settings.INGEST_REGISTER_UNKNOWN
    if not fleet_name or not _PLAUSIBLE_ID.fullmatch(unique_id):
        return None
    fleet = Fleet.objects.filter(name=fleet_name).first()
    if fleet is None or fleet.devices.count() >= settings.INGEST_REGISTER_MAX_DEVICES:
        logger.warning("Device %s is not registered: fleet %r is missing or full.", unique_id, fleet_name)
        return None
    shown_name = "".join(letter for letter in name if letter.isprintable()).strip()[:100] or unique_id
    defaults = {"fleet": fleet, "name": shown_name, "kind": kind}
    device, created = Device.objects.get_or_create(unique_id=unique_id, defaults=defaults)
    if created:
        logger.info("Device %s was registered in fleet %r.", unique_id, fleet_name)
    return device
