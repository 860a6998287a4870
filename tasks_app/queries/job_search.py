"""Searches of jobs: what each term asks of a row of PostgreSQL and of a job that lives in Redis."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth.models import User
from django.db.models import BooleanField, Case, Q, TextField, Value, When
from django.db.models.functions import Cast
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from tasks_app.engine.job_hash import JobHash
from tasks_app.engine.redaction import HIDDEN, TOO_DEEP
from tasks_app.engine.registry import parameter_names, registered_tasks
from tasks_app.engine.states import JobState, parse_state
from tasks_app.queries.access import Right, has_everywhere, visible_devices
from tasks_app.queries.job_conditions import ANY_JOB, Condition, JobSearch
from tasks_app.queries.job_views import JobView
from tasks_app.utils.search_language import InvalidSearch, Term, parse_search, written

VIEW_ALL_JOBS = Right(None, "tasks_app.view_job")
MAX_DEVICES = 20
# JSON on a page has spaces between values, which that of messages has not; numbers of both may be written differently.
_BETWEEN_VALUES = re.compile(r"[,:\s]|^[-+.0-9e]*$")
# What a page shows in place of some values.
_MARKS = (HIDDEN.lower(), TOO_DEEP.lower())
_AGO = re.compile(r"(?:\d{1,6}[smhdw])+")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


def read_search(text: str | None, user: Any, base: JobSearch = ANY_JOB) -> JobSearch:
    """Return what a search asks for beside `base`. Devices and users are those that `user` may see. Raises InvalidSearch."""
    search = base
    for term in parse_search(text or "", SEARCH_NAMES):
        read = _READERS[f"{term.name}." if term.part else term.name] if term.name else _text
        search = read(search, term, user)
    return search


def fixed_search(text: str | None, user: Any) -> str | None:
    """Return the search with the times that its words for them mean now, and the name of `user` in place of "me", so that it
    means the same later, elsewhere and for others.

    Raises InvalidSearch.
    """
    if not text:
        return text
    terms = parse_search(text, SEARCH_NAMES)
    return " ".join(written(replace(term, value=_fixed_value(term, user))) for term in terms)


def _fixed_value(term: Term, user: Any) -> str:
    if term.name in ("after", "before"):
        return read_time(term.value).isoformat()
    is_oneself = term.name == "by" and term.value == "me" and user.pk is not None
    return user.get_username() if is_oneself else term.value


def read_time(text: str) -> datetime:
    """Return the time of a text: a day (its midnight), a time, today, yesterday, or so long ago (90m, 2h, 1d12h).

    Times without a zone are in the reader's. Raises InvalidSearch.
    """
    now, word = timezone.localtime(), text.lower()
    if word == "now":
        return now
    if word in ("today", _("today")):
        return _midnight(now.date())
    if word in ("yesterday", _("yesterday")):
        return _midnight(now.date() - timedelta(days=1))
    if _AGO.fullmatch(word):
        return now - min(_duration(word), timedelta(days=36500))
    at = _day(text) or _time(text)
    if at is None or not 1970 <= at.year <= 9998:
        known = "2026-11-28, 2026-11-28T15:00, today, yesterday"
        sentence = _('"%(text)s" is no time. Write %(known)s, or how long ago: 90m, 2h, 7d.')
        raise InvalidSearch(sentence % {"text": text[:50], "known": known})
    return at


def _day(text: str) -> datetime | None:
    try:
        return _midnight(date.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> datetime | None:
    try:
        at = parse_datetime(text)
        if at is None:
            return None
        return timezone.make_aware(at) if timezone.is_naive(at) else timezone.localtime(at)
    except (ValueError, OverflowError):
        return None


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


def _duration(text: str) -> timedelta:
    seconds = sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([smhdw])", text))
    return timedelta(seconds=min(seconds, 10**10))


# --- Terms that an index answers ---


def _exact(search: JobSearch, term: Term, name: str, value: Any) -> JobSearch:
    """Set a field; a second value for it, or an excluded one, is a condition."""
    if not term.is_negated and getattr(search, name) is None:
        return replace(search, **{name: value})
    return _with(search, term, Condition(Q(**{name: value}), lambda view: getattr(view, name) == value, False))


def _state(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    try:
        return _exact(search, term, "state", parse_state(term.value))
    except ValueError as error:
        sentence = _('There is no state "%(value)s". There are: %(known)s.')
        raise InvalidSearch(sentence % {"value": term.value[:50], "known": ", ".join(JobState)}) from error


def _queue(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    if term.value not in settings.QUEUES:
        sentence = _('There is no queue "%(value)s". There are: %(known)s.')
        raise InvalidSearch(sentence % {"value": term.value[:50], "known": ", ".join(settings.QUEUES)})
    return _exact(search, term, "queue", term.value)


def _task(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    names = [task.name for task in registered_tasks()]
    if term.value in names:
        return _exact(search, term, "task", term.value)
    part = term.value.lower()
    of_row = Q(task__in=[name for name in names if part in name.lower()]) | Q(task=term.value)
    return _with(search, term, Condition(of_row, lambda view: part in view.task.lower(), False))


def _by(search: JobSearch, term: Term, user: Any) -> JobSearch:
    if term.value == "schedule":
        condition = Condition(
            Q(schedule_id__isnull=False),
            lambda view: view.schedule_id is not None,
            may_hold=lambda job: b'"schedule_id"' in job.message,
        )
        return _with(search, term, condition)
    is_oneself = user.pk is not None and term.value in ("me", user.get_username())
    if not is_oneself and not has_everywhere(user, VIEW_ALL_JOBS):
        raise InvalidSearch(_("You see the jobs you asked for yourself: search by:me."))
    found = user if is_oneself else _user_called(term.value)
    if found is None:
        raise InvalidSearch(_('There is no user "%(value)s".') % {"value": term.value[:50]})
    return _exact(search, term, "requested_by_id", found.pk)


def _user_called(name: str) -> User | None:
    """Return the user of this name, written in other capitals only where no other user has it so. Raises InvalidSearch."""
    if exact := User.objects.filter(username=name).first():
        return exact
    found = User.objects.filter(username__iexact=name)[:2]
    if len(found) > 1:
        sentence = _('Several users are called "%(value)s": write its capitals as one of them does.')
        raise InvalidSearch(sentence % {"value": name[:50]})
    return found[0] if found else None


def _after(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    return _bounded(search, "before" if term.is_negated else "after", read_time(term.value))


def _before(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    return _bounded(search, "after" if term.is_negated else "before", read_time(term.value))


def _bounded(search: JobSearch, name: str, at: datetime) -> JobSearch:
    known = getattr(search, name) or at
    values: dict[str, Any] = {name: max(known, at) if name == "after" else min(known, at)}
    return replace(search, **values)


# --- Terms that are looked for row by row ---


def _with(search: JobSearch, term: Term, condition: Condition) -> JobSearch:
    if term.is_negated:
        of_view = condition.of_view
        # Not `~`: a part of a row that is missing makes NULL of both.
        of_row = Q(Case(When(condition.of_row, then=Value(False)), default=Value(True), output_field=BooleanField()))
        condition = replace(condition, of_row=of_row, of_view=lambda view: not of_view(view), is_negated=True)
    return replace(search, conditions=(*search.conditions, condition))


def _text(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    """Part of the task, the arguments, the error or an id."""
    part = term.value
    in_json = json.dumps(part, ensure_ascii=False)[1:-1]
    of_row = Q(task__icontains=part) | Q(args__icontains=in_json) | Q(kwargs__icontains=in_json)
    of_row |= Q(error_class__icontains=part) | Q(error_message__icontains=part)
    try:
        of_row |= Q(pk=UUID(part))
    except ValueError:
        if re.fullmatch(r"[0-9A-Fa-f-]{2,36}", part):
            of_row |= Q(id_text__contains=part.lower())
    condition = Condition(
        of_row,
        lambda view: _mentions(view, part.lower(), in_json.lower()),
        may_hold=lambda job: _may_mention(job, part.lower(), in_json.lower()),
    )
    return _with(search, term, condition)


# Annotated to every query that a condition filters.
ID_TEXT = {"id_text": Cast("pk", TextField())}


def _mentions(view: JobView, part: str, in_json: str) -> bool:
    texts = (str(view.id), view.task, view.error_class, view.error_message)
    return any(part in text.lower() for text in texts) or in_json in _call_text(view)


def _may_mention(job: JobHash, part: str, in_json: str) -> bool:
    """Whether the part may be in the job's id, task, error or arguments: as these are sent, they have no spaces between."""
    if _BETWEEN_VALUES.search(in_json) or any(mark in in_json or in_json in mark for mark in _MARKS):
        return True
    errors = [one for failure in job.failures[-1:] for one in (failure["error_class"], failure["error_message"])]
    return any(part in text.lower() for text in (job.job_id, job.task, *errors)) or in_json in _message_text(job)


