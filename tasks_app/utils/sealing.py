"""Texts sealed with a secret of their owner and the secret key of the installation: neither alone opens them."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from django.conf import settings

# cryptography takes 7 MB, and is loaded where something is sealed: most processes never do that.
if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Unreadable(Exception):
    """None of the present keys opens this text."""


def seal(content: bytes, *, secret: str, purpose: str) -> bytes:
    """Encrypt and sign (Fernet: AES-128-CBC, HMAC-SHA256)."""
    return _fernet(secret, purpose).encrypt(content)


def unseal(sealed: bytes, *, secret: str, purpose: str) -> bytes:
    """Return the content. Raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        return _fernet(secret, purpose).decrypt(sealed)
    except InvalidToken as error:
        raise Unreadable(Unreadable.__doc__) from error


def _fernet(secret: str, purpose: str) -> MultiFernet:
    from cryptography.fernet import Fernet, MultiFernet

    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return MultiFernet([Fernet(_derived(key, secret, purpose)) for key in keys])


def _derived(key: str, secret: str, purpose: str) -> bytes:
    """HKDF (RFC 5869) for this one purpose."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    derived = HKDF(algorithm=SHA256(), length=32, salt=key.encode(), info=purpose.encode())
    return base64.urlsafe_b64encode(derived.derive(secret.encode()))
