"""Keys that authenticate devices: shown once, stored as a hash."""

from __future__ import annotations

import secrets

from django.db import transaction

from tasks_app.models import Device
from tasks_app.queries.senders import hash_key
from tasks_app.services.audit import record, subject_of_row


class KeyExists(Exception):
    """The device has a key already; a new one would end it."""


def issue_key(*, device: Device, rotate: bool = False) -> str:
    """Issue a new key of the device, which cannot be shown again. Raises KeyExists unless `rotate`.

    A former key is refused from now on.
    """
    key = secrets.token_urlsafe(24)
    found = Device.objects.filter(pk=device.pk)
    if not rotate:
        found = found.filter(ingest_key_hash="")
    with transaction.atomic():
        if not found.update(ingest_key_hash=hash_key(key)):
            raise KeyExists(KeyExists.__doc__)
        record("device_key", subject_of_row(device), given={"rotate": rotate})
    device.ingest_key_hash = hash_key(key)
    return key


def revoke_key(*, device: Device) -> None:
    """Refuse the key of the device from now on; without one nothing happens."""
    with transaction.atomic():
        if Device.objects.filter(pk=device.pk).exclude(ingest_key_hash="").update(ingest_key_hash=""):
            record("revoke_device_key", subject_of_row(device))
    device.ingest_key_hash = ""
