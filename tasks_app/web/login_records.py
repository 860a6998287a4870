"""The records of log-ins that axes keeps."""

from __future__ import annotations

from typing import Any

from axes.handlers.database import AxesDatabaseHandler
from django.http import HttpRequest

from tasks_app.web.login import refusal_of

# The length of the column, which axes does not look at.
MAX_USERNAME_LENGTH = 255


class LoginRecords(AxesDatabaseHandler):
    """As axes keeps them, without attempts that were refused before their password was looked at.

    axes writes a row for each failure, longer each time: during an attack the refused ones would cost more than the others.
    """

    def user_login_failed(
        self, sender: Any, credentials: dict[str, Any], request: HttpRequest | None = None, **kwargs: Any
    ) -> None:
        if request is None or refusal_of(request) is None:
            username = str(credentials.get("username", ""))[:MAX_USERNAME_LENGTH]
            super().user_login_failed(sender, {**credentials, "username": username}, request, **kwargs)
