"""`manage.py api_token USERNAME`: a new API token on standard output."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.management.arguments import short_text, whole_number
from tasks_app.management.base import ShellCommand
from tasks_app.models import Scope
from tasks_app.services.accounts import AccountChanged, TooManyTokens, issue_token

MAX_DAYS = 3650


def _wish(options: dict[str, Any]) -> dict[str, Any]:
    days: int | None = options["days"]
    if days is not None and not 0 <= days <= MAX_DAYS:
        raise CommandError(_("--days takes 0 to %(days)d.") % {"days": MAX_DAYS})
    scopes = {"scopes": options["scopes"]} if options["scopes"] else {}
    return scopes if days is None else {**scopes, "lifetime": timedelta(days=days) if days else None}


class Command(ShellCommand):
    help = "Make an API token for a user and print it. It is shown this once; only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", type=short_text(150))
        parser.add_argument("--name", type=short_text(60), help="What uses the token.")
        parser.add_argument("--scope", action="append", choices=Scope.values, dest="scopes", help="Repeat for several.")
        parser.add_argument(
            "--days", type=whole_number, help="Days until it expires; 0: never. Default: API_TOKEN_TTL_DAYS."
        )

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(_("There is no active user named %(name)s.") % {"name": options["username"]})
        try:
            token, expiry = issue_token(user=user, now=timezone.now(), name=options["name"] or "", **_wish(options))
        except (TooManyTokens, AccountChanged) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
        if expiry:
            self.stderr.write(_("It expires at %(expiry)s.") % {"expiry": f"{expiry:%Y-%m-%d %H:%M %Z}"})
