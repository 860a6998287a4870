"""Registration of unknown devices: into the fleet INGEST_REGISTER_UNKNOWN names, so many an hour."""

from __future__ import annotations

import logging
import re
import time

from django.conf import settings
from django.db import transaction

from tasks_app.engine.config import engine_config
from tasks_app.models import Device, Fleet
from tasks_app.models.devices import DeviceKind
from tasks_app.redis_scripts import script
from tasks_app.utils.redis_client import redis_client

logger = logging.getLogger(__name__)

WINDOW_SECONDS = 3600
# What trackers and phones call themselves. Anything else is more likely a stranger's attempt.
_PLAUSIBLE_ID = re.compile(r"[\w.:-]{3,40}", re.ASCII)


class TooManyNewDevices(RuntimeError):
    """So many devices registered themselves in this hour that no other may; `retry_after_seconds` says when it ends."""

    def __init__(self, retry_after_seconds: int) -> None:
        super().__init__("Too many unknown devices registered themselves in this hour.")
        self.retry_after_seconds = retry_after_seconds


def register_unknown(
    *, unique_id: str, address: str | None, name: str = "", kind: DeviceKind = DeviceKind.OTHER
) -> Device | None:
    """Add the device, without a key; None where registration is off.

    It is not wanted without the setting, for an identifier no tracker has, and once the fleet holds
    INGEST_REGISTER_MAX_DEVICES devices. `address` is the sender's, None for a server that proved who it is. Raises
    TooManyNewDevices, redis.RedisError.
    """
    fleet_name = settings.INGEST_REGISTER_UNKNOWN
    if not fleet_name or not _PLAUSIBLE_ID.fullmatch(unique_id):
        return None
    shown_name = "".join(letter for letter in name if letter.isprintable()).strip()[:100] or unique_id
    with transaction.atomic():
        # Locked, so that of many at once none finds the last place free that another takes.
        fleet = Fleet.objects.select_for_update().filter(name=fleet_name).first()
        if (device := Device.objects.filter(unique_id=unique_id).first()) is not None:
            return device
        if fleet is None or fleet.devices.count() >= settings.INGEST_REGISTER_MAX_DEVICES:
            logger.warning("Device %s is not registered: fleet %r is missing or full.", unique_id, fleet_name)
            return None
        _reserve(unique_id, address)
        device, created = Device.objects.get_or_create(
            unique_id=unique_id, defaults={"fleet": fleet, "name": shown_name, "kind": kind}
        )
    if created:
        logger.info("Device %s was registered in fleet %r.", unique_id, fleet_name)
    return device


def _reserve(unique_id: str, address: str | None) -> None:
    """Count one more registration of this hour. Raises TooManyNewDevices, which counts nothing."""
    window, passed_seconds = divmod(time.time(), WINDOW_SECONDS)
    prefix = f"{{{engine_config().prefix}:registrations}}:{int(window)}"
    limits = {f"{prefix}:all": settings.INGEST_REGISTER_PER_HOUR}
    if address is not None:
        limits[f"{prefix}:address:{address}"] = settings.INGEST_REGISTER_PER_ADDRESS_PER_HOUR
    if not script(redis_client(), "reserve_registration")(list(limits), [2 * WINDOW_SECONDS, *limits.values()]):
        logger.warning("Device %s is not registered: too many were in this hour, the last from %s.", unique_id, address)
        raise TooManyNewDevices(WINDOW_SECONDS - int(passed_seconds))
