"""Limits on the old password where people change their own, which a session that was stolen could guess at there."""

from __future__ import annotations

from typing import Any

import redis
from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from tasks_app.services.accounts import TooManyAttempts, admit, succeeded


class LimitsOldPassword:
    """A mixin of Django's PasswordChangeForm."""

    user: Any

    def clean_old_password(self) -> str:
        try:
            attempt = admit(username=self.user.get_username(), address="", device=f"old-password:{self.user.pk}")
        except TooManyAttempts as error:
            raise ValidationError(_("Too many failed logins; try again later."), "locked_out") from error
        except redis.RedisError as error:
            raise ValidationError(_("Redis does not answer; try again later."), "redis_unavailable") from error
        password = str(super().clean_old_password())  # type: ignore[misc]
        succeeded(attempt)
        return password
