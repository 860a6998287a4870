"""`manage.py jobs`: list, show, cancel, retry and prioritize jobs from the shell."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.core.management.base import CommandError, CommandParser
from django.utils.translation import gettext as _

from tasks_app.engine import EngineError, QueueUnavailable, parse_state
from tasks_app.engine.config import engine_config
from tasks_app.exceptions import JobError
from tasks_app.management.acting import acting_user, add_user_option, operator_reason
from tasks_app.management.arguments import short_text, whole_number
from tasks_app.management.base import ShellCommand
from tasks_app.management.job_tables import job_details, job_table
from tasks_app.management.output import console_of, print_json
from tasks_app.models.jobs import PRIORITY_CHOICES
from tasks_app.queries.access import Right, has_everywhere
from tasks_app.queries.bulk_counts import StateCount, count_matching
from tasks_app.queries.job_rights import CANCEL_JOBS, CHANGE_JOBS, RETRY_JOBS
from tasks_app.queries.jobs import VIEW_JOBS, InvalidSearch, JobFilters, JobView, find_job, list_jobs
from tasks_app.services.jobs import ask_for_bulk_action, cancel_job, change_priority, reason_text, retry_job

MAX_LISTED = 10_000
# Of an account that --user names; people see their own jobs without one.
RIGHTS: dict[str, Right | None] = {
    "list": None,
    "show": None,
    "cancel": CANCEL_JOBS,
    "retry": RETRY_JOBS,
    "priority": CHANGE_JOBS,
}


class Command(ShellCommand):
    help = _("Lists, shows, cancels, retries and prioritizes jobs. Exit code 1 when one of them could not be changed.")

    # The person it acts as.
    user: Any

    def add_arguments(self, parser: CommandParser) -> None:
        steps = parser.add_subparsers(dest="step", required=True, metavar="list|show|cancel|retry|priority")
        listing = steps.add_parser("list", help=_("Jobs, live and finished, newest first."))
        _add_filters(listing)
        listing.add_argument(
            "--parent", type=short_text(64), metavar="ID", help=_("Members and callbacks of this job.")
        )
        listing.add_argument("--limit", type=whole_number, default=50, help=_("At most so many (50)."))
        showing = steps.add_parser("show", help=_("Everything about one job."))
        showing.add_argument("ids", nargs=1, metavar="ID")
        cancelling = steps.add_parser("cancel", help=_("Cancel waiting jobs at once, tell running ones to stop."))
        retrying = steps.add_parser("retry", help=_("Make a new job of each finished one."))
        for step in (cancelling, retrying):
            step.add_argument(
                "ids", nargs="*", metavar="ID", help=_("Or filters: then one job changes all that match.")
            )
            _add_filters(step)
            step.add_argument("--dry-run", action="store_true", help=_("Count the jobs that match, change nothing."))
        prioritizing = steps.add_parser("priority", help=_("Give waiting jobs another priority."))
        prioritizing.add_argument("priority", choices=[name for name, _label in PRIORITY_CHOICES])
        prioritizing.add_argument("ids", nargs="+", metavar="ID")
        for step in (cancelling, retrying, prioritizing):
            step.add_argument("--reason", default="", help=_("Kept in the history of the job."))
        for step in (listing, showing, cancelling, retrying, prioritizing):
            add_user_option(step)
            step.add_argument("--json", action="store_true", help=_("Print one JSON document."))

    def handle(self, *args: Any, step: str, **options: Any) -> None:
        steps: dict[str, Callable[..., None]] = {
            "list": self._list,
            "show": self._show,
            "cancel": self._cancel,
            "retry": self._retry,
            "priority": self._priority,
        }
        self.user = acting_user(options, RIGHTS[step])
        steps[step](options)

    def _list(self, options: dict[str, Any]) -> None:
        try:
            jobs = _listed(self.user, _listing_filters(options), options["limit"])
        except InvalidSearch as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(self, jobs)
        else:
            console_of(self).print(job_table(jobs) if jobs else self._none_here())

    def _none_here(self) -> str:
        if has_everywhere(self.user, VIEW_JOBS):
            return _("No jobs here.")
        text = _("No jobs of %(name)s here; those of others take the permission %(permission)s.")
        return text % {"name": self.user, "permission": VIEW_JOBS.permission}

    def _show(self, options: dict[str, Any]) -> None:
        job = find_job(_job_id(options["ids"][0]), user=self.user)
        if job is None:
            raise CommandError(_("There is no such job."))
        if options["json"]:
            print_json(self, job)
        else:
            console_of(self).print(job_details(job))

    def _cancel(self, options: dict[str, Any]) -> None:
        if self._all_that_match("cancel", options):
            return

        def act(job_id: UUID, reason: str) -> dict[str, str]:
            return {"state": str(cancel_job(job_id=job_id, user=self.user, reason=reason))}

        self._each(options, act)

    def _retry(self, options: dict[str, Any]) -> None:
        if self._all_that_match("retry", options):
            return

        def act(job_id: UUID, reason: str) -> dict[str, str]:
            return {"new_id": str(retry_job(job_id=job_id, user=self.user, reason=reason))}

        self._each(options, act)

    def _priority(self, options: dict[str, Any]) -> None:
        def act(job_id: UUID, reason: str) -> dict[str, str]:
            priority = options["priority"]
            return {"state": str(change_priority(job_id=job_id, user=self.user, priority=priority, reason=reason))}

        self._each(options, act)

    def _all_that_match(self, verb: str, options: dict[str, Any]) -> bool:
        """Make a job that changes all that match the filters, or count them; False where ids are given."""
        filters = _filters(options)
        if (filters != JobFilters()) == bool(options["ids"]):
            raise CommandError(_("Give ids of jobs, or filters."))
        if options["ids"]:
            if options["dry_run"]:
                raise CommandError(_("--dry-run counts the jobs that match filters."))
            return False
        try:
            if options["dry_run"]:
                self._print_counts(count_matching(user=self.user, filters=filters, verb=verb), options["json"])
                return True
            reason = operator_reason(options["reason"])
            job_id = ask_for_bulk_action(verb=verb, user=self.user, filters=filters, reason=reason)
        except InvalidSearch as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            print_json(self, {"id": str(job_id)})
        else:
            self.stdout.write(_("Job %(id)s does it: manage.py jobs show %(id)s") % {"id": job_id})
        return True

    def _print_counts(self, counts: list[StateCount], as_json: bool) -> None:
        if as_json:
            print_json(self, counts)
            return
        if not counts:
            self.stdout.write(_("No job matches."))
        for each in counts:
            number = f"{each.count.number}{'+' if each.count.is_more else ''}"
            left = f"  {_('left:')} {reason_text(each.code)}" if each.code else ""
            self.stdout.write(f"{number:>8} {each.state or ''}{left}")

    def _each(self, options: dict[str, Any], act: Callable[[UUID, str], dict[str, str]]) -> None:
        """Act on each id and print each outcome; fail in the end when one was refused."""
        reason = operator_reason(options["reason"])
        results: list[dict[str, str]] = []
        for job_id in dict.fromkeys(_job_id(text) for text in options["ids"]):
            try:
                results.append({"id": str(job_id), **act(job_id, reason)})
            except QueueUnavailable:
                raise
            except (JobError, EngineError) as error:
                results.append({"id": str(job_id), "error": error.code, "detail": str(error)})
        self._print_results(results, options["json"])
        refused = sum("error" in result for result in results)
        if refused:
            raise CommandError(
                _("%(refused)d of %(all)d jobs were left as they are.") % {"refused": refused, "all": len(results)}
            )

    def _print_results(self, results: list[dict[str, str]], as_json: bool) -> None:
        if as_json:
            print_json(self, results)
            return
        for result in results:
            outcome = result.get("detail") or result.get("new_id") or result.get("state", "")
            self.stdout.write(f"{result['id']}  {outcome}")


def _add_filters(step: CommandParser) -> None:
    step.add_argument(
        "--state", type=short_text(64), help=_("scheduled, queued, running, retrying, succeeded, failed or cancelled")
    )
    step.add_argument("--queue", choices=list(engine_config().queues))
    step.add_argument("--task", type=short_text(200))
    example = 'state:failed device:"Van 03" after:yesterday'
    searching = _("Parts of the task, the arguments, the error or the id, and terms such as %(example)s.")
    step.add_argument("--search", type=short_text(1000), help=searching % {"example": example})


def _filters(options: dict[str, Any]) -> JobFilters:
    try:
        state = parse_state(options["state"]) if options["state"] else None
    except ValueError as error:
        raise CommandError(_("Unknown state: %(state)s.") % {"state": options["state"]}) from error
    return JobFilters(state=state, **{name: options[name] or None for name in ("queue", "task", "search")})


def _listing_filters(options: dict[str, Any]) -> JobFilters:
    if not 1 <= options["limit"] <= MAX_LISTED:
        raise CommandError(_("--limit must be between 1 and %(max)d.") % {"max": MAX_LISTED})
    return replace(_filters(options), parent_id=_job_id(options["parent"]) if options["parent"] else None)


def _listed(user: Any, filters: JobFilters, limit: int) -> list[JobView]:
    jobs: list[JobView] = []
    cursor: str | None = None
    while len(jobs) < limit:
        page = list_jobs(user=user, filters=filters, limit=limit - len(jobs), cursor=cursor)
        jobs += page.jobs
        cursor = page.next_cursor
        if cursor is None:
            break
    return jobs[:limit]


def _job_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise CommandError(_("%(id)s is not the id of a job.") % {"id": json.dumps(text)}) from error
