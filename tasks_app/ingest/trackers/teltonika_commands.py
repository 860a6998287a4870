"""Texts of commands to a Teltonika, and the forms in which its outputs are switched."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from tasks_app.ingest.trackers.base import InvalidCommand, RelayVariant, TrackerSession
from tasks_app.ingest.trackers.command_texts import Texts, host_of

STOP_BELOW_KPH = 20

_ONE_OUTPUT = RelayVariant("one_output", "setdigout 1 (DOUT1)")
_SECOND_OUTPUT = RelayVariant("second_output", "setdigout ?1 (DOUT2)")
RELAY_VARIANTS = (_ONE_OUTPUT, _SECOND_OUTPUT)


def relay_output(session: TrackerSession) -> int:
    """Return the output that the relay of the engine hangs on."""
    return 2 if session.relay_variant == _SECOND_OUTPUT.name else 1


def _outputs(session: TrackerSession) -> int:
    if session.relay_variant == _ONE_OUTPUT.name:
        return 1
    return session.memory.get("outputs", 0) or 2


def _set_output(output: int, is_on: bool, session: TrackerSession) -> str:
    count = max(_outputs(session), output)
    if output > 4:
        raise InvalidCommand(_("These trackers have at most %(maximum)s outputs.") % {"maximum": 4}, "output")
    states = ["?"] * count
    states[output - 1] = "1" if is_on else "0"
    return f"setdigout {''.join(states)}"


def _stop(_parameters: dict[str, Any], session: TrackerSession) -> str:
    """The relay's output on, below the speed: states, then for each output its seconds, then its speed."""
    output = relay_output(session)
    count = max(_outputs(session), output)
    speeds = ["?"] * count
    speeds[output - 1] = str(STOP_BELOW_KPH)
    return " ".join([_set_output(output, True, session), *["?"] * count, *speeds])


def _interval(parameters: dict[str, Any], _session: TrackerSession) -> str:
    """How often a moving tracker takes and sends a record, at home, roaming and in unknown networks."""
    ids = (10050, 10055, 10150, 10155, 10250, 10255)
    return "setparam " + ";".join(f"{one}:{parameters['interval_seconds']}" for one in ids)


TEXTS: Texts = {
    "position_request": lambda parameters, session: "getgps",
    "position_interval": _interval,
    "status_request": lambda parameters, session: "getstatus",
    "version_request": lambda parameters, session: "getver",
    "engine_stop": _stop,
    "engine_resume": lambda parameters, session: _set_output(relay_output(session), False, session),
    "reboot": lambda parameters, session: "cpureset",
    "output": lambda parameters, session: _set_output(parameters["output"], parameters["is_on"], session),
    "factory_reset": lambda parameters, session: "defaultcfg",
    "set_server": lambda parameters, session: f"setparam 2004:{host_of(parameters)};2005:{parameters['port']}",
    "custom": lambda parameters, session: parameters["text"],
}
