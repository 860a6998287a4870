"""Deciding which names are those of secrets.

A name is judged by its words: `accessToken`, `access_token` and `ACCESS-TOKEN` are one name, `author` is not `auth`. A
name of a count, an age or a kind (`session_count`, `token_expires_at`) is not secret.
"""

from __future__ import annotations

import re
from functools import lru_cache
from itertools import pairwise

HIDDEN = "[hidden]"

# Where a lower-case letter or digit meets a capital, and before the last of several capitals: accessToken, APIKey.
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BETWEEN_WORDS = re.compile(r"[\W_]+")


def words_of(text: str) -> tuple[str, ...]:
    """Return the words of a text."""
    return tuple(text.split())


_SECRET_WORDS = words_of(
    """auth oauth authorization authentication bearer session phone telephone cellphone mobilephone msisdn imei imsi iccid
    pass pw senha telefone signature sig otp totp jwt cvv cvc"""
)
# Also at the end of words written together: csrftoken, dbpassword, sessionid.
_SECRET_ENDINGS = words_of(
    """password passwd pwd passphrase passcode secret token credential cookie apikey accesskey privatekey secretkey
    signingkey encryptionkey authkey sessionid sessionkey phonenumber phoneno deviceimei"""
)
_SECRET_PAIRS = {(first, "key") for first in words_of("api access private secret signing encryption device shared")}
_SECRET_PAIRS |= {("pin", "code"), ("mobile", "number"), ("security", "code")}
# Last words of names that describe a secret without being one.
_HARMLESS_ENDINGS = words_of(
    """count total age day hour minute second ms ttl timeout expiry expire expired at until type kind method algorithm
    length size limit max min enabled required verified valid status state model"""
)
_HARMLESS_BEGINNINGS = words_of("max min num count has is needs")


@lru_cache(maxsize=4096)
def is_secret(name: str) -> bool:
    """Return whether values of this name are hidden."""
    words = [word for part in _BETWEEN_WORDS.split(_HUMP.sub("_", name)) if (word := _singular(part.lower()))]
    if not words or words[-1] in _HARMLESS_ENDINGS or words[0] in _HARMLESS_BEGINNINGS:
        return False
    if any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words):
        return True
    return any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _singular(word: str) -> str:
    word = word.rstrip("0123456789")
    return word if len(word) < 4 or word.endswith(("ss", "us")) else word.removesuffix("s")
