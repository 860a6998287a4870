"""manage.py import_positions: history from CSV, GPX, GeoJSON and JSON files, and Traccar's CSV export."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import IO, Any, cast
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from tasks_app.ingest.errors import BodyError
from tasks_app.ingest.registry import FILE_FORMATS
from tasks_app.management.arguments import short_text
from tasks_app.management.audited import AuditedCommand
from tasks_app.models import Fleet
from tasks_app.models.fleets import validate_time_zone
from tasks_app.services.intake import ImportSummary, estimate_fixes, import_file


class Command(AuditedCommand):
    help = _("Store the positions of CSV, GPX, GeoJSON or JSON files (.gz too). Nobody is alerted; safe to repeat.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("files", nargs="+", type=Path, metavar="FILE")
        parser.add_argument(
            "--device", metavar="ID", type=short_text(128), help=_("Unique id to use instead of the one in the file.")
        )
        parser.add_argument(
            "--fleet",
            metavar="NAME",
            type=short_text(100),
            help=_("Fleet of devices that are created; made when missing."),
        )
        parser.add_argument(
            "--create-devices", action="store_true", help=_("Create unknown devices instead of rejecting their fixes.")
        )

        parser.add_argument(
            "--format", choices=sorted(FILE_FORMATS), help=_("Format of the files; by name and content unless given.")
        )
        parser.add_argument(
            "--time-zone", type=_zone, metavar="ZONE", help=_("Zone of times that state none (Traccar's CSV export).")
        )

    def handle(self, *args: Any, files: list[Path], create_devices: bool, **options: Any) -> None:
        fleet = _fleet(options["fleet"], create_devices)
        self.record_command({"files": [str(path) for path in files], "create_devices": create_devices, **options})
        console = Console(file=cast(IO[str], self.stdout._out))
        failures = []
        for path in files:
            summary = ImportSummary()
            try:
                self._import(path, summary, console, fleet, options)
            except (BodyError, OSError) as error:
                # Of an OSError its text alone: the file stands before it.
                reason = getattr(error, "strerror", None) or error
                failures.append(_("%(file)s: %(error)s") % {"file": path, "error": reason})
            except KeyboardInterrupt:
                raise CommandError(
                    _("Stopped. What was stored stays; run it again to go on."), returncode=130
                ) from None
            finally:
                if summary.read:
                    console.print(_table(path, summary))
        if failures:
            raise CommandError("\n".join(failures))

    def _import(
        self, path: Path, summary: ImportSummary, console: Console, fleet: Fleet | None, options: dict[str, Any]
    ) -> None:
        with _progress(console) as progress:
            bar = progress.add_task(path.name, total=estimate_fixes(path))
            import_file(
                path,
                summary,
                now=timezone.now(),
                device_id=options["device"],
                create_in_fleet=fleet,
                format_name=options["format"],
                zone=options["time_zone"],
                on_progress=lambda count: progress.advance(bar, count),
            )
            progress.update(bar, total=summary.read, completed=summary.read)


def _zone(name: str) -> ZoneInfo:
    try:
        validate_time_zone(name)
    except ValidationError as error:
        raise ArgumentTypeError(" ".join(error.messages)) from error
    return ZoneInfo(name)


def _fleet(name: str | None, create_devices: bool) -> Fleet | None:
    """The fleet for new devices, None when none are to be made."""
    if not create_devices:
        if name:
            raise CommandError(_("--fleet needs --create-devices."))
        return None
    if not name:
        raise CommandError(_("--create-devices needs --fleet NAME."))
    fleet, _created = Fleet.objects.get_or_create(name=name)
    return fleet


def _progress(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
        console=console,
    )


def _table(path: Path, summary: ImportSummary) -> Table:
    table = Table(title=path.name, show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="left")
    table.add_row(_("read"), f"{summary.read}")
    table.add_row(_("stored"), f"{summary.stored}")
    table.add_row(_("duplicates"), f"{summary.duplicates}", _("stored before, or twice in the file"))
    table.add_row(_("rejected"), f"{summary.rejected.total()}")
    for code, count in summary.rejected.most_common():
        table.add_row(f"  {code}", f"{count}", summary.examples[code])
    table.add_row(_("filtered"), f"{summary.filtered.total()}", _("kept out by filters of fleet or device"))
    for code, count in summary.filtered.most_common():
        table.add_row(f"  {code}", f"{count}")
    if summary.unknown_quantities:
        unknown = f"{summary.unknown_quantities.total()}"
        table.add_row(_("unknown quantities"), unknown, _("left out of good positions, as they cannot be right"))
        for name, count in summary.unknown_quantities.most_common():
            table.add_row(f"  {name}", f"{count}")
    table.add_row(_("events"), f"{summary.events}")
    table.add_row(_("devices created"), f"{summary.devices_created}")
    for remark in summary.remarks:
        table.add_row(_("remark"), "", remark)
    return table
