"""The way of commands through a Traccar server, which holds the device's connection.

Traccar is asked to send at once or not at all (`noQueue`): its own queue knows no expiry. Its answer says that the command was
written to the device; what the device says comes to /ingest/traccar, as every result.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit

import msgspec
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import EncodedCommand, InvalidCommand, OutgoingCommand
from tasks_app.ingest.trackers.command_texts import host_of
from tasks_app.models import Command, CommandWay, Device, DeviceState
from tasks_app.queries.commands import access_of
from tasks_app.services.commands.attempts import NothingWritten, send_attempt
from tasks_app.services.commands.ways.operator_http import ask, excerpt
from tasks_app.utils.outgoing_http import Answer

_Parameters = dict[str, Any]

# Types of Traccar's model Command. Where its protocols do not agree on a meaning (a speed limit), there is none.
_NAMES = {
    "position_request": "positionSingle",
    "position_interval": "positionPeriodic",
    "status_request": "getDeviceStatus",
    "version_request": "getVersion",
    "engine_stop": "engineStop",
    "engine_resume": "engineResume",
    "reboot": "rebootDevice",
    "output": "outputControl",
    "arm": "alarmArm",
    "disarm": "alarmDisarm",
    "set_odometer": "setOdometer",
    "acknowledge_emergency": "alarmDismiss",
    "power_off": "powerOff",
    "factory_reset": "factoryReset",
    "firmware": "firmwareUpdate",
    "set_server": "setConnection",
    "custom": "custom",
}
_ATTRIBUTES: dict[str, Callable[[_Parameters], _Parameters]] = {
    "position_interval": lambda given: {"frequency": given["interval_seconds"]},
    "output": lambda given: {"index": given["output"], "data": "1" if given["is_on"] else "0"},
    "set_odometer": lambda given: {"data": str(given["odometer_meters"])},
    "firmware": lambda given: {"data": given["url"]},
    "set_server": lambda given: {"server": host_of(given), "port": given["port"]},
    "custom": lambda given: {"data": given["text"]},
}
TYPES = frozenset(_NAMES)
# Answers of a server, or of a proxy before it, that did not pass the command on.
_NOT_PASSED_ON = {400, 401, 403, 404, 405, 406, 408, 411, 413, 415, 421, 425, 429}


class TraccarWay:
    name = CommandWay.TRACCAR.value
    answer_seconds = 120.0

    def types(self, device: Device) -> frozenset[str]:
        return TYPES if _is_set() and _is_forwarded(device) else frozenset()

    def check(self, device: Device, command: OutgoingCommand) -> None:
        encode(command)

    def can_take(self, device: Device, command: Command) -> bool:
        return command.type in self.types(device)

    def hand_over(self, device: Device, command: Command) -> None:
        send_attempt(
            command.pk,
            way=self.name,
            address=urlsplit(settings.TRACCAR_SERVER["URL"]).netloc,
            encode=encode,
            write=lambda encoded, expires_at: write(device.unique_id, encoded.data, expires_at),
        )


def encode(command: OutgoingCommand) -> EncodedCommand:
    """Return Traccar's command without the device's number there. Raises InvalidCommand."""
    if command.type not in _NAMES:
        raise InvalidCommand(_("Traccar has no such command."))
    attributes = _ATTRIBUTES[command.type](command.parameters) if command.type in _ATTRIBUTES else {}
    body = {"type": _NAMES[command.type], "attributes": {**attributes, "noQueue": True}}
    data = msgspec.json.encode(body)
    return EncodedCommand(data, data.decode())


def write(unique_id: str, data: bytes, expires_at: datetime) -> None:
    """Send an encoded command. Raises NothingWritten; OSError where nobody knows whether the device got it."""
    # Asked for each time: the tracker of this number may be another vehicle's by now.
    body = {"deviceId": _number_of(unique_id), **msgspec.json.decode(data)}
    if timezone.now() >= expires_at:
        raise NothingWritten(_("It expired while Traccar was asked for the device."))
    answer = ask("POST", _address("commands/send"), msgspec.json.encode(body), _headers())
    judge(answer)


def judge(answer: Answer) -> None:
    """Return where Traccar wrote the command to the device. Raises as `write`."""
    if answer.status == 200:
        return
    if answer.status == 202:
        raise OSError(_("Traccar put the command into its queue, from where it may reach the device at any time."))
    if 300 <= answer.status < 400 or answer.status in _NOT_PASSED_ON:
        raise NothingWritten(_("Traccar did not send it: %(answer)s") % {"answer": excerpt(answer)})
    raise OSError(excerpt(answer))


def _number_of(unique_id: str) -> int:
    """Return the number by which Traccar knows a device. Raises NothingWritten."""
    try:
        answer = ask("GET", _address(f"devices?uniqueId={quote(unique_id, safe='')}"), None, _headers())
    except OSError as error:
        raise NothingWritten(_("Traccar did not answer: %(error)s") % {"error": error}) from error
    if answer.status != 200:
        raise NothingWritten(_("Traccar refused the request: %(answer)s") % {"answer": excerpt(answer)})
    try:
        found = msgspec.json.decode(answer.body, type=list[_TraccarDevice])
    except msgspec.MsgspecError as error:
        raise NothingWritten(_("The address in TRACCAR_URL is not that of a Traccar server.")) from error
    numbers = [one.id for one in found if one.uniqueId == unique_id]
    if len(numbers) != 1:
        raise NothingWritten(_("The user of TRACCAR_TOKEN sees no device with this identifier in Traccar."))
    return numbers[0]


class _TraccarDevice(msgspec.Struct):
    id: int
    uniqueId: str


def _is_set() -> bool:
    return bool(settings.TRACCAR_SERVER["URL"] and settings.TRACCAR_SERVER["TOKEN"])


def _is_forwarded(device: Device) -> bool:
    """Whether a Traccar server has it: its chain says so, or its newest fix names a protocol, as Traccar sends it."""
    access = access_of(device)
    if access.ways or access.protocol:
        return CommandWay.TRACCAR in access.ways
    return DeviceState.objects.filter(pk=device.pk, attributes__protocol__isnull=False).exists()


def _address(path: str) -> str:
    return f"{settings.TRACCAR_SERVER['URL'].rstrip('/')}/api/{path}"


def _headers() -> dict[str, str]:
    return {
        "Authorization": f"Bearer {settings.TRACCAR_SERVER['TOKEN']}",
        "Accept": "application/json",
        "Content-Type": "application/json",
    }
