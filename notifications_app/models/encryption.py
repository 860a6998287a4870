"""Secrets of destinations at rest: Fernet (AES-128-CBC and HMAC-SHA256), with keys derived from settings.

The first of `ENCRYPTION_KEYS` encrypts, all of them decrypt. To change a key put the new one first, run
`manage.py rotate_secrets`, and then drop the old one.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from django.conf import settings

from tasks_app.utils.sealing import Unreadable as Unreadable
from tasks_app.utils.sealing import derived_key, fernet_of, unreadable_if_refused

if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet

_PURPOSE = "notifications_app.destinations"


def encrypt(values: dict[str, str]) -> str:
    return _fernet().encrypt(json.dumps(values).encode()).decode()


def decrypt(token: str) -> dict[str, str]:
    """Raises Unreadable."""
    with unreadable_if_refused():
        return json.loads(_fernet().decrypt(token.encode()))


def reencrypt(token: str) -> str:
    """The same secret under the first key. Raises Unreadable."""
    with unreadable_if_refused():
        return _fernet().rotate(token.encode()).decode()


def _fernet() -> MultiFernet:
    return fernet_of([derived_key(key, purpose=_PURPOSE) for key in settings.ENCRYPTION_KEYS])
