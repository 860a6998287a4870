"""One shape for every error of the API: `{"code": "...", "detail": "...", "fields": {...}}`.

`code` is for machines, `detail` a sentence for people, `fields` names what is wrong with each field of a request (empty
for other errors). A database or Redis that does not answer is 503 with Retry-After, never a page of HTML.
"""

from __future__ import annotations

import errno
import logging
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import redis
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import IntegrityError, InterfaceError, InternalError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse, UnreadablePostError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from psycopg2.errors import ForeignKeyViolation, UniqueViolation
from rest_framework import exceptions, status
from rest_framework.response import Response

from tasks_app.engine import (
    EngineError,
    InvalidArguments,
    PayloadTooLarge,
    QueueFull,
    QueueLanesChanged,
    QueueUnavailable,
    TaskNotPermitted,
    UnknownTask,
)
from tasks_app.engine.database import sqlstate
from tasks_app.exceptions import (
    BufferFull,
    FileNotStored,
    JobAlreadyFinished,
    JobError,
    JobNotFound,
    JobNotWaiting,
    JobStillLive,
    JobWaitsNoMore,
    NothingOfThatName,
    QueueNotFound,
    TaskNotFound,
    WorkerNotFound,
)
from tasks_app.services.commands import CommandRefused
from tasks_app.web.error_pages import (
    fault_page,
    forbidden_page,
    form_refused,
    not_found_page,
    not_stored_page,
    outage_page,
    stored_twice_page,
    too_large_page,
    unreadable_page,
)

logger = logging.getLogger(__name__)

JSON_PATHS = ("/api/", "/ingest/", "/health", "/metrics")
RETRY_AFTER_SECONDS = 5
# What Redis refuses passes by itself or is an operator's business: full, its disk or replicas gone, no master, no rights.
REDIS_DOWN = (redis.ConnectionError, redis.TimeoutError, redis.ResponseError)
# The same name twice at once, and what is named deleted at that moment.
CAME_BETWEEN = (UniqueViolation, ForeignKeyViolation)
DATABASE_DOWN = (OperationalError, InterfaceError)
# What a disk that is full, or full for its user, says.
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# PostgreSQL's code of a write in a read-only transaction: it has become a standby, or an operator made it read-only.
_READ_ONLY = "25006"
ENGINE_STATUS: dict[type[EngineError], int] = {
    TaskNotPermitted: status.HTTP_403_FORBIDDEN,
    UnknownTask: status.HTTP_404_NOT_FOUND,
    InvalidArguments: status.HTTP_400_BAD_REQUEST,
    PayloadTooLarge: status.HTTP_413_REQUEST_ENTITY_TOO_LARGE,
    QueueFull: status.HTTP_503_SERVICE_UNAVAILABLE,
    QueueLanesChanged: status.HTTP_503_SERVICE_UNAVAILABLE,
    QueueUnavailable: status.HTTP_503_SERVICE_UNAVAILABLE,
}
COMMAND_STATUS = {
    "not_permitted": status.HTTP_403_FORBIDDEN,
    "own": status.HTTP_403_FORBIDDEN,
    "unsafe": status.HTTP_409_CONFLICT,
    "conflict": status.HTTP_409_CONFLICT,
    "too_late": status.HTTP_409_CONFLICT,
}

# Sentences in the reader's language; those of other errors of jobs are translated where they are raised.
JOB_SENTENCES: dict[type[JobError], Any] = {
    JobNotFound: gettext_lazy("Not found."),
    QueueNotFound: gettext_lazy("There is no such queue."),
    TaskNotFound: gettext_lazy("There is no such task."),
    WorkerNotFound: gettext_lazy("There is no such worker."),
    JobAlreadyFinished: gettext_lazy("The job has ended already: %(state)s."),
    JobStillLive: gettext_lazy("The job has not ended yet: %(state)s."),
    JobNotWaiting: gettext_lazy("The job does not wait for a later time: %(state)s."),
    JobWaitsNoMore: gettext_lazy("The job does not wait any more: %(state)s."),
}


@dataclass(frozen=True, slots=True)
class Problem:
    """An error as the API answers it. `extra` holds further keys of the body (the state in a conflict)."""

    status_code: int
    code: str
    detail: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def body(self) -> dict[str, Any]:
        return {"code": self.code, "detail": self.detail, "fields": dict(self.fields), **self.extra}


