"""Encryption at rest. Texts are sealed with a secret of their owner and the secret key of the installation: neither alone opens
them. Packages above that have keys of their own derive them here, too."""

from __future__ import annotations

import base64
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from django.conf import settings

# cryptography takes 7 MB, and is loaded where something is encrypted: most processes never do that.
if TYPE_CHECKING:
    from cryptography.fernet import MultiFernet


class Unreadable(Exception):
    """None of the present keys opens this text."""


def seal(content: bytes, *, secret: str, purpose: str) -> bytes:
    """Encrypt and sign (Fernet: AES-128-CBC, HMAC-SHA256)."""
    return _fernet(secret, purpose).encrypt(content)


def unseal(sealed: bytes, *, secret: str, purpose: str) -> bytes:
    """Return the content. Raises Unreadable."""
    with unreadable_if_refused():
        return _fernet(secret, purpose).decrypt(sealed)


def _fernet(secret: str, purpose: str) -> MultiFernet:
    keys = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    return fernet_of([derived_key(secret, purpose=purpose, salt=key) for key in keys])


def encrypted(text: str, purpose: str) -> str:
    """Encrypt a text that the database keeps: by the first of ENCRYPTION_KEYS, while all of them decrypt."""
    return _kept_fernet(purpose).encrypt(text.encode()).decode()


def decrypted(token: str, purpose: str) -> str:
    """Return the text. Raises Unreadable."""
    with unreadable_if_refused():
        return _kept_fernet(purpose).decrypt(token.encode()).decode()


def encrypted_again(token: str, purpose: str) -> str:
    """Return the same text under the first key. Raises Unreadable."""
    with unreadable_if_refused():
        return _kept_fernet(purpose).rotate(token.encode()).decode()


def _kept_fernet(purpose: str) -> MultiFernet:
    return fernet_of([derived_key(key, purpose=purpose) for key in settings.ENCRYPTION_KEYS])


def fernet_of(keys: Iterable[bytes]) -> MultiFernet:
    """Return a cipher that encrypts with the first key and decrypts with any of them."""
    from cryptography.fernet import Fernet, MultiFernet

    return MultiFernet([Fernet(key) for key in keys])


def derived_key(secret: str, *, purpose: str, salt: str | None = None) -> bytes:
    """Return a key for Fernet that is good for this purpose only, by HKDF (RFC 5869): the secret signs nothing elsewhere."""
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    salt_bytes = None if salt is None else salt.encode()
    derived = HKDF(algorithm=SHA256(), length=32, salt=salt_bytes, info=purpose.encode())
    return base64.urlsafe_b64encode(derived.derive(secret.encode()))


@contextmanager
def unreadable_if_refused() -> Iterator[None]:
    """Context in which a token that no key opens raises Unreadable."""
    from cryptography.fernet import InvalidToken

    try:
        yield
    except InvalidToken as error:
        raise Unreadable(Unreadable.__doc__) from error
