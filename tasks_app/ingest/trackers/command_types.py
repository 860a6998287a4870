"""The types of commands: their parameters with bounds, whether they are dangerous or may be repeated, and how long they hold.

A protocol names those it can express (`TrackerProtocol.command_types`). One line each; a type that only one protocol knows
stands here like all others.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy


class InvalidParameters(ValueError):
    """Parameters that cannot be right: `errors` are sentences by the parameter's name."""

    def __init__(self, errors: dict[str, Any]) -> None:
        super().__init__("; ".join(f"{name}: {error}" for name, error in errors.items()))
        self.errors = errors


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter of a command. `minimum` and `maximum` bound a number, or the length of a text."""

    name: str
    label: Any
    kind: Literal["integer", "text", "boolean"]
    minimum: int = 0
    maximum: int = 0
    default: Any = None

    @property
    def is_required(self) -> bool:
        return self.default is None


@dataclass(frozen=True, slots=True)
class CommandType:
    """A type of commands.

    Dangerous ones need a permission of their own and a confirmation. Idempotent ones may be sent again after an attempt of
    which nobody knows whether it arrived. A queued command of the `opposite` type is superseded. `effect` is the attribute of
    positions, with its value, that shows what the command did, where there is one. `is_shown_by_fix` is a command that any fix
    of after its sending answers: many trackers say nothing else to it.
    """

    name: str
    label: Any
    parameters: tuple[Parameter, ...] = ()
    is_dangerous: bool = False
    is_idempotent: bool = True
    opposite: str = ""
    effect: tuple[str, Any] | None = None
    is_shown_by_fix: bool = False
    expiry_seconds: int = 600
    min_expiry_seconds: int = 15
    max_expiry_seconds: int = 7 * 24 * 3600


# The attribute of positions that says whether the relay of the engine is cut.
RELAY = "blocked"

_INTERVAL = Parameter("interval_seconds", _("Interval (seconds)"), "integer", 5, 86_400)
_OUTPUT = (
    Parameter("output", _("Output"), "integer", 1, 8),
    Parameter("is_on", _("On"), "boolean"),
)
_ADDRESS = (
    Parameter("host", _("Host"), "text", 1, 253),
    Parameter("port", _("Port"), "integer", 1, 65_535),
)

COMMAND_TYPES: dict[str, CommandType] = {
    one.name: one
    for one in (
        CommandType("position_request", _("Ask for position"), is_shown_by_fix=True),
        CommandType("position_interval", _("Interval of positions"), (_INTERVAL,)),
        CommandType("status_request", _("Ask for status")),
        CommandType("version_request", _("Ask for version")),
        CommandType("parameters_request", _("Ask for parameters")),
        CommandType(
            "engine_stop",
            _("Stop engine"),
            is_dangerous=True,
            is_idempotent=False,
            opposite="engine_resume",
            effect=(RELAY, True),
            expiry_seconds=60,
            max_expiry_seconds=300,
        ),
        CommandType("engine_resume", _("Let engine run"), opposite="engine_stop", effect=(RELAY, False)),
        CommandType("reboot", _("Restart"), is_idempotent=False),
        CommandType("output", _("Switch output"), _OUTPUT),
        CommandType("arm", _("Arm"), opposite="disarm"),
        CommandType("disarm", _("Disarm"), opposite="arm"),
        CommandType(
            "set_odometer",
            _("Set odometer"),
            (Parameter("odometer_meters", _("Odometer (m)"), "integer", 0, 4_294_967_295),),
            is_idempotent=False,
        ),
        CommandType(
            "overspeed_alarm",
            _("Overspeed alarm"),
            (Parameter("speed_kph", _("Speed (km/h)"), "integer", 0, 300),),
        ),
        CommandType("acknowledge_emergency", _("Acknowledge emergency")),
        CommandType("power_off", pgettext_lazy("command", "Switch off"), is_dangerous=True, is_idempotent=False),
        CommandType("factory_reset", _("Factory settings"), is_dangerous=True, is_idempotent=False),
        CommandType(
            "firmware",
            _("Update firmware"),
            (Parameter("url", _("Address"), "text", 1, 200),),
            True,
            is_idempotent=False,
        ),
        CommandType("set_server", _("Change server"), _ADDRESS, is_dangerous=True, is_idempotent=False),
        CommandType(
            "custom", _("Text"), (Parameter("text", _("Text"), "text", 1, 500),), is_dangerous=True, is_idempotent=False
        ),
    )
}


def check_parameters(type_name: str, parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters of a command of this type, with defaults. Raises InvalidParameters."""
    wanted = {one.name: one for one in COMMAND_TYPES[type_name].parameters}
    errors: dict[str, Any] = {name: _("There is no such parameter.") for name in parameters if name not in wanted}
    checked: dict[str, Any] = {}
    for name, parameter in wanted.items():
        value = parameters.get(name, parameter.default)
        if (error := _error_of(parameter, value)) is not None:
            errors[name] = error
        checked[name] = value
    if errors:
        raise InvalidParameters(errors)
    return checked


def _error_of(parameter: Parameter, value: Any) -> Any:
    if value is None:
        return _("Required.")
    if parameter.kind == "boolean":
        return None if isinstance(value, bool) else _("Must be true or false.")
    if parameter.kind == "integer":
        is_right = isinstance(value, int) and not isinstance(value, bool)
        within = is_right and parameter.minimum <= value <= parameter.maximum
        return None if within else _("Must be a whole number from %(minimum)s to %(maximum)s.") % _bounds(parameter)
    is_line = isinstance(value, str) and value.isprintable() and value.strip() != ""
    is_text = is_line and parameter.minimum <= len(value) <= parameter.maximum
    return None if is_text else _("Must be a text of one line of at most %(maximum)s characters.") % _bounds(parameter)


def _bounds(parameter: Parameter) -> dict[str, int]:
    return {"minimum": parameter.minimum, "maximum": parameter.maximum}