class ApiError(exceptions.APIException):
    """An error that carries its own status, code and further keys of the body."""

    # Becomes Retry-After.
    wait: int | None = None

    def __init__(self, status_code: int, code: str, detail: str, **extra: Any) -> None:
        super().__init__(detail, code)
        self.status_code = status_code
        self.extra = extra


class Conflict(ApiError):
    """The step is not allowed in the state the thing is in, which the answer names."""

    def __init__(self, code: str, detail: str, *, state: str) -> None:
        super().__init__(status.HTTP_409_CONFLICT, code, detail, state=state)


class TooLarge(ApiError):
    """The body is larger than the limit."""

    def __init__(self, detail: str, code: str = "body_too_large") -> None:
        super().__init__(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, code, detail)


def redis_unavailable() -> ApiError:
    """The error of a view that noticed by itself that Redis does not answer."""
    detail = _("Redis does not answer; try again later.")
    error = ApiError(status.HTTP_503_SERVICE_UNAVAILABLE, "redis_unavailable", detail)
    error.wait = RETRY_AFTER_SECONDS
    return error


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook: the answer to an exception raised in a view, or None for a fault of ours (handled as a 500)."""
    problem = problem_of(error)
    if problem is None:
        return None
    if problem.status_code >= status.HTTP_500_INTERNAL_SERVER_ERROR:
        logger.warning("%s: %s: %s", problem.code, type(error).__name__, " ".join(str(error).split()))
    return Response(problem.body, status=problem.status_code, headers=dict(problem.headers))


def problem_of(error: BaseException | None) -> Problem | None:
    """Return the Problem of a known exception; None for an unknown one."""
    match error:
        case exceptions.APIException():
            return api_problem(error)
        case EngineError():
            return _engine_problem(error)
        case JobError():
            return _job_problem(error)
        case CommandRefused():
            return _command_problem(error)
        case BufferFull():
            return _unavailable("position_buffer_full", _("Too many fixes wait to be stored; send it again later."))
        case FileNotStored():
            return not_stored(str(error))
        case OSError() if error.errno in NO_ROOM:  # of a form, before a view has it
            return not_stored(error.strerror or str(error))
        case Http404():
            return Problem(status.HTTP_404_NOT_FOUND, "not_found", _("Not found."))
        case PermissionDenied():
            return Problem(status.HTTP_403_FORBIDDEN, "permission_denied", _("You may not do this."))
        case RequestDataTooBig():
            return Problem(status.HTTP_413_REQUEST_ENTITY_TOO_LARGE, "body_too_large", _("The body is too large."))
        case SuspiciousOperation() | UnreadablePostError():
            return Problem(status.HTTP_400_BAD_REQUEST, "bad_request", _("The request cannot be read."))
    if isinstance(error, DATABASE_DOWN) or (isinstance(error, InternalError) and sqlstate(error) == _READ_ONLY):
        return _unavailable("database_unavailable", _("The database does not answer; try again later."))
    if isinstance(error, REDIS_DOWN):
        return _unavailable("redis_unavailable", _("Redis does not answer; try again later."))
    return None


def not_stored(reason: str) -> Problem:
    """Return 507: the disk, or the storage of files, did not take what was sent."""
    detail = _("The file could not be stored: %(reason)s.") % {"reason": reason}
    return Problem(status.HTTP_507_INSUFFICIENT_STORAGE, "file_not_written", detail)


def _unavailable(code: str, detail: str) -> Problem:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    return Problem(status.HTTP_503_SERVICE_UNAVAILABLE, code, detail, headers=headers)


def _engine_problem(error: EngineError) -> Problem:
    status_code = next((code for kind, code in ENGINE_STATUS.items() if isinstance(error, kind)), None)
    if status_code == status.HTTP_503_SERVICE_UNAVAILABLE:
        return _unavailable(error.code, _("The queue takes no job at present; nothing was enqueued, try again later."))
    # An error of a service may name the parameter that is wrong.
    named: str = getattr(error, "field", "")
    fields = {named: [str(error)]} if named else {}
    return Problem(status_code or status.HTTP_400_BAD_REQUEST, error.code, str(error), fields)


def _job_problem(error: JobError) -> Problem:
    """Return 404 for what is not there, and for a step that is not allowed 409 with the state of the job."""
    state = getattr(error, "state", None)
    sentence = JOB_SENTENCES.get(type(error))
    detail = str(error) if sentence is None else str(sentence) % {"state": state}
    if isinstance(error, NothingOfThatName):
        return Problem(status.HTTP_404_NOT_FOUND, error.code, detail)
    return Problem(status.HTTP_409_CONFLICT, error.code, detail, extra={"state": str(state)} if state else {})


def _command_problem(error: CommandRefused) -> Problem:
    """Return 400 for a request that can never be right, 403, and 409 for what the present state does not allow."""
    status_code = COMMAND_STATUS.get(error.code, status.HTTP_400_BAD_REQUEST)
    extra = {"state": str(getattr(error, "state", error.code))} if status_code == status.HTTP_409_CONFLICT else {}
    fields = {name: [text] for name, text in error.errors.items()}
    return Problem(status_code, error.code, error.sentence, fields, extra)


def api_problem(error: exceptions.APIException) -> Problem:
    """Return the Problem of an exception of DRF's kind."""
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    if getattr(error, "wait", None):
        headers["Retry-After"] = str(max(1, round(error.wait)))  # type: ignore[attr-defined]
    extra = getattr(error, "extra", {})
    if isinstance(error, exceptions.ValidationError):
        return Problem(error.status_code, "invalid", _("The request is not valid."), _fields(error.detail), extra)
    code = getattr(error.detail, "code", error.default_code)
    return Problem(error.status_code, code, str(error.detail), {}, extra, headers)


