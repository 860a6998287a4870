"""How fast passwords may be tried: per account, per address, and per device that logged in before (docs/adr/0007).

Every attempt is counted as a failure before its password is looked at, in one step with the question whether it may be made:
attempts at the same moment cannot pass together. A success takes its count back.
"""

from __future__ import annotations

import hashlib
import math
import time
import unicodedata
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from tasks_app.redis_scripts import script
from tasks_app.utils.client_addresses import limit_key
from tasks_app.utils.redis_client import redis_client

FIRST_WAIT_SECONDS = 5
# The wait has reached any maximum by then; counting on would only make it take longer to be forgotten.
MAX_DOUBLINGS = 10
OWN_FORGET_SECONDS = 3600
KNOWN_ADDRESSES_PER_ACCOUNT = 20


class TooManyAttempts(Exception):
    """No password is looked at before `wait_seconds` have passed."""

    def __init__(self, wait_seconds: int) -> None:
        super().__init__(wait_seconds)
        self.wait_seconds = wait_seconds


@dataclass(frozen=True, slots=True)
class Budget:
    """Failures that cost nothing, how soon one is forgotten, and the longest wait after those that cost."""

    name: str
    free: int
    forget_seconds: int
    longest_wait_seconds: int


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that may be made. `device` is the known device it comes from, or ""."""

    account: str
    address: str
    device: str
    budgets: tuple[Budget, ...]


def account_key(username: str) -> str:
    """One name for every spelling of a user name, and of one length."""
    plain = unicodedata.normalize("NFKC", username).casefold()
    return hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def admit(*, username: str, address: str, device: str = "", is_code: bool = False) -> Attempt:
    """Count an attempt, at the password or at the code of the second factor. Raises TooManyAttempts, redis.RedisError.

    A known device, or an address from which this account was logged in to, answers for its own failures only: nobody else
    can use those up. Everybody else shares what the account and the address allow.
    """
    account, address = _counted_account(username, is_code), limit_key(address)
    budgets = _budgets(account, address, device)
    if device:
        _note_device(account, device)
    waits = [str(value) for one in budgets for value in (one.free, one.forget_seconds, one.longest_wait_seconds)]
    keys = [_key(one.name) for one in budgets]
    answer = script(redis_client(), "admit_login")(keys, [FIRST_WAIT_SECONDS, MAX_DOUBLINGS, *waits])
    if (wait := float(answer)) > 0:
        raise TooManyAttempts(math.ceil(wait))
    return Attempt(account, address, device, budgets)


def succeeded(attempt: Attempt) -> None:
    """Take an attempt back whose password was right, and know its address from now on. Raises redis.RedisError."""
    pipeline = redis_client().pipeline()
    _take_back(attempt, pipeline)
    if attempt.address:
        known = _known_key(attempt.account)
        pipeline.zadd(known, {attempt.address: time.time()})
        pipeline.zremrangebyrank(known, 0, -KNOWN_ADDRESSES_PER_ACCOUNT - 1)
        pipeline.expire(known, settings.LOGIN_DEVICE_DAYS * 86_400)
    pipeline.execute()


def take_back(attempt: Attempt) -> None:
    """Take an attempt back whose password was right, where more than the password is asked for. Raises redis.RedisError."""
    pipeline = redis_client().pipeline()
    _take_back(attempt, pipeline)
    pipeline.execute()


def _take_back(attempt: Attempt, pipeline: Any) -> None:
    own, *shared = [_key(budget.name) for budget in attempt.budgets]
    pipeline.delete(own)
    if shared:
        script(redis_client(), "take_back_login")(shared, client=pipeline)


def uncounted_attempt(*, username: str, address: str, device: str) -> Attempt:
    """The attempt of a log-in whose last step was right, for `succeeded`. Raises redis.RedisError."""
    account, address = account_key(username), limit_key(address)
    return Attempt(account, address, device, _budgets(account, address, device)[:1])


def forget_failures(*, username: str, address: str) -> None:
    """Let this account be tried again at once, password and code, by this address and the devices known to it, too.

    Raises redis.RedisError.
    """
    redis, address = redis_client(), limit_key(address)
    for account in (_counted_account(username, is_code) for is_code in (False, True)):
        devices = [_device(account, device.decode()) for device in redis.smembers(_devices_key(account))]
        budgets = (_pair(account, address), *_shared_budgets(account, address), *devices)
        redis.delete(*[_key(budget.name) for budget in budgets])


def _counted_account(username: str, is_code: bool) -> str:
    """The account as its counts name it: codes have counts of their own, which no name typed at a log-in comes to."""
    return f"{account_key(username)}:code" if is_code else account_key(username)


def _note_device(account: str, device: str) -> None:
    """Keep which devices have counts of this account, for `forget_failures`, as long as they are kept themselves."""
    kept_seconds = (settings.AXES_FAILURE_LIMIT + MAX_DOUBLINGS) * OWN_FORGET_SECONDS + _longest_wait_seconds()
    pipeline = redis_client().pipeline()
    pipeline.sadd(_devices_key(account), device)
    pipeline.expire(_devices_key(account), kept_seconds)
    pipeline.execute()


def _budgets(account: str, address: str, device: str) -> tuple[Budget, ...]:
    if device:
        return (_device(account, device),)
    if _is_known(account, address):
        return (_pair(account, address),)
    return (_pair(account, address), *_shared_budgets(account, address))


def _own(name: str) -> Budget:
    return Budget(name, settings.AXES_FAILURE_LIMIT, OWN_FORGET_SECONDS, _longest_wait_seconds())


def _device(account: str, device: str) -> Budget:
    return _own(f"device:{account}:{device}")


def _pair(account: str, address: str) -> Budget:
    return _own(f"pair:{account}:{address}")


def _shared_budgets(account: str, address: str) -> tuple[Budget, ...]:
    of_account = Budget(f"account:{account}", settings.LOGIN_ACCOUNT_FAILURE_LIMIT, 600, _longest_wait_seconds())
    return of_account, Budget(f"address:{address}", settings.LOGIN_ADDRESS_FAILURE_LIMIT, 30, 60)


def _longest_wait_seconds() -> int:
    return int(settings.AXES_COOLOFF_TIME.total_seconds())


def _is_known(account: str, address: str) -> bool:
    if not address:
        return False
    since = redis_client().zscore(_known_key(account), address)
    return since is not None and time.time() - float(since) < settings.LOGIN_DEVICE_DAYS * 86_400


def _devices_key(account: str) -> str:
    return _key(f"devices:{account}")


def _known_key(account: str) -> str:
    return _key(f"known:{account}")


def _key(name: str) -> str:
    return f"{settings.CACHE_KEY_PREFIX}:login:{name}"
