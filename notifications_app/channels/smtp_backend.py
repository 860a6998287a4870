"""The e-mail backend of the settings: SMTP whose sessions end in time, before the time limit of the job that sends.

A timeout of sockets alone bounds each step, of which there are ten, and the whole of a large e-mail that is written at once.
"""

from __future__ import annotations

import smtplib
import socket
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.mail import EmailMessage
from django.core.mail.backends import smtp

CONNECT_SECONDS = 10.0
# Of one session once it is connected: below the time limit of the queue, together with connecting.
SESSION_SECONDS = 45.0
# Each piece has EMAIL_TIMEOUT_SECONDS to leave.
PIECE_BYTES = 64 * 1024


class EmailBackend(smtp.EmailBackend):
    """SMTP by the settings of Django. Raises TimeoutError where a session was cut."""

    is_out_of_time = False

    @property
    def connection_class(self) -> Any:
        return partial(_SecureConnection if self.use_ssl else _Connection, self)

    def send_messages(self, email_messages: Sequence[EmailMessage]) -> int:
        try:
            return super().send_messages(email_messages)
        except OSError as error:
            if self.is_out_of_time:
                raise TimeoutError(f"the mail server did not take it within {SESSION_SECONDS:.0f} s") from error
            raise


class _Connection(smtplib.SMTP):
    """A connection that is cut at the end of its time, however busily the other end drips bytes into it."""

    def __init__(self, backend: EmailBackend, *args: Any, **options: Any) -> None:
        self._backend = backend
        self._timer = threading.Timer(SESSION_SECONDS, self._cut)
        self._timer.daemon = True
        super().__init__(*args, **options)

    def _get_socket(self, host: str, port: int, timeout: Any) -> Any:
        # Without a setting it is a mark of the socket module.
        seconds = timeout if isinstance(timeout, int | float) else SESSION_SECONDS
        connected = super()._get_socket(host, port, min(seconds, CONNECT_SECONDS))  # type: ignore[misc]
        connected.settimeout(seconds)
        self._timer.start()
        return connected

    def send(self, s: Any) -> None:
        if not isinstance(s, bytes):
            super().send(s)
            return
        for start in range(0, len(s), PIECE_BYTES):
            super().send(s[start : start + PIECE_BYTES])

    def close(self) -> None:
        self._timer.cancel()
        super().close()

    def _cut(self) -> None:
        self._backend.is_out_of_time = True
        try:
            if self.sock is not None:
                socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        except OSError:
            return  # Closed already.


class _SecureConnection(_Connection, smtplib.SMTP_SSL):
    """The same over TLS from the beginning."""
