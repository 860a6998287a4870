"""What the job history shows of arguments and texts: no secrets, and of a success not every one of 5 000 positions.

A name is judged by its words: `accessToken`, `access_token` and `ACCESS-TOKEN` are one name, `author` is not `auth`. A
name that says how many, how old or which kind (`session_count`, `token_expires_at`) says nothing secret.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise, zip_longest
from typing import Any

from tasks_app.engine.nesting import MAX_DEPTH

HIDDEN = "[hidden]"
TOO_DEEP = "(nested too deeply)"
OMITTED = "omitted_items"
MAX_LIST_ITEMS = 20
KEPT_LIST_ITEMS = 3

# Where a lower-case letter or digit meets a capital, and before the last of several capitals: accessToken, APIKey.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS = re.compile(r"[\W_]+")


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_SECRET_WORDS = _words(
    """auth oauth authorization authentication bearer session phone telephone cellphone mobilephone msisdn imei imsi iccid
    pass pw signature sig otp totp jwt cvv cvc"""
)
# Also at the end of words written together: csrftoken, dbpassword, sessionid.
_SECRET_ENDINGS = _words(
    """password passwd pwd passphrase passcode secret token credential cookie apikey accesskey privatekey secretkey
    signingkey encryptionkey authkey sessionid sessionkey phonenumber phoneno deviceimei"""
)
_SECRET_PAIRS = {(first, "key") for first in _words("api access private secret signing encryption device shared")}
_SECRET_PAIRS |= {("pin", "code"), ("mobile", "number"), ("security", "code")}
# The last word of a name that tells something about a secret, not the secret.
_HARMLESS_ENDINGS = _words(
    """count total age day hour minute second ms ttl timeout expiry expire expired at until type kind method algorithm
    length size limit max min enabled required verified valid status state model"""
)
_HARMLESS_BEGINNINGS = _words("max min num count has is needs")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Whether a value of this name must not be shown."""
    words = [word for part in _BETWEEN_WORDS.split(_HUMP.sub("_", name)) if (word := _singular(part.lower()))]
    if not words or words[-1] in _HARMLESS_ENDINGS or words[0] in _HARMLESS_BEGINNINGS:
        return False
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words):
        return True
    return any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _singular(word: str) -> str:
    word = word.rstrip("0123456789")
    return word if len(word) < 4 or word.endswith(("ss", "us")) else word.removesuffix("s")


def redact(value: Any) -> Any:
    """Return `value` with the values of secret-looking keys replaced, at any depth."""
    return _redact(value, MAX_DEPTH)


def _redact(value: Any, levels: int) -> Any:
    if isinstance(value, (dict, list)) and not levels:
        return TOO_DEEP
    if isinstance(value, dict):
        return {key: _redact_item(key, item, levels) for key, item in value.items()}
    if isinstance(value, list):
        return [_redact(item, levels - 1) for item in value]
    return value


def _redact_item(key: Any, item: Any, levels: int) -> Any:
    """A yes, a no or nothing at all is no secret, whatever it is called."""
    if item is None or isinstance(item, bool) or not is_secret(str(key)):
        return _redact(item, levels - 1)
    return HIDDEN


def redact_call(names: Sequence[str], args: list[Any], kwargs: dict[str, Any]) -> tuple[list[Any], dict[str, Any]]:
    """Redact the arguments of a call. `names` are those of the task's parameters: a secret may be given by place, too."""
    shown = [
        redact(value) if isinstance(value, (dict, list)) else _redact_item(name, value, 1)
        for name, value in zip_longest(names[: len(args)], args, fillvalue="")
    ]
    return shown, redact(kwargs)


def shorten(value: Any) -> Any:
    """Return `value` with the tail of long lists replaced by {"omitted_items": n}, at any depth."""
    return _shorten(value, MAX_DEPTH)


def _shorten(value: Any, levels: int) -> Any:
    if not levels:
        return value
    if isinstance(value, dict):
        return {key: _shorten(item, levels - 1) for key, item in value.items()}
    if isinstance(value, list):
        if len(value) > MAX_LIST_ITEMS:
            kept = [_shorten(item, levels - 1) for item in value[:KEPT_LIST_ITEMS]]
            return [*kept, {OMITTED: len(value) - KEPT_LIST_ITEMS}]
        return [_shorten(item, levels - 1) for item in value]
    return value


def is_complete(value: Any) -> bool:
    """Whether nothing was hidden or left out of `value`, so that a job can be made from it again."""
    if isinstance(value, dict):
        return OMITTED not in value and all(is_complete(item) for item in value.values())
    if isinstance(value, list):
        return all(is_complete(item) for item in value)
    return value not in (HIDDEN, TOO_DEEP)
