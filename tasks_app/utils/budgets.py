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


def take(budget: str, who: str, *, token: str = "") -> Taken | None:
    """Take one request from this budget of `who`, and from the part of it that one of their tokens may use.

    Return what the scarcer one has left; None where API_REQUESTS_PER_MINUTE sets no limit. One round trip. Raises
    redis.RedisError.
    """
    limit = settings.API_REQUESTS_PER_MINUTE[budget]
    if not limit:
        return None
    shares = [(budget, f"{budget}:{who}", limit)]
    if token:
        part = max(1, limit * settings.API_TOKEN_BUDGET_PERCENT // 100)
        shares.append((f"{budget}-token", f"{budget}:token:{token}", part))
    keys = [f"{settings.CACHE_KEY_PREFIX}:budget:{key}" for _name, key, _limit in shares]
    limits = [limit for _name, _key, limit in shares]
    within, number, remaining, reset, wait = run_script(
        redis_client(), "take_from_budget", keys, [PERIOD_SECONDS, *limits]
    )
    name, _key, scarcest = shares[int(number) - 1]
    return Taken(name, scarcest, bool(within), int(remaining), float(reset), float(wait))
