"""Budgets of requests, kept in Redis: so many in a minute, filled evenly, taken from in one indivisible step."""

from __future__ import annotations

import math
from dataclasses import dataclass

from django.conf import settings

from tasks_app.redis_scripts import run_script
from tasks_app.utils.redis_client import redis_client

PERIOD_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Taken:
    """The outcome of taking one request from a budget of `limit` in PERIOD_SECONDS."""

    budget: str
    limit: int
    is_within: bool
    remaining: int
    reset_seconds: float
    wait_seconds: float

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the answer, as drafted by the IETF (draft-ietf-httpapi-ratelimit-headers)."""
        reset = str(math.ceil(self.reset_seconds))
        return {
            "RateLimit-Limit": str(self.limit),
            "RateLimit-Remaining": str(self.remaining),
            "RateLimit-Reset": reset,
            "RateLimit-Policy": f'"{self.budget}";q={self.limit};w={PERIOD_SECONDS}',
            "RateLimit": f'"{self.budget}";r={self.remaining};t={reset}',
        }


def take(budget: str, who: str) -> Taken | None:
    """Take one request from this budget of `who`; None where API_REQUESTS_PER_MINUTE sets no limit.

    Raises redis.RedisError.
    """
    limit = settings.API_REQUESTS_PER_MINUTE[budget]
    if not limit:
        return None
    key = f"{settings.CACHE_KEY_PREFIX}:budget:{budget}:{who}"
    within, remaining, reset, wait = run_script(redis_client(), "take_from_budget", [key], [limit, PERIOD_SECONDS])
    return Taken(budget, limit, bool(within), int(remaining), float(reset), float(wait))
