"""Limits of anonymous requests, per client as all limits count clients."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import AnonRateThrottle

from tasks_app.utils.client_addresses import sender_key


class AnonymousThrottle(AnonRateThrottle):
    """So many requests of one address that no credential comes with."""

    def get_ident(self, request: Request) -> Any:
        return sender_key(request.META)
