"""Limits of requests: each person has a budget for reading, for writing, for sending positions, for reports and for alerts.

A session and all tokens of a person draw on the same budgets, each token on a part of them only. Who sends no credential has
one for the address. Devices have limits of their own (`ingest_limits`), log-ins too (`tasks_app.web.login`).
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import Any

import redis
from django.utils.translation import gettext as _
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from tasks_app.utils.budgets import Taken, take
from tasks_app.utils.client_addresses import sender_key

logger = logging.getLogger(__name__)

REDIS_REST_SECONDS = 2.0


@dataclass
class Outage:
    """Until when Redis is not asked, after it did not answer: a frozen one would hold up every request for seconds."""

    until: float = 0.0

    def is_on(self) -> bool:
        return time.monotonic() < self.until

    def begin(self, error: redis.RedisError) -> None:
        logger.warning("Requests are not limited: %s", error)
        self.until = time.monotonic() + REDIS_REST_SECONDS


outage = Outage()


class BudgetThrottle(BaseThrottle):
    """Takes each request from its budget. While Redis is away none is refused: what needs Redis says so by itself."""

    def allow_request(self, request: Request, view: Any) -> bool:
        """Raise Throttled for a request beyond the budget; the view gets what was taken, for the headers of its answer."""
        if outage.is_on():
            return True
        try:
            view.taken = _take(request, view)
        except redis.RedisError as error:
            outage.begin(error)
            return True
        if view.taken and not view.taken.is_within:
            raise Throttled(view.taken.wait_seconds, _("Too many requests; go on later."), "throttled")
        return True


def _take(request: Request, view: Any) -> Taken | None:
    if not request.user.is_authenticated:
        return take("anonymous", f"address:{sender_key(request.META)}")
    budget = "reads" if request.method in SAFE_METHODS else getattr(view, "budget", "writes")
    return take(budget, f"user:{request.user.pk}", token=getattr(request.auth, "digest", "")[:32])
