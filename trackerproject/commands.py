"""Settings of commands to devices, from the environment."""

from __future__ import annotations

from typing import Any

from environ import Env


def command_settings(env: Env) -> dict[str, Any]:
    """Return the setting COMMANDS."""
    return {
        # A dangerous command waits until another person confirms it; else its sender types the device's name.
        "NEED_SECOND_PERSON": env.bool("COMMANDS_NEED_SECOND_PERSON", default=False),
        # To so many devices one request may send a command.
        "MAX_DEVICES": env.int("COMMANDS_MAX_DEVICES", default=500),
    }
