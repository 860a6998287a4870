"""Commands as these tests ask for them, and have them sent."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from tasks_app.models import Command, CommandAttempt, Device, DeviceAccess, DeviceState
from tasks_app.services.commands import request_command, send_next


def give_access(device: Device, **values: Any) -> None:
    """Give the device a protocol, a chain of ways, a phone number."""
    DeviceAccess.objects.update_or_create(device=device, defaults=values)
    device.refresh_from_db()


def stand_still(device: Device, speed_kph: float = 0.0, **attributes: Any) -> None:
    """Give the device a fix of now, at this speed."""
    now = timezone.now()
    values = {"fix_time": now, "last_seen_at": now, "latitude": -23.5, "longitude": -46.6, "speed_kph": speed_kph}
    DeviceState.objects.update_or_create(device=device, defaults={**values, "attributes": attributes})


def ask_for(device: Device, user: Any, type: str = "custom", **options: Any) -> Command:
    """Request a command, confirmed by the device's name."""
    parameters = options.pop("parameters", {"text": "getver"} if type == "custom" else {})
    return request_command(
        device=Device.objects.get(pk=device.pk),
        type=type,
        parameters=parameters,
        user=user,
        typed_name=device.name,
        **options,
    )


def send_now(device: Device) -> dict[str, Any]:
    """Have the device's next command sent, as its job does, whatever waits for its next attempt."""
    Command.objects.filter(device=device).update(next_attempt_at=None)
    return send_next(device_pk=device.pk, now=timezone.now())


def attempts_of(command: Command) -> list[tuple[str, str]]:
    """Way and error of each attempt."""
    return list(CommandAttempt.objects.filter(command=command).order_by("number").values_list("way", "error"))


def state_of(command: Command) -> str:
    command.refresh_from_db()
    return str(command.state)
