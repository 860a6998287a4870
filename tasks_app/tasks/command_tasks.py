"""Tasks about commands to devices. Those that code makes jobs of are not among what people start."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.utils import timezone

from tasks_app.engine import task
from tasks_app.queries.commands import may_make_call
from tasks_app.services.argument_bounds import CommandTypeName, CommandWayName, DeviceId, ExpirySeconds, Note
from tasks_app.services.commands import record_answer, record_relay, request_in_job, send_next, sweep_commands


@task(queue="notifications", schedulable=True, members=may_make_call)
def send_command(
    device_id: DeviceId,
    type: CommandTypeName,
    parameters: dict[str, Any] | None = None,
    way: CommandWayName | None = None,
    expires_in_seconds: ExpirySeconds | None = None,
    reason: Note = "",
    typed_name: Note = "",
) -> dict[str, Any]:
    """Send a command to a device, as a person would: a dangerous one needs the device's name, typed to confirm it."""
    return request_in_job(
        device_pk=device_id,
        type=type,
        parameters=parameters or {},
        way=way or "",
        expires_in_seconds=expires_in_seconds,
        reason=reason,
        typed_name=typed_name,
    )


@task(queue="notifications", keeps_successes=False, startable=False)
def send_commands(device_id: DeviceId) -> dict[str, Any]:
    """Hand the next command of a device to the first way that can take it."""
    return send_next(device_pk=device_id, now=timezone.now())


@task(queue="notifications", keeps_successes=False, startable=False)
def record_command_answer(
    device_id: str,
    protocol: str,
    text: str,
    token: str,
    name: str,
    is_success: bool | None,
    received_at: str,
) -> dict[str, Any]:
    """Record what a device, named by its unique id, answered to a command."""
    return record_answer(
        device_id=device_id,
        protocol=protocol,
        text=text,
        token=token,
        name=name,
        is_success=is_success,
        received_at=datetime.fromisoformat(received_at),
    )


@task(queue="notifications", keeps_successes=False, startable=False)
def record_relay_state(device_id: str, is_relay_cut: bool, received_at: str) -> dict[str, int]:
    """Record the state of the relay that a device, named by its unique id, sent without a place."""
    return record_relay(device_id=device_id, is_relay_cut=is_relay_cut, received_at=datetime.fromisoformat(received_at))


@task(queue="notifications", schedulable=True)
def sweep_device_commands() -> dict[str, int]:
    """End commands that expired or were not answered, and send those that wait."""
    return sweep_commands(now=timezone.now())
