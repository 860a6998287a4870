"""Secrets of destinations at rest: Fernet (AES-128-CBC and HMAC-SHA256), with keys derived from settings.

The first of `ENCRYPTION_KEYS` encrypts, all of them decrypt. To change a key put the new one first, run
`manage.py rotate_secrets`, and then drop the old one.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING

from django.conf import settings

# cryptography takes 7 MB, and is loaded where a secret is opened: most processes never do that.
if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_PURPOSE = b"notifications_app.destinations"


class Unreadable(Exception):
    """None of the present keys opens this secret."""


def encrypt(values: dict[str, str]) -> str:
    return _fernet().encrypt(json.dumps(values).encode()).decode()


def decrypt(token: str) -> dict[str, str]:
    """Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return json.loads(_fernet().decrypt(token.encode()))
    except InvalidToken as error:
        raise Unreadable(Unreadable.__doc__) from error


def reencrypt(token: str) -> str:
    """The same secret under the first key. Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return _fernet().rotate(token.encode()).decode()
    except InvalidToken as error:
        raise Unreadable(Unreadable.__doc__) from error


def _fernet() -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(_derived(key)) for key in settings.ENCRYPTION_KEYS])


def _derived(key: str) -> bytes:
    """HKDF (RFC 5869) for this one purpose, so that the key signs nothing elsewhere."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key.encode())
    return base64.urlsafe_b64encode(derived)
