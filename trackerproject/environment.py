"""Variables of the environment, read so that a wrong one ends the start with its name."""

from __future__ import annotations

import math
import sys
from importlib.util import find_spec
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

import environ
from django.core.exceptions import ImproperlyConfigured

_MEANT = {int: "a whole number", float: "a number", bool: "1 or 0"}
_BOOLEANS = {*environ.Env.BOOLEAN_TRUE_STRINGS, "0", "false", "off", "no", "n", ""}

# The most that a number may be, by the end of its variable's name; beyond it none of them can be meant, and dates and
# durations would overflow long after the start.
_DAYS = 36_500
_MOST = {
    "WORKERS": 256,  # of a queue on one host, as for manage.py qcluster --workers
    "_DAYS": _DAYS,
    "_HOURS": _DAYS * 24,
    "_MINUTES": _DAYS * 24 * 60,
    "_SECONDS": _DAYS * 24 * 3600,
    "_PERCENT": 100,
    "_PORT": 65_535,
    "": 10**15,
}

# Where an empty text is not the default.
_MAY_BE_EMPTY = {"BUSINESS_HOURS"}


def _number(text: str) -> float:
    """Return the number that the whole text is, with a point or a comma: django-environ reads 1e3 as 13, and 5m as 5."""
    value = float(text.replace(",", "."))
    if not math.isfinite(value):
        raise ValueError(text)
    return value


def entries(text: str) -> list[str]:
    """Return what stands between commas, without the spaces around it: " b" in "a, b" would be no host and no key."""
    return [entry for each in text.split(",") if (entry := each.strip())]


def _pairs(text: str) -> dict[str, str]:
    pairs = [entry.split("=", 1) for entry in entries(text)]
    return {name.strip(): value.strip() for name, value in pairs}


def _is_web_address(text: str) -> bool:
    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(each.isspace() for each in text)


def _is_package(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # of the program that runs, or no name at all
        return name in sys.modules


_READERS: dict[Any, Any] = {float: _number, list: entries, dict: _pairs}


def _most(variable: str) -> int:
    return next(most for end, most in _MOST.items() if variable.endswith(end))


class Environment(environ.Env):
    """An empty variable has its default, as one that is not set.

    Raises ImproperlyConfigured for a value that is none of its kind; no number of the settings is below 0 or beyond all use.
    """

    def count(self, var: str, default: int) -> int:
        """Return a whole number of at least 1: of what nothing would work without."""
        value = self.int(var, default=default)
        if value < 1:
            raise ImproperlyConfigured(f"{var} must be at least 1.")
        return int(value)

    def seconds(self, var: str, default: float) -> float:
        """Return a number of seconds of at least 1: of a wait without which nothing would work."""
        value = float(self.float(var, default=default))
        if value < 1:
            raise ImproperlyConfigured(f"{var} must be at least 1.")
        return value

    def web_address(self, var: str, default: str) -> str:
        """Return an address that begins with http:// or https:// and names a host, without a slash at its end."""
        value = str(self.str(var, default=default)).strip().rstrip("/")
        if value and not _is_web_address(value):
            raise ImproperlyConfigured(f"{var} must be an address such as https://tracker.example.org, not {value!r}.")
        return value

    def zone(self, var: str, default: str) -> str:
        """Return the name of a time zone."""
        name = str(self.str(var, default=default)).strip()
        try:
            ZoneInfo(name)
        except (LookupError, OSError, ValueError):  # none, a folder, outside of them
            raise ImproperlyConfigured(f"{var} must be a time zone such as America/Sao_Paulo, not {name!r}.") from None
        return name

    def language(self, var: str, known: list[tuple[str, Any]], default: str) -> str:
        """Return the code of one of the known languages, also where it is written as in LANG: pt_BR."""
        given = str(self.str(var, default=default)).strip()
        codes = [code for code, _name in known]
        if (code := given.lower().replace("_", "-")) not in codes:
            raise ImproperlyConfigured(f"{var} must be one of {', '.join(codes)}, not {given!r}.")
        return code

    def apps(self, var: str) -> list[str]:
        """Return apps, by their modules or the classes of their configurations, of which each package is there."""
        names: list[str] = self.list(var, default=[])
        if missing := [name for name in names if not _is_package(name.partition(".")[0])]:
            raise ImproperlyConfigured(f"{var}: there is no package {', '.join(missing)} among those of this Python.")
        return names

    def get_value(
        self, var: str, cast: Any = None, default: Any = environ.Env.NOTSET, parse_default: bool = False
    ) -> Any:
        """Return the variable's value. The message leaves the value out where it may be a secret."""
        given = self.ENVIRON.get(var)
        if default is not environ.Env.NOTSET and (given is None or (not given.strip() and var not in _MAY_BE_EMPTY)):
            return default
        if given is None:
            raise ImproperlyConfigured(f"{var} must be set in the environment.")
        # Whatever else stood there would be taken for 0: a switch that is meant to be on would be off.
        if cast is bool and given.strip().lower() not in _BOOLEANS:
            raise ImproperlyConfigured(f"{var} must be 1 or 0, not {given!r}.")
        try:
            # Not by environ's own reader, for which "$word" is another variable: a password may begin so.
            value = self.parse_value(given, _READERS.get(cast, cast))
        except (TypeError, ValueError) as error:
            if meant := _MEANT.get(cast):
                raise ImproperlyConfigured(f"{var} must be {meant}, not {given!r}.") from error
            raise ImproperlyConfigured(f"{var} cannot be read: {error}") from error
        if cast in (int, float) and value < 0:
            raise ImproperlyConfigured(f"{var} must not be below 0.")
        if cast in (int, float) and value > (most := _most(var)):
            raise ImproperlyConfigured(f"{var} must not be above {most}.")
        return value