def _fields(detail: Any) -> dict[str, Any]:
    return dict(detail) if isinstance(detail, Mapping) else {"non_field_errors": detail}


# --- Outside of a view: unknown URLs, refused hosts, faults --------------------------------------------------------------


def wants_json(request: HttpRequest) -> bool:
    """True for paths that programs call, which get no HTML."""
    return request.path_info.startswith(JSON_PATHS)


def json_problem(problem: Problem) -> JsonResponse:
    """The answer outside of DRF."""
    return JsonResponse(problem.body, status=problem.status_code, headers=dict(problem.headers))


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler404 of the root URLconf."""
    if not wants_json(request):
        return not_found_page(request)
    return json_problem(Problem(status.HTTP_404_NOT_FOUND, "not_found", _("There is nothing at this address.")))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler403 of the root URLconf."""
    if not wants_json(request):
        return forbidden_page(request)
    return json_problem(Problem(status.HTTP_403_FORBIDDEN, "permission_denied", _("You may not do this.")))


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """settings.CSRF_FAILURE_VIEW."""
    if not wants_json(request):
        return form_refused(request)
    return json_problem(Problem(status.HTTP_403_FORBIDDEN, "csrf_failed", reason))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """handler400 of the root URLconf."""
    if not wants_json(request):
        return too_large_page() if isinstance(exception, RequestDataTooBig) else unreadable_page()
    fallback = Problem(status.HTTP_400_BAD_REQUEST, "bad_request", _("The request cannot be read."))
    return json_problem(problem_of(exception) or fallback)


INTERNAL_DETAIL = gettext_lazy("An error of ours; it was logged.")


def server_error(request: HttpRequest) -> HttpResponse:
    """handler500 of the root URLconf; Django calls it while the exception is being handled."""
    error = sys.exc_info()[1]
    problem = problem_of(error)
    if not wants_json(request):
        if isinstance(error, IntegrityError) and isinstance(error.__cause__, CAME_BETWEEN):
            return stored_twice_page()
        if problem is not None and problem.status_code == status.HTTP_507_INSUFFICIENT_STORAGE:
            return not_stored_page(problem.detail)
        is_outage = problem is not None and problem.status_code == status.HTTP_503_SERVICE_UNAVAILABLE
        return outage_page(RETRY_AFTER_SECONDS) if is_outage else fault_page()
    fallback = Problem(status.HTTP_500_INTERNAL_SERVER_ERROR, "internal_error", str(INTERNAL_DETAIL))
    return json_problem(problem or fallback)
