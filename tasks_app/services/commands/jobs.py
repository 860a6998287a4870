"""Commands that jobs ask for: of a schedule, or of a person who started the task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.contrib.auth import get_user_model

from tasks_app.engine import PermanentError, current_job
from tasks_app.models import Device
from tasks_app.services.commands.refusals import CommandRefused
from tasks_app.services.commands.requesting import request_command


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
