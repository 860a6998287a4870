"""Answers of BodyLimits where the application behind it gives a request up."""

from __future__ import annotations

import asyncio
import errno

import pytest

from trackerproject.body_limits import BodyLimits


async def ask(error: OSError, path: str, *, has_begun: bool = False) -> tuple[int, bytes]:
    """Send a body on which the application behind fails like this; return status and body of the answer."""
    sent: list[dict] = []

    async def application(_scope, receive, send) -> None:
        await receive()
        if has_begun:
            await send({"type": "http.response.start", "status": 200, "headers": []})
        raise error

    async def receive() -> dict:
        return {"type": "http.request", "body": b"x"}

    async def send(message: dict) -> None:
        sent.append(message)

    headers = [(b"content-length", b"1"), (b"accept", b"text/html")]
    scope = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": headers}
    limits = BodyLimits(application, idle_seconds=1)
    try:
        await limits(scope, receive, send)
    finally:
        limits.close()
    return sent[0]["status"], sent[-1]["body"]


@pytest.mark.parametrize(
    ("path", "sign"), [("/api/positions/import", b'"code": "file_not_written"'), ("/admin/x/", b"<title>")]
)
def test_a_body_that_does_not_fit_on_the_disk_is_refused_by_that_name(path, sign):
    """Django writes large bodies to its temporary folder before there is a request: it was a bare 500."""
    status, body = asyncio.run(ask(OSError(errno.ENOSPC, "x"), path))
    assert status == 507
    assert sign in body
    assert b"No space left on device" in body


@pytest.mark.parametrize(("number", "has_begun"), [(errno.EIO, False), (errno.ENOSPC, True)])
def test_other_faults_and_those_of_an_answer_that_has_begun_go_on(number, has_begun):
    with pytest.raises(OSError, match="of a view"):
        asyncio.run(ask(OSError(number, "of a view"), "/", has_begun=has_begun))
