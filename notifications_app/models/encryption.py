"""Secrets of destinations at rest: Fernet (AES-128-CBC and HMAC-SHA256), with keys derived from settings.

The first of `ENCRYPTION_KEYS` encrypts, all of them decrypt. To change a key put the new one first, run
`manage.py rotate_secrets`, and then drop the old one.
"""

from __future__ import annotations

import json

from tasks_app.utils import sealing
from tasks_app.utils.sealing import Unreadable as Unreadable

_PURPOSE = "notifications_app.destinations"


def encrypt(values: dict[str, str]) -> str:
    return sealing.encrypted(json.dumps(values), _PURPOSE)


def decrypt(token: str) -> dict[str, str]:
    """Raises Unreadable."""
    return json.loads(sealing.decrypted(token, _PURPOSE))


def reencrypt(token: str) -> str:
    """The same secret under the first key. Raises Unreadable."""
    return sealing.encrypted_again(token, _PURPOSE)
