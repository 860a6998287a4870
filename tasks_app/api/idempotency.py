"""`Idempotency-Key`: a POST that makes something, sent again under its key, is answered again and makes nothing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.db import transaction
from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from tasks_app.api.errors import ApiError, problem_of
from tasks_app.api.parsers import JSON_MEDIA_TYPE, media_type_of, read_bounded
from tasks_app.engine.job_ids import repeatable_job_ids
from tasks_app.services.idempotency import (
    AnswerLost,
    Asked,
    Claim,
    KeptAnswer,
    KeyUsedOtherwise,
    StillInProgress,
    claim,
    forget,
    hold,
    keep,
)

HEADER = "Idempotency-Key"
META_NAME = "HTTP_IDEMPOTENCY_KEY"
REPLAYED = "Idempotency-Replayed"
_KEY = re.compile(r"[\x21-\x7e]{1,255}")
_MULTIPART = "multipart/form-data"
# Headers of an answer that belong to it, whenever it is sent.
_OWN_HEADERS = ("Location",)
RETRY_AFTER_SECONDS = 1


def takes_key(request: Request, view: Any) -> bool:
    """Whether the request has a key, and is a POST that makes something (`describe` marks its handler)."""
    return (
        META_NAME in request.META
        and request.method == "POST"
        and getattr(view.post, "makes_something", False)
        and request.user.is_authenticated
    )


def answered_once(asking: Request, handler: Callable[..., Response], *args: Any, **kwargs: Any) -> Any:
    """Call the handler once for all requests of a key; to later ones give its answer.

    Its rows and the answer are one transaction; the jobs it makes have ids that follow from the key. Only answers of work that
    was done are kept. Raises ValidationError (no proper key), ApiError 409, and as the handler.
    """
    user: Any = asking.user
    asked = Asked(user.pk, _key_of(asking), _fingerprint(asking))
    try:
        return _answer(asked, claim(asked, now=timezone.now()), handler, *args, **kwargs)
    except KeyUsedOtherwise as error:
        detail = _("This key came with another request before; a new request needs a new key.")
        raise ApiError(status.HTTP_409_CONFLICT, "idempotency_key_reused", detail, state="done") from error
    except StillInProgress as error:
        conflict = ApiError(
            status.HTTP_409_CONFLICT,
            "idempotency_in_progress",
            _("The first request with this key is being worked on; ask again in a second."),
            state="in_progress",
        )
        conflict.wait = RETRY_AFTER_SECONDS
        raise conflict from error
    except AnswerLost as error:
        detail = _("The request was done before, but its answer cannot be read any more: look for what it made.")
        raise ApiError(status.HTTP_409_CONFLICT, "idempotency_answer_lost", detail, state="done") from error


def _answer(asked: Asked, claimed: Claim, handler: Callable[..., Response], *args: Any, **kwargs: Any) -> Any:
    try:
        # Jobs that wait for the commit are made within the first block.
        with repeatable_job_ids(claimed.seed, is_repeat=claimed.is_repeat), transaction.atomic():
            if (kept := hold(asked, claimed)) is not None:
                return _replayed(kept)
            response = handler(*args, **kwargs)
            keep(asked, claimed, _kept(response))
            return response
    except Exception as error:
        if _is_refusal(error):
            forget(asked, claimed)
        raise


def _kept(response: Response) -> KeptAnswer:
    headers = {name: response.headers[name] for name in _OWN_HEADERS if name in response.headers}
    body = "" if response.data is None else JSONRenderer().render(response.data).decode()
    return KeptAnswer(response.status_code, body, headers)


def _replayed(kept: KeptAnswer) -> HttpResponse:
    headers = {**kept.headers, REPLAYED: "true"}
    return HttpResponse(kept.body, content_type=JSON_MEDIA_TYPE, status=kept.status_code, headers=headers)


def _is_refusal(error: Exception) -> bool:
    """Whether nothing was made, for a reason that the client may mend; after other errors the work may be half done."""
    problem = problem_of(error)
    return problem is not None and problem.status_code < status.HTTP_500_INTERNAL_SERVER_ERROR


def _key_of(request: Request) -> str:
    key: str = request.META[META_NAME]
    if not _KEY.fullmatch(key):
        detail = _("Give 1 to 255 letters, digits and signs of ASCII, without spaces.")
        raise ValidationError({HEADER: [detail]})
    return key


def _fingerprint(request: Request) -> str:
    """Return a hash of all that the request asks for. Raises as reading the body does."""
    of = hashlib.sha256()
    path = request.path.rstrip("/")
    encoding = request.META.get("HTTP_CONTENT_ENCODING", "")
    for part in (path, request.META.get("QUERY_STRING", ""), media_type_of(request), encoding):
        of.update(part.encode() + b"\n")
    if media_type_of(request) == _MULTIPART:
        _add_form(of, request)
    else:
        of.update(read_bounded(request._request, settings.DATA_UPLOAD_MAX_MEMORY_SIZE))
    return of.hexdigest()


def _add_form(of: Any, request: Request) -> None:
    """Add the fields and files of a form, whose boundary differs each time it is sent."""
    form: Any = request.data
    for name in sorted(form):
        for value in form.getlist(name):
            of.update(f"{name}\n".encode())
            if not hasattr(value, "chunks"):
                of.update(f"{value}\n".encode())
                continue
            of.update(f"{value.name}\n".encode())
            for chunk in value.chunks():
                of.update(chunk)
            value.seek(0)
