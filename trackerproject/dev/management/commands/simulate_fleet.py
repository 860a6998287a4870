"""`manage.py simulate_fleet`: a fleet that drives now, sent through the HTTP API of a running server."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.ingest.fix import Fix
from tasks_app.ingest.serialise import fix_to_item
from tasks_app.ingest.simulation import DEFAULT_SEED, DEFAULT_VEHICLES, live_fixes
from tasks_app.management.arguments import decimal_number, whole_number
from tasks_app.management.base import ShellCommand
from trackerproject.dev.api_client import ApiClient, ApiError
from trackerproject.dev.sample_fleet import ensure_sample_fleet, new_token

SEND_EVERY = timedelta(seconds=1)


class Command(ShellCommand):
    help = _("Drives the sample fleet live: sends its fixes to a running server until Ctrl-C.")

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", default=settings.SITE_URL, help=_("Address of the server."))
        parser.add_argument("--vehicles", type=whole_number, default=DEFAULT_VEHICLES, help=_("How many, at most 200."))
        parser.add_argument(
            "--seed", type=whole_number, default=DEFAULT_SEED, help=_("The same seed drives the same way.")
        )
        parser.add_argument("--minutes", type=decimal_number, help=_("Stop after this time instead of at Ctrl-C."))

    def handle(self, *args: Any, **options: Any) -> None:
        if not 1 <= options["vehicles"] <= 200:
            raise CommandError(_("--vehicles must be between 1 and 200."))
        sample = ensure_sample_fleet(options["vehicles"])
        self.operator = sample.operator
        api = ApiClient(options["url"], new_token(self.operator))
        begin = datetime.now(UTC)
        until = begin + timedelta(minutes=options["minutes"]) if options["minutes"] else None
        try:
            self._drive(api, options, begin, until)
        except ApiError as error:
            raise CommandError(str(error)) from error
        except KeyboardInterrupt:
            self.stdout.write(_("Stopped."))

    def _drive(self, api: ApiClient, options: dict[str, Any], begin: datetime, until: datetime | None) -> None:
        """Send the fixes of each second as one batch when the second ends."""
        batch: list[Fix] = []
        send_at = begin + SEND_EVERY
        for sent_at, fix in live_fixes(options["vehicles"], start_at=begin, seed=options["seed"]):
            while sent_at >= send_at:
                time.sleep(max(0.0, (send_at - datetime.now(UTC)).total_seconds()))
                self._send(api, batch)
                batch, send_at = [], send_at + SEND_EVERY
                if until and send_at > until:
                    return
            batch.append(fix)

    def _send(self, api: ApiClient, batch: list[Fix]) -> None:
        """Send a batch. A rejected one (its device may be inactive) is printed, and the others continue."""
        if not batch:
            return
        try:
            answer = self._post(api, [fix_to_item(fix) for fix in batch])
        except ApiError as error:
            if error.status != HTTPStatus.BAD_REQUEST:
                raise
            self.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {len(batch)} {error}")
            return
        self.stdout.write(f"{datetime.now(UTC):%H:%M:%S} {len(batch)} -> {answer['task_id']}")

    def _post(self, api: ApiClient, items: list[dict[str, Any]]) -> Any:
        """Post a batch, with a new token where the operator's was ended: a new password, to log in as her, does that."""
        path = "/api/tasks/position/process-batch"
        try:
            return api.post(path, items)
        except ApiError as error:
            if error.status != HTTPStatus.UNAUTHORIZED:
                raise
        api.use_token(new_token(self.operator))
        return api.post(path, items)
