"""A webhook receiver in a thread, for the demo: it checks every signature as docs/channels.md shows, and counts."""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

HOST = "127.0.0.1"
MAX_BODY_BYTES = 1024 * 1024


class WebhookReceiver:
    """`message_ids` are those whose signature was right, each once; `refused` counts the others."""

    def __init__(self) -> None:
        self.url = ""
        self.signing_secret = ""
        self.message_ids: set[str] = set()
        self.refused = 0

    def takes(self, headers: dict[str, str], body: bytes) -> bool:
        """Return whether the signature is valid."""
        message_id = headers.get("Webhook-Id", "")
        key = base64.b64decode(self.signing_secret.removeprefix("whsec_"))
        signed = f"{message_id}.{headers.get('Webhook-Timestamp', '')}.".encode() + body
        expected = "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        if not hmac.compare_digest(headers.get("Webhook-Signature", ""), expected):
            self.refused += 1
            return False
        self.message_ids.add(message_id)
        return True


@contextmanager
def webhook_receiver() -> Iterator[WebhookReceiver]:
    """Listens on a free port of 127.0.0.1 until the block ends."""
    receiver = WebhookReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(min(int(self.headers.get("Content-Length", 0)), MAX_BODY_BYTES))
            is_ours = receiver.takes(dict(self.headers), body)
            self.send_response(204 if is_ours else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer((HOST, 0), Handler)
    server.daemon_threads = True
    receiver.url = f"http://{HOST}:{server.server_port}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
