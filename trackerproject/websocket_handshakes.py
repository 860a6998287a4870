"""Handshakes of WebSockets that the library refuses before it knows them: they get its answer, and their connection ends.

uvicorn (0.54) leaves that answer unsent where a line or the number of headers is too much for the library, and the connection
open for as long as its client likes: no one who waits for a token, nor counted as anything.
"""

from __future__ import annotations

from typing import Any


def answer_refused_handshakes() -> None:
    """Make uvicorn's protocol send what the library answers to a handshake that it could not read."""
    try:
        from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
    except ImportError:
        return
    received = WebSocketsSansIOProtocol.data_received

    def data_received(self: Any, data: bytes) -> None:
        received(self, data)
        if not self.handshake_initiated and self.conn.handshake_exc is not None and not self.transport.is_closing():
            self.handshake_complete = self.close_sent = True
            self.transport.write(b"".join(self.conn.data_to_send()))
            self.transport.close()

    WebSocketsSansIOProtocol.data_received = data_received  # type: ignore[method-assign]
