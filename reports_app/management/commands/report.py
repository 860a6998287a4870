"""`manage.py report KIND`: make a report here and now, and write it to a file."""

from __future__ import annotations

from argparse import ArgumentParser
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.translation import gettext as _

from reports_app.exceptions import FileNotWritten, FilesOutOfReach, InvalidReport
from reports_app.exporters import EXPORTERS, get_exporter
from reports_app.models import Report, ReportKind
from reports_app.periods import last_ended_day, parse_time
from reports_app.queries import stored_table, zone_of_request
from reports_app.services.files import export_report, write_report
from reports_app.services.generation import generate_report
from reports_app.services.requests import create_report
from tasks_app.geo.days import a_day_later, day_range
from tasks_app.management.arguments import short_text
from tasks_app.management.audited import AuditedCommand
from tasks_app.models import Device, Fleet


class Command(AuditedCommand):
    help = _("Makes a report and writes it to a file. Without a range it is about yesterday.")

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("kind", choices=ReportKind.values)
        parser.add_argument("--device", type=short_text(128), help=_("unique id of a device"))
        parser.add_argument("--fleet", type=short_text(100), help=_("name of a fleet"))
        parser.add_argument(
            "--from",
            dest="start",
            type=short_text(64),
            help=_("ISO 8601 time with zone, or a date of the fleet's calendar"),
        )
        parser.add_argument(
            "--to",
            dest="end",
            type=short_text(64),
            help=_("the same, not included; default: one day after the start"),
        )
        parser.add_argument("--format", choices=list(EXPORTERS), default="json")
        parser.add_argument("--output", type=short_text(4096), help=_("file to write; default: the report storage"))

    def handle(self, *args: Any, **options: Any) -> None:
        self.record_command(options)
        try:
            report = self._generate(options)
            path, size_bytes = _write(report, options["format"], options["output"])
        except (InvalidReport, FileNotWritten, FilesOutOfReach, OSError) as error:
            raise CommandError(str(error)) from error
        self._print_summary(report, path, size_bytes)

    def _generate(self, options: dict[str, Any]) -> Report:
        device, fleet = _device(options["device"]), _fleet(options["fleet"])
        start, end = _range(options["start"], options["end"], zone_of_request(device=device, fleet=fleet))
        report, _is_due = create_report(
            kind=options["kind"], device=device, fleet=fleet, range_start=start, range_end=end
        )
        generate_report(report.pk)
        return report

    def _print_summary(self, report: Report, path: str, size_bytes: int) -> None:
        table, zone = stored_table(report.pk), report.zone
        start, end = (
            f"{timestamp.astimezone(zone):%Y-%m-%d %H:%M}" for timestamp in (report.range_start, report.range_end)
        )
        self.stdout.write(f"{report.get_kind_display()} · {table.subject} · {start} - {end} ({zone})")
        for section in table.sections:
            section_rows = sum(chunk.row_count for chunk in section.chunks())
            self.stdout.write(f"  {_(str(section.name)):<24} {section_rows:>9,} {_('rows')}")
        self.stdout.write(self.style.SUCCESS(f"{path} ({size_bytes:,} {_('bytes')})"))


def _write(report: Report, format: str, output: str | None) -> tuple[str, int]:
    if output is not None:
        return output, write_report(report.pk, get_exporter(format), Path(output))
    written = export_report(report.pk, format)
    return str(written.file.name), written.size_bytes


def _device(unique_id: str | None) -> Device | None:
    if unique_id is None:
        return None
    found = Device.objects.select_related("fleet").filter(unique_id=unique_id).first()
    if found is None:
        raise InvalidReport("unknown_device", _("There is no device “%(name)s”.") % {"name": unique_id})
    return found


def _fleet(name: str | None) -> Fleet | None:
    if name is None:
        return None
    found = Fleet.objects.filter(name=name).first()
    if found is None:
        raise InvalidReport("unknown_fleet", _("There is no fleet “%(name)s”.") % {"name": name})
    return found


def _range(start: str | None, end: str | None, zone: ZoneInfo) -> tuple[datetime, datetime]:
    if start is None:
        range_start, range_end = day_range(last_ended_day(timezone.now(), zone), zone)
    else:
        range_start = parse_time(start, zone, field="start")
        range_end = _a_day_later(range_start, zone)
    return range_start, range_end if end is None else parse_time(end, zone, field="end")


def _a_day_later(start: datetime, zone: ZoneInfo) -> datetime:
    try:
        return a_day_later(start, zone)
    except OverflowError:
        return start  # of a year that is refused
