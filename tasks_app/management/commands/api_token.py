"""`manage.py api_token USERNAME`: a new API token on standard output."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.services.accounts import TooManyTokens, issue_token


class Command(BaseCommand):
    help = "Make an API token for a user and print it. It is shown this once; only its hash is stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username")

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"], is_active=True).first()
        if user is None:
            raise CommandError(_("There is no active user named %(name)s.") % {"name": options["username"]})
        try:
            token, expiry = issue_token(user=user, now=timezone.now())
        except TooManyTokens as error:
            raise CommandError(str(error)) from error
        self.stdout.write(token)
        if expiry:
            self.stderr.write(_("It expires at %(expiry)s.") % {"expiry": f"{expiry:%Y-%m-%d %H:%M %Z}"})
