"""An ordinary message of a device, as most are: sent with the device's own key, nothing in it but good, complete fixes."""

from __future__ import annotations

from dataclasses import dataclass

from django.http import HttpResponse

from tasks_app.ingest.fix import Fix


@dataclass(frozen=True, slots=True)
class Ordinary:
    """Its fixes, and the answer once they are in the buffer."""

    fixes: list[Fix]
    answer: HttpResponse