def _message_text(job: JobHash) -> str:
    return job.message.decode(errors="replace").lower()


def _call_text(view: JobView) -> str:
    return json.dumps([view.args, view.kwargs], ensure_ascii=False).lower()


def _error(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    part = term.value
    return _with(
        search,
        term,
        Condition(
            Q(error_class__icontains=part) | Q(error_message__icontains=part),
            lambda view: part.lower() in view.error_class.lower() or part.lower() in view.error_message.lower(),
            reads_message=False,
        ),
    )


def _worker(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    host, _colon, pid = term.value.partition(":")
    of_row = Q(worker_host__icontains=host)
    if pid.isdecimal() and len(pid) < 10:
        number = int(pid)
        return _with(
            search,
            term,
            Condition(
                of_row & Q(worker_pid=number),
                lambda view: host.lower() in view.worker_host.lower() and view.worker_pid == number,
                reads_message=False,
            ),
        )
    return _with(search, term, Condition(of_row, lambda view: host.lower() in view.worker_host.lower(), False))


def _longer(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    text = term.value.lower()
    if not _AGO.fullmatch(text) and not re.fullmatch(r"\d{1,9}", text):
        raise InvalidSearch(_('"%(value)s" is no duration. Write 30s, 5m, 1h30m.') % {"value": term.value[:50]})
    seconds = float(text) if text.isdecimal() else _duration(text).total_seconds()
    condition = Condition(Q(run_seconds__gte=seconds), lambda view: (view.run_seconds or 0) >= seconds, False)
    return _with(search, term, condition)


def _request(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    of_row = Q(request_id=term.value) & ~Q(request_id="")
    condition = Condition(
        of_row,
        lambda view: bool(term.value) and view.request_id == term.value,
        may_hold=lambda job: json.dumps(term.value, ensure_ascii=False).encode() in job.message,
    )
    return _with(search, term, condition)


def _args(search: JobSearch, term: Term, _user: Any) -> JobSearch:
    return _with(search, term, _argument(term.part, _json_values(term.value)))


def _json_values(text: str) -> list[Any]:
    """The values that a text may stand for: itself, and the number or truth it is written like."""
    found: list[Any] = [text]
    if re.fullmatch(r"-?(0|[1-9][0-9]{0,14})(\.[0-9]{1,10})?|true|false|null", text):
        found.append(json.loads(text))
    return found


def _argument(name: str, values: list[Any]) -> Condition:
    """The argument has one of the values, or is a list that holds one; whether it was given by name or by place."""
    tasks_by_place: dict[int, list[str]] = {}
    for task in registered_tasks():
        if name in task.parameter_names:
            tasks_by_place.setdefault(task.parameter_names.index(name), []).append(task.name)
    of_row = Q()
    for value in values:
        of_row |= Q(kwargs__contains={name: value}) | Q(kwargs__contains={name: [value]})
        for place, tasks in tasks_by_place.items():
            of_row |= Q(task__in=tasks) & _holds(f"args__{place}", value)
    known = {json.dumps(value) for value in values}

    def of_view(view: JobView) -> bool:
        given = dict(zip(parameter_names(view.task), view.args, strict=False)) | view.kwargs
        found = given.get(name, [])
        return any(json.dumps(one) in known for one in (found if isinstance(found, list) else [found]))

    return Condition(of_row, of_view, may_hold=lambda job: name in parameter_names(job.task))


def _holds(name: str, value: Any) -> Q:
    """The part of a row is this value, or a list that holds it."""
    if value is None:
        # Django takes None for no value where it is looked for inside.
        return Q(**{name: None}) | Q(**{f"{name}__contains": [None]})
    return Q(**{f"{name}__contains": value})


def _device(search: JobSearch, term: Term, user: Any) -> JobSearch:
    """Jobs about a device: it is an argument, one of a list, or named in the positions that were sent."""
    devices = visible_devices(user)
    found = list(devices.filter(Q(name__iexact=term.value) | Q(unique_id=term.value))[:MAX_DEVICES])
    found = found or list(
        devices.filter(Q(name__icontains=term.value) | Q(unique_id__icontains=term.value))[:MAX_DEVICES]
    )
    if not found:
        raise InvalidSearch(_('There is no device "%(value)s".') % {"value": term.value[:50]})
    ids = [device.pk for device in found]
    parts = [_argument("device_id", ids), _argument("device_ids", ids)]
    texts = [json.dumps(device.unique_id, ensure_ascii=False) for device in found]
    of_row = parts[0].of_row | parts[1].of_row
    for text in texts:
        of_row |= Q(args__icontains=text) | Q(kwargs__icontains=text)
    lowered = [text.lower() for text in texts]
    condition = Condition(
        of_row,
        lambda view: any(part.of_view(view) for part in parts) or any(text in _call_text(view) for text in lowered),
        may_hold=lambda job: (
            any(part.may_hold(job) for part in parts) or any(text in _message_text(job) for text in lowered)
        ),
    )
    return _with(search, term, condition)


# The order is that of the sentence that names them.
_READERS: dict[str, Callable[[JobSearch, Term, Any], JobSearch]] = {
    "task": _task,
    "queue": _queue,
    "state": _state,
    "error": _error,
    "args.": _args,
    "device": _device,
    "by": _by,
    "worker": _worker,
    "after": _after,
    "before": _before,
    "longer": _longer,
    "request": _request,
}
SEARCH_NAMES = tuple(_READERS)
