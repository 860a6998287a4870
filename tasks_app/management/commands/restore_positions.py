"""`manage.py restore_positions ARCHIVE` or `--day DAY`: stores the positions of archives again; `--list` shows the archives."""

from __future__ import annotations

from datetime import date
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.table import Table

from tasks_app.management.arguments import iso_day, whole_number
from tasks_app.management.audited import AuditedCommand
from tasks_app.management.output import console_of
from tasks_app.models import PositionArchive
from tasks_app.models.retention import MAX_DAYS
from tasks_app.services.cleanup import ArchiveDamaged, restore_archive


class Command(AuditedCommand):
    help = _("Stores the positions of archives again, each once. Nothing is derived from them, and nobody is alerted.")

    def add_arguments(self, parser: CommandParser) -> None:
        which = parser.add_mutually_exclusive_group(required=True)
        which.add_argument("archive", type=whole_number, nargs="?", help=_("The number of an archive."))
        which.add_argument("--day", type=iso_day, help=_("All archives of a UTC day, as 2026-01-31."))
        which.add_argument("--list", action="store_true", help=_("Show the archives and do nothing."))
        parser.add_argument(
            "--keep-days",
            type=whole_number,
            default=7,
            help=_("Retention leaves the day alone for so long (default 7)."),
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["list"]:
            self._list()
            return
        if not 1 <= options["keep_days"] <= MAX_DAYS:
            raise CommandError(_("--keep-days must be from 1 to %(most)d.") % {"most": MAX_DAYS})
        archives = self._find(options["archive"], options["day"])
        self.record_command(options)
        for archive in archives:
            try:
                counts = restore_archive(archive, keep_days=options["keep_days"], now=timezone.now())
            except ArchiveDamaged as error:
                raise CommandError(str(error)) from error
            self.stdout.write(
                _(
                    "%(day)s: %(restored)d restored, %(present)d were there,"
                    " %(unknown_devices)d of devices that are no more."
                )
                % {"day": archive.day, **counts}
            )

    def _find(self, number: int | None, day: date | None) -> list[PositionArchive]:
        chosen = PositionArchive.objects.order_by("pk")
        found = list(chosen.filter(day=day) if day else chosen.filter(pk=number or 0))
        if not found:
            raise CommandError(_("There is no such archive. --list shows those there are."))
        return found

    def _list(self) -> None:
        table = Table(_("Archive"), _("Day"), _("Rows"), _("Bytes"), _("File"))
        for archive in PositionArchive.objects.order_by("day", "pk"):
            figures = (f"{archive.rows:,}", f"{archive.size_bytes:,}")
            table.add_row(str(archive.pk), str(archive.day), *figures, archive.file.name)
        console_of(self).print(table)
