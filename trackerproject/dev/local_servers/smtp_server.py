"""A real SMTP server that keeps every message as a file.

`python -m trackerproject.dev.local_servers.smtp_server DIRECTORY PARENT` listens on a free port of 127.0.0.1, prints one
JSON line with host and port, and ends with its standard input or its parent.
"""

import asyncio
import json
import os
import sys
import time
from itertools import count
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

HOST = "127.0.0.1"


class KeepEach:
    """aiosmtpd handler: one .eml per message, complete as soon as it has that name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.numbers = count(1)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        # The envelope contains all recipients (Bcc too), unlike the headers of the message.
        head = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        name = f"{time.time_ns()}-{next(self.numbers):05d}"
        draft = self.directory / f"{name}.part"
        draft.write_bytes(head.encode("utf-8", "surrogateescape") + (envelope.original_content or b""))
        draft.rename(self.directory / f"{name}.eml")
        return "250 OK"


async def serve(directory: Path, parent: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(sys.stdin, ended.set)
    handler = KeepEach(directory)
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True, ident="local sink"), HOST, 0)
    print(json.dumps({"host": HOST, "port": server.sockets[0].getsockname()[1]}), flush=True)
    while not ended.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(ended.wait(), timeout=0.5)
        except TimeoutError:
            continue
    server.close()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), int(sys.argv[2])))
