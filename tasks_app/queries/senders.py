"""Senders: the device of a key, or of an identifier."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from tasks_app.models import Device

_FIELDS = ("id", "unique_id", "name", "fleet_id", "is_active", "ingest_key_hash")


def hash_key(key: str) -> str:
    """Hash under which a key is stored. A key is 192 random bits, so a plain hash cannot be searched through."""
    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()


def device_of_key(key: str) -> Device | None:
    """The device that holds this key. Found by the hash, so its timing tells nothing about the key."""
    return Device.objects.only(*_FIELDS).filter(ingest_key_hash=hash_key(key)).first() if key else None


def devices_of_keys(keys: Iterable[str]) -> dict[str, Device]:
    """Return the devices that hold these keys, by key; one query."""
    key_of = {hash_key(key): key for key in keys if key}
    found = Device.objects.only(*_FIELDS).filter(ingest_key_hash__in=list(key_of)) if key_of else ()
    return {key_of[device.ingest_key_hash]: device for device in found}


def device_named(unique_id: str) -> Device | None:
    """The device that calls itself so."""
    return Device.objects.only(*_FIELDS).filter(unique_id=unique_id).first()
