"""Base of the endpoints for devices."""

from __future__ import annotations

from typing import Any

from rest_framework.request import Request

from tasks_app.api.base import ApiView

# In OpenAPI: a device's key (docs/devices.md), in one of the headers; or in the query, for phones.
DEVICE_AUTH: list[Any] = [{"deviceKey": []}, {"deviceBearer": []}, {"deviceBasic": []}, {"deviceKeyInQuery": []}]
SERVER_AUTH: list[Any] = [{"deviceBearer": []}]


class IngestView(ApiView):
    """For devices and servers, not people: no session, no CSRF, limits of its own."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    throttle_classes: list[Any] = []

    def get_authenticate_header(self, request: Request) -> str:
        return "Bearer"
