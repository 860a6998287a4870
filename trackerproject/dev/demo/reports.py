"""Reports of the demo: requested and downloaded through the API, and sent by e-mail by a schedule."""

from __future__ import annotations

import email
import email.policy
from datetime import date, datetime, timedelta
from email.message import EmailMessage
from functools import partial
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils.translation import gettext as _
from rich.console import Console

from trackerproject.dev.api_client import ApiClient
from trackerproject.dev.demo.waiting import wait_until
from trackerproject.dev.sample_fleet import SampleFleet

WAIT_SECONDS = 60
SCHEDULE_NAME = "Fleet of yesterday"


def write_reports(console: Console, api: ApiClient, sample: SampleFleet, day: date, folder: Path) -> list[Path]:
    """Request the fleet's day and one vehicle's trips through the API; download them in all their formats."""
    folder.mkdir(parents=True, exist_ok=True)
    device = sample.fleet.devices.order_by("pk")[0]
    midnight = datetime.combine(day, datetime.min.time(), sample.fleet.zone)
    span = {"start": midnight.isoformat(), "end": (midnight + timedelta(days=1)).isoformat()}
    asked: dict[str, tuple[str, dict[str, Any]]] = {
        f"fleet-day-{day}": ("daily", {"fleet_id": sample.fleet.pk, "day": day.isoformat()}),
        f"{device.unique_id}-trips-{day}": ("device", {"device_id": device.pk, "kind": "trips", **span}),
    }
    files: list[Path] = []
    for name, (kind, body) in asked.items():
        report_id = api.post(f"/api/tasks/report/{kind}", body)["report_id"]
        wait_until(console, _("Waiting for the report"), partial(is_ready, api, report_id), WAIT_SECONDS)
        for file_format in api.get(f"/api/reports/{report_id}")["formats"]:
            path = folder / f"{name}.{file_format}"
            path.write_bytes(api.download(f"/api/reports/{report_id}/download?format={file_format}"))
            files.append(path)
    return files


def is_ready(api: ApiClient, report_id: int) -> bool:
    """Return whether the report can be downloaded. Raises CommandError if it failed."""
    report = api.get(f"/api/reports/{report_id}")
    if report["state"] == "failed":
        raise CommandError(_("The report failed: %(error)s") % {"error": report["error"]})
    return report["state"] == "ready"


def deliver_schedule(console: Console, api: ApiClient, sample: SampleFleet, folder: Path) -> list[Path]:
    """Make a daily schedule, run it now, and take the files out of the e-mail the mail server received."""
    body = {
        "name": SCHEDULE_NAME,
        "fleet_id": sample.fleet.pk,
        "kinds": ["fleet"],
        "formats": ["xlsx", "pdf"],
        "period": "daily",
        "recipient_ids": [sample.operator.pk],
    }
    url = f"/api/report-schedules/{api.post('/api/report-schedules', body)['id']}"
    api.post(f"{url}/run-now", {})
    wait_until(console, _("Waiting for the scheduled report"), partial(is_delivered, api, url), WAIT_SECONDS)
    mails = folder / "mail"
    wait_until(console, _("Waiting for its e-mail"), lambda: bool(_mails_of_schedule(mails)), WAIT_SECONDS)
    path, mail = _mails_of_schedule(mails)[0]
    return [path, *_saved_attachments(mail, folder / "reports")]


def is_delivered(api: ApiClient, url: str) -> bool:
    """Return whether the schedule's latest run was delivered. Raises CommandError if it failed."""
    run = api.get(f"{url}/runs")["results"][0]
    if run["state"] == "failed":
        raise CommandError(_("The scheduled report failed: %(error)s") % {"error": run["error"]})
    return run["state"] == "delivered"


def _mails_of_schedule(folder: Path) -> list[tuple[Path, EmailMessage]]:
    """Return the schedule's e-mails, newest first."""
    mails = (
        (path, email.message_from_bytes(path.read_bytes(), policy=email.policy.default))
        for path in sorted(folder.glob("*.eml"), reverse=True)
    )
    return [(path, mail) for path, mail in mails if SCHEDULE_NAME in str(mail["Subject"])]


def _saved_attachments(mail: EmailMessage, target: Path) -> list[Path]:
    """Save the attachments of the e-mail; return their paths."""
    saved = []
    for part in mail.iter_attachments():
        path = target / f"e-mail-{Path(part.get_filename() or 'file').name}"
        content: Any = part.get_payload(decode=True)
        path.write_bytes(content)
        saved.append(path)
    return saved
