"""Parts of addresses."""

from __future__ import annotations

from django.urls.converters import UUIDConverter


class AnyCaseUUID(UUIDConverter):
    """A UUID, in capitals too: some languages write them so."""

    regex = "[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
