"""Commands on their way from the list of this node to the connections that its trackers hold."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from concurrent.futures import CancelledError, Future
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import replace
from datetime import datetime

from django.utils import timezone

from tasks_app.gateway.sessions import Connection
from tasks_app.gateway.shared import Shared
from tasks_app.gateway.threads import Pool, in_database, report
from tasks_app.ingest.trackers.base import EncodedCommand, OutgoingCommand
from tasks_app.queries.commands import access_by_identifier, is_command_of
from tasks_app.services.commands import NothingWritten, as_set_up, send_attempt
from tasks_app.services.trackers import NodeNote, read_notes

logger = logging.getLogger(__name__)

WAIT_SECONDS = 1.0
# Each holds a row's lock while bytes are written.
THREADS = 4
# The event loop is asked to write; where it does not within so long, nobody knows whether it will.
WRITE_SECONDS = 5.0


class CommandDesk:
    """Reads notes for this node in a thread of its own, and hands commands to `send_attempt` in others."""

    def __init__(self, shared: Shared, loop: asyncio.AbstractEventLoop) -> None:
        self._shared = shared
        self._loop = loop
        self._pool = Pool("commands", THREADS)
        self._is_stopping = threading.Event()
        self._thread = threading.Thread(target=self._read, name="notes of node", daemon=True)
        self._running: set[asyncio.Task[None]] = set()

    @property
    def is_idle(self) -> bool:
        """Whether no command is being sent."""
        return not self._running

    def start(self) -> None:
        """Begin to read notes."""
        self._thread.start()

    def stop(self) -> None:
        """Read no further note."""
        self._is_stopping.set()

    def close(self) -> None:
        """End the threads."""
        self._pool.close()

    def _read(self) -> None:
        is_away = False
        while not self._is_stopping.is_set():
            try:
                notes = read_notes(self._shared.node, seconds=WAIT_SECONDS)
                is_away = False
            except Exception as error:  # noqa: BLE001 - the thread outlives whatever it is, and reports it
                if not is_away:
                    report("Commands are not read", error)
                is_away = True
                time.sleep(WAIT_SECONDS)
                continue
            if notes and not self._loop.is_closed():
                self._loop.call_soon_threadsafe(self._take, notes)

    def _take(self, notes: list[NodeNote]) -> None:
        for note in notes:
            if note.kind == "superseded":
                self._shared.sessions.superseded(note.unique_id, note.fence)
            else:
                task = asyncio.create_task(self._send(note))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def _send(self, note: NodeNote) -> None:
        link = self._shared.sessions.find(note.unique_id, note.fence)
        if link is None:
            # It stays queued: the next connection of the device has it sent.
            logger.info("Command %s finds no session of %s.", note.command_pk, note.unique_id)
            return
        try:
            await self._pool.run(in_database, self._attempt, note, link)
        except Exception as error:  # noqa: BLE001 - the gateway outlives whatever it is, and reports it
            report(f"Command {note.command_pk} of {note.unique_id}", error)

    def _attempt(self, note: NodeNote, link: Connection) -> None:
        # A copy: the event loop goes on decoding with the session itself.
        session = replace(link.session, memory=dict(link.session.memory))

        def encode(command: OutgoingCommand) -> EncodedCommand:
            # The settings as they are now, not as they were when the tracker connected.
            set_up = as_set_up(session, access_by_identifier(note.unique_id), link.protocol.name)
            return replace(link.protocol.encode(command, set_up), secret=set_up.password)

        send_attempt(
            note.command_pk,
            way="session",
            address=link.address,
            encode=encode,
            write=lambda encoded, expires_at: self._write(note, link, encoded, expires_at),
        )

    def _write(self, note: NodeNote, link: Connection, encoded: EncodedCommand, expires_at: datetime) -> None:
        """Write to exactly this session. Raises NothingWritten, or TimeoutError where nobody knows."""
        if not is_command_of(note.command_pk, note.unique_id):
            raise NothingWritten("The tracker was given to another vehicle.")
        done: Future[None] = Future()
        self._loop.call_soon_threadsafe(self._write_in_loop, done, note, link, encoded, expires_at)
        try:
            done.result(WRITE_SECONDS)
        except FutureTimeout:
            if done.cancel():
                raise NothingWritten("The gateway is too busy.") from None
            raise TimeoutError("The gateway did not answer.") from None
        except CancelledError:
            raise NothingWritten("The gateway stops.") from None

    def _write_in_loop(
        self, done: Future[None], note: NodeNote, link: Connection, encoded: EncodedCommand, expires_at: datetime
    ) -> None:
        if not done.set_running_or_notify_cancel():
            return
        if self._shared.sessions.find(note.unique_id, note.fence) is not link:
            done.set_exception(NothingWritten("The connection has ended."))
        elif link.has_unsent():
            done.set_exception(NothingWritten("The tracker does not read."))
        elif timezone.now() >= expires_at:
            done.set_exception(NothingWritten("It expired meanwhile."))
        else:
            link.send(encoded.data)
            link.commanded_at = self._shared.clock()
            self._shared.notes.frame(note.unique_id, "out", encoded.kept_data, "command")
            done.set_result(None)
