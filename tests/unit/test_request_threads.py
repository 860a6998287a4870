"""Requests are served by threads that stay: each has one to itself, and no more stay than are kept."""

from __future__ import annotations

import asyncio
import threading

import pytest
from asgiref.sync import sync_to_async
from django.http import FileResponse, StreamingHttpResponse

from trackerproject import request_threads
from trackerproject.request_threads import ThreadKeepingHandler


class Handler(ThreadKeepingHandler):
    """A handler whose view notes its thread, after a step that a test may hold up."""

    def __init__(self) -> None:
        super().__init__()
        self.threads: list[threading.Thread] = []
        self.has_begun = threading.Semaphore(0)
        self.may_end = threading.Event()
        self.may_end.set()

    async def handle(self, scope, receive, send) -> None:
        await sync_to_async(self._view)(scope["path"])

    def _view(self, path: str) -> None:
        self.threads.append(threading.current_thread())
        self.has_begun.release()
        assert self.may_end.wait(10)
        if path == "/error":
            raise LookupError(path)

    async def get(self, path: str = "/") -> None:
        await self({"type": "http", "path": path}, None, None)

    async def get_at_once(self, count: int) -> None:
        """Serve requests of which each begins before the first ends."""
        self.may_end.clear()
        requests = asyncio.gather(*(self.get() for _ in range(count)))
        for _ in range(count):
            assert await asyncio.to_thread(self.has_begun.acquire, timeout=10)
        self.may_end.set()
        await requests


@pytest.fixture
def handler():
    handler = Handler()
    yield handler
    for thread in handler.idle:
        thread.retire()


@pytest.fixture
def closed(monkeypatch) -> list[threading.Thread]:
    """The threads whose connections were closed."""
    found: list[threading.Thread] = []
    monkeypatch.setattr(request_threads.connections, "close_all", lambda: found.append(threading.current_thread()))
    return found


def test_requests_one_after_the_other_have_the_same_thread(handler):
    async def several():
        for _ in range(3):
            await handler.get()

    asyncio.run(several())
    assert len(set(handler.threads)) == 1


def test_a_view_that_raises_gives_its_thread_back(handler):
    async def several():
        for _ in range(2):
            with pytest.raises(LookupError):
                await handler.get("/error")

    asyncio.run(several())
    assert len(set(handler.threads)) == 1


def test_requests_at_the_same_time_have_threads_of_their_own(handler):
    async def several():
        await handler.get_at_once(3)
        await handler.get_at_once(3)

    asyncio.run(several())
    first, second = set(handler.threads[:3]), set(handler.threads[3:])
    assert len(first) == 3
    assert first == second


def test_more_threads_than_are_kept_close_their_connections_and_end(handler, closed, monkeypatch):
    monkeypatch.setattr(request_threads, "KEPT_THREADS", 2)
    asyncio.run(handler.get_at_once(5))
    ended = set(handler.threads) - {next(iter(kept._threads)) for kept in handler.idle}
    for thread in ended:
        thread.join(10)
    assert len(handler.idle) == 2
    assert set(closed) == ended


def test_a_view_whose_client_hung_up_keeps_its_thread_to_itself(handler, closed):
    """The view goes on; the next request does not wait for it."""

    async def hang_up():
        handler.may_end.clear()
        request = asyncio.create_task(handler.get())
        assert await asyncio.to_thread(handler.has_begun.acquire, timeout=10)
        request.cancel()
        # asgiref waits for the thread before it passes the cancellation on, or leaves it: both must be well.
        await asyncio.sleep(0)
        assert handler.idle == []
        other = asyncio.create_task(handler.get())
        assert await asyncio.to_thread(handler.has_begun.acquire, timeout=10)
        handler.may_end.set()
        await asyncio.wait([request, other])

    asyncio.run(hang_up())
    assert len(set(handler.threads)) == 2


def test_it_serves_nothing_but_http(handler):
    with pytest.raises(ValueError, match="websocket"):
        asyncio.run(handler({"type": "websocket"}, None, None))


class Stream(ThreadKeepingHandler):
    """A handler whose answer is a stream, of which a test decides when it goes on."""

    def __init__(self) -> None:
        super().__init__()
        self.is_closed = threading.Event()
        self.sent: list[bytes] = []

    def _respond(self, scope, body):
        async def pieces():
            yield b"first"
            await asyncio.Event().wait()

        response = StreamingHttpResponse(pieces())
        response._resource_closers.append(self.is_closed.set)
        return response


def test_a_file_is_read_as_it_is_sent(tmp_path):
    """Of a long one only what is on its way is in memory; it came whole, in order, and is closed."""
    path = tmp_path / "long"
    path.write_bytes(b"".join(bytes([number]) * ThreadKeepingHandler.chunk_size for number in range(100)))
    file = path.open("rb")
    ahead, sent = [], []

    class Files(ThreadKeepingHandler):
        def _respond(self, scope, body):
            response = FileResponse(file)
            response.block_size = self.chunk_size
            return response

    async def receive():
        return {"type": "http.request", "body": b""} if not sent else await asyncio.Event().wait()

    async def send(message):
        sent.append(message.get("body", b""))
        if sent[-1]:
            ahead.append(file.tell() - sum(map(len, sent)))

    handler = Files()
    asyncio.run(asyncio.wait_for(handler({"type": "http", "path": "/"}, receive, send), 10))
    assert b"".join(sent) == path.read_bytes()
    assert max(ahead) < 20 * handler.chunk_size
    assert file.closed
    for thread in handler.idle:
        thread.retire()


def test_a_stream_ends_and_is_closed_when_its_client_hangs_up():
    handler = Stream()
    has_begun = asyncio.Event()
    messages = [{"type": "http.request", "body": b""}]

    async def receive():
        if messages:
            return messages.pop()
        await has_begun.wait()
        return {"type": "http.disconnect"}

    async def send(message):
        handler.sent.append(message.get("body", b""))
        if handler.sent[-1] == b"first":
            has_begun.set()

    asyncio.run(asyncio.wait_for(handler({"type": "http", "path": "/"}, receive, send), 10))
    assert b"first" in handler.sent
    assert handler.is_closed.is_set()
    for thread in handler.idle:
        thread.retire()
