"""Commands that jobs ask for: of a schedule, or of a person who started the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from tasks_app.engine import PermanentError, current_job
from tasks_app.models import Device
from tasks_app.services.arguments import check_calls_by
from tasks_app.services.commands.checking import Request, standing_errors
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.commands.requesting import request_command


def problems_of_call(arguments: Mapping[str, Any]) -> dict[str, str]:
    """Return what would make every run of such a call fail, by its arguments."""
    device = Device.objects.select_related("fleet", "access").filter(pk=arguments["device_id"]).first()
    if device is None:
        return {}
    request = Request(
        type=arguments["type"],
        parameters=arguments.get("parameters") or {},
        user=None,
        way=arguments.get("way") or "",
        expires_in_seconds=arguments.get("expires_in_seconds"),
        reason=arguments.get("reason") or "",
        typed_name=arguments.get("typed_name") or "",
    )
    problems: dict[str, str] = {}
    for field, sentence in standing_errors(request, device, now=timezone.now()).items():
        name, _separator, parameter = field.partition(".")
        problems.setdefault(name, f"{parameter}: {sentence}" if parameter else str(sentence))
    return problems


check_calls_by("send_command", problems_of_call)


def request_in_job(*, device_pk: int, type: str, parameters: Mapping[str, Any], **options: Any) -> dict[str, Any]:
    """Request the command that the current job is about, once however often the job runs; return its key and state.

    A job that a person asked for is theirs, with their rights now; that of a schedule is the system's, since the rights were
    checked of the person who saved it. Raises PermanentError where it is refused.
    """
    job = current_job()
    user = job.requested_by_id and get_user_model()._default_manager.filter(pk=job.requested_by_id).first()
    device = Device.objects.select_related("fleet", "access").filter(pk=device_pk).first()
    if device is None or (job.requested_by_id and user is None):
        raise PermanentError("The device, or the person who asked for it, is gone.")
    key = f"job:{job.id}" if job.id else ""
    try:
        command = request_command(
            device=device, type=type, parameters=parameters, user=user, idempotency_key=key, **options
        )
    except CommandRefused as refusal:
        raise PermanentError(refusal.sentence) from refusal
    return {"command": command.pk, "state": str(command.state)}
