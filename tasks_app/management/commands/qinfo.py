"""`manage.py qinfo`: replaces django-q2's command of the same name, which cannot see our queues."""

from __future__ import annotations

from typing import Any

from django.core.management.base import CommandParser
from django.utils.translation import gettext as _

from tasks_app.management.base import ShellCommand
from tasks_app.management.engine_tables import engine_facts, engine_tables
from tasks_app.management.output import console_of, print_json


class Command(ShellCommand):
    help = _("Shows the queues and workers once.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help=_("Print one JSON document."))

    def handle(self, *args: Any, **options: Any) -> None:
        if options["json"]:
            print_json(self, engine_facts())
        else:
            console_of(self).print(engine_tables())
