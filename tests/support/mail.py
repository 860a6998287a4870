"""A real SMTP server in a thread: it keeps what it takes and refuses what a test tells it to refuse."""

from __future__ import annotations

import asyncio
import email
import email.policy
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class MailSink:
    """`messages` are those taken, in order. `rcpt_answer` and `data_answer`, where set, are given instead of taking."""

    def __init__(self) -> None:
        self.messages: list[EmailMessage] = []
        self.rcpt_answer = ""
        self.data_answer = ""
        self.port = 0

    async def handle_RCPT(self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list) -> str:
        if self.rcpt_answer:
            return self.rcpt_answer
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        if self.data_answer:
            return self.data_answer
        self.messages.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 OK"


@contextmanager
def running_mail_sink() -> Iterator[MailSink]:
    """A sink that listens on a free port of loopback until the block ends."""
    sink, loop = MailSink(), asyncio.new_event_loop()
    server = loop.run_until_complete(loop.create_server(lambda: SMTP(sink, enable_SMTPUTF8=True), HOST, 0))
    sink.port = server.sockets[0].getsockname()[1]
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    try:
        yield sink
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(timeout=5)
        server.close()
        loop.run_until_complete(server.wait_closed())
        for pending in asyncio.all_tasks(loop):
            pending.cancel()
        loop.close()
