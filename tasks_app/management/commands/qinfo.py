"""`manage.py qinfo`: replaces django-q2's command of the same name, which cannot see our queues."""

from __future__ import annotations

from typing import Any

import redis
from django.core.management.base import BaseCommand, CommandError
from django.utils.translation import gettext as _
from rich.console import Console

from tasks_app.management.engine_tables import engine_tables


class Command(BaseCommand):
    help = _("Shows the queues and workers once.")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            Console().print(engine_tables())
        except redis.RedisError as error:
            raise CommandError(_("Redis does not answer: %(error)s") % {"error": error}) from error
