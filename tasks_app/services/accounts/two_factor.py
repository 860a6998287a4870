"""The second factor at log-in: six digits of an authenticator app (TOTP), or one of the recovery codes, each good once.

The limits of log-ins cover codes too, so django-otp's own, by which anybody with the password could lock the owner out for
ever, are off (OTP_TOTP_THROTTLE_FACTOR).
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets
import time
from binascii import unhexlify
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib.auth import get_user_model
from django.db import transaction
from django_otp.oath import TOTP
from django_otp.plugins.otp_static.models import StaticDevice, StaticToken
from django_otp.plugins.otp_totp.models import TOTPDevice

ISSUER = "Tracker"
TOLERANCE_STEPS = 1
RECOVERY_CODES = 10
_DIGITS = re.compile(r"[0-9]{6}")
_KEY_BYTES = 20


def has_second_factor(user: Any) -> bool:
    return _devices_of(user).exists()


def new_key() -> str:
    """A key for an authenticator app, hex."""
    return secrets.token_hex(_KEY_BYTES)


def key_text(key: str) -> str:
    """The key as people type it into an app: base32 in groups of four."""
    text = base64.b32encode(unhexlify(key)).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def key_address(user: Any, key: str) -> str:
    """The address that apps read from a QR code."""
    label = quote(f"{ISSUER}:{user.get_username()}")
    secret = base64.b32encode(unhexlify(key)).decode()
    return f"otpauth://totp/{label}?{urlencode({'secret': secret, 'issuer': ISSUER})}"


@transaction.atomic
def set_second_factor(*, user: Any, key: str, code: str) -> list[str]:
    """Ask for codes of this key from now on, if `code` is one. Return new recovery codes.

    Nothing is returned, and nothing changed, for a wrong code and for a user who has a second factor already.
    """
    totp = TOTP(unhexlify(key))
    totp.time = time.time()
    digits = _plain(code)
    if not _DIGITS.fullmatch(digits) or not totp.verify(int(digits), TOLERANCE_STEPS):
        return []
    _one_after_the_other(user)
    if has_second_factor(user):
        return []
    # The code that was just shown is used up.
    TOTPDevice.objects.create(user=user, name="app", key=key, confirmed=True, drift=totp.drift, last_t=totp.t())
    return renew_recovery_codes(user=user)


@transaction.atomic
def renew_recovery_codes(*, user: Any) -> list[str]:
    """Replace the recovery codes of a user. They are returned this once; hashes are kept."""
    _one_after_the_other(user)
    StaticDevice.objects.filter(user=user).delete()
    device = StaticDevice.objects.create(user=user, name="recovery", confirmed=True)
    codes = [secrets.token_hex(8) for _number in range(RECOVERY_CODES)]
    StaticToken.objects.bulk_create([StaticToken(device=device, token=_hash(code)) for code in codes])
    return ["-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in codes]


def recovery_codes_left(user: Any) -> int:
    return StaticToken.objects.filter(device__user=user).count()


@transaction.atomic
def is_right_code(*, user: Any, code: str) -> bool:
    """Whether this is a code of the user's app or a recovery code. It is good once."""
    plain = _plain(code)
    _one_after_the_other(user)
    device = _devices_of(user).first()
    if device is None:
        return False
    if _DIGITS.fullmatch(plain):
        return bool(device.verify_token(plain))
    return StaticToken.objects.filter(device__user=user, token=_hash(plain)).delete()[0] == 1


@transaction.atomic
def remove_second_factor(*, user: Any) -> bool:
    """Ask for no code any more; return whether one was asked for."""
    _one_after_the_other(user)
    StaticDevice.objects.filter(user=user).delete()
    return TOTPDevice.objects.filter(user=user).delete()[0] > 0


def _one_after_the_other(user: Any) -> None:
    """Let no two requests use or change the second factor of a user at the same moment, until the transaction ends."""
    list(get_user_model().objects.select_for_update(no_key=True).filter(pk=user.pk).values_list("pk"))


def _devices_of(user: Any) -> Any:
    return TOTPDevice.objects.filter(user=user, confirmed=True)


def _plain(code: str) -> str:
    return re.sub(r"[\s-]", "", code).lower()


def _hash(code: str) -> str:
    """64 bits of the hash of a code of 64 bits: as many as the column holds."""
    return hashlib.sha256(code.encode("utf-8", "surrogatepass")).hexdigest()[:16]
