"""`manage.py remove_second_factor USERNAME`: for people who lost their phone and their recovery codes."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.management.arguments import short_text
from tasks_app.management.base import ShellCommand
from tasks_app.services.accounts import log_out_everywhere, remove_second_factor


class Command(ShellCommand):
    help = "Ask a user for no code at the log-in any more, until they set up a second factor anew. Sessions and tokens end."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", type=short_text(150))

    def handle(self, *args: Any, **options: Any) -> None:
        user = get_user_model().objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(_("There is no user named %(name)s.") % {"name": options["username"]})
        if not remove_second_factor(user=user):
            raise CommandError(_("%(name)s has no second factor.") % {"name": options["username"]})
        log_out_everywhere(user=user)
        self.stdout.write(_("The second factor of %(name)s was removed.") % {"name": options["username"]})
