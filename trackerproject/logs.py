"""Logging: one line per record, JSON in production (newlines escaped), readable in development."""

from __future__ import annotations

import logging
import re
import time
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db.utils import InterfaceError, OperationalError

from tasks_app.library_options import absent
from tasks_app.request_ids import fields_of_log_line

with absent("rich", "greenlet"):  # for tracebacks on a terminal: ours are part of their line; and for gevent
    import structlog
with absent("opentelemetry"):  # for metrics of the client, of which we have our own
    from redis.exceptions import ConnectionError as RedisConnectionError
    from redis.exceptions import RedisError
    from redis.exceptions import TimeoutError as RedisTimeoutError

# Of servers that do not answer, which the request says to its sender.
_AWAY = (RedisConnectionError, RedisTimeoutError, OperationalError, InterfaceError)
LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")

# What opens something by itself and stands in an address: keys of devices, which phones can only send there, and the signed
# links of e-mails to reports and to unsubscribe.
_SECRET_IN_ADDRESS = re.compile(
    r"""([?&](?:key|token)=|/(?:ingest/(?:osmand|sms-receipts)|reports/shared|unsubscribe)(?:/|%2F)+)[^&\s"'/?]+""",
    re.IGNORECASE,
)


def without_keys(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog processor: addresses are logged without the keys in them."""
    for name, text in event.items():
        if isinstance(text, str) and ("/" in text or "=" in text):
            event[name] = _SECRET_IN_ADDRESS.sub(r"\1***", text)
    return event


def in_a_line(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog processor: what is no fault of ours is said in a line, as a warning, without its traceback.

    While Redis is away the layer of WebSockets asks for it every second, and each request has an error; so has one that a
    page refuses for its address (django.security).
    """
    error = (event.get("exc_info") or (None, None))[1]
    logger = str(event.get("logger"))
    if logger == "channels_redis.pubsub" and isinstance(error, (RedisError, OSError)):
        text = "Open pages wait for Redis"
    elif logger.startswith("django.security.") or (logger == "django.request" and isinstance(error, _AWAY)):
        text = event["event"]
    else:
        return event
    if error is not None:
        del event["exc_info"]
        reason = " ".join(str(error).split())
        event["event"] = text if reason in text else f"{text}: {type(error).__name__}: {reason}"
    return event | {"level": "warning"}


class OnceAMinute(logging.Filter):
    """Leaves out what a process said within the minute of a trouble that lasts: while Redis or PostgreSQL is away, each
    worker tries several times a second, and its lines would fill a disk."""

    SECONDS = 60.0

    def __init__(self) -> None:
        super().__init__()
        self._said_at: dict[str, float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether the record is written."""
        if record.exc_info or not str(record.msg).endswith("; trying again"):
            return True
        text, now = record.getMessage(), time.monotonic()
        self._said_at = {each: at for each, at in self._said_at.items() if now - at < self.SECONDS}
        is_due = text not in self._said_at
        self._said_at.setdefault(text, now)
        return is_due


def with_request(_logger: Any, _method: str, event: dict[str, Any]) -> dict[str, Any]:
    """structlog processor: every line says of which request and of which job it is."""
    return {**fields_of_log_line(), **event}


def configure_structlog() -> None:
    """Let the loggers of structlog write through Python's, as all others do."""
    structlog.configure(
        processors=[*_shared(), structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _shared() -> list[Any]:
    return [
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        in_a_line,
        structlog.processors.format_exc_info,
        without_keys,
    ]


def _access_handlers() -> list[str]:
    """Return the handlers of uvicorn's access log: none where `--no-access-log` took them away, before Django is set up."""
    access = logging.getLogger("uvicorn.access")
    return ["stderr"] if access.propagate or access.handlers else []


def logging_config(*, level: str, as_json: bool) -> dict[str, Any]:
    """Return a `LOGGING` dict that renders every record of every library through structlog. Raises ImproperlyConfigured."""
    level = level.strip().upper()
    if level not in LEVELS:
        raise ImproperlyConfigured(f"LOG_LEVEL must be one of {', '.join(LEVELS)}, not {level!r}.")
    filters = [] if level == "DEBUG" else ["once_a_minute"]
    renderer: Any = structlog.processors.JSONRenderer() if as_json else structlog.processors.LogfmtRenderer()
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": structlog.stdlib.ProcessorFormatter,
                "foreign_pre_chain": _shared(),
                "processors": [structlog.stdlib.ProcessorFormatter.remove_processors_meta, with_request, renderer],
            }
        },
        "filters": {"once_a_minute": {"()": OnceAMinute}},
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": "line", "filters": filters}},
        "root": {"handlers": ["stderr"], "level": level},
        "loggers": {
            "django.server": {"handlers": ["stderr"], "level": level, "propagate": False},
            # Without Django's own handler and uvicorn's, which write addresses as they came, keys and all.
            "django": {"level": level},
            "uvicorn": {"handlers": ["stderr"], "level": level, "propagate": False},
            "uvicorn.access": {"handlers": _access_handlers(), "level": level, "propagate": False},
            "django_q": {"level": "WARNING"},
            "axes": {"level": "WARNING"},
            # The engine logs failures of jobs itself, without the secrets in them; these log tracebacks as they are.
            "django_tasks": {"level": "CRITICAL"},
            "django.tasks": {"level": "CRITICAL"},
        },
    }
