"""Settings of the ways of commands that leave by HTTP: a Traccar server, and a provider of SMS (docs/commands.md)."""

from __future__ import annotations

from typing import Any

# Words of providers for a message that arrived, and for one that will not, in lower case.
DELIVERED = ["delivered", "delivrd", "received"]
UNDELIVERED = [
    "failed",
    "undelivered",
    "undeliv",
    "undeliverable",
    "expired",
    "rejected",
    "rejectd",
    "deleted",
    "canceled",
]


def traccar_server(env: Any) -> dict[str, str]:
    """Return address and token of the Traccar server that commands go through; "" for none."""
    return {"URL": env.str("TRACCAR_URL", default=""), "TOKEN": env.str("TRACCAR_TOKEN", default="")}


def sms_provider(env: Any) -> dict[str, Any]:
    """Return how an SMS is sent, and how its receipt is read.

    URL and BODY hold {phone}, {text}, {reference}, {validity_seconds}. PASSWORDS and WAKE_UP_TEXTS are by protocol, "*" for
    all others.
    """
    return {
        "URL": env.str("SMS_URL", default=""),
        "METHOD": env.str("SMS_METHOD", default="POST"),
        "HEADERS": env.json("SMS_HEADERS", default={}),
        "BODY": env.str("SMS_BODY", default=""),
        # A text that answers must contain to mean that the message was taken.
        "ACCEPTED": env.str("SMS_ACCEPTED", default=""),
        "PASSWORDS": env.json("SMS_PASSWORDS", default={}),
        "WAKE_UP_TEXTS": env.json("SMS_WAKE_UP_TEXTS", default={}),
        "RECEIPT_SECRET": env.str("SMS_RECEIPT_SECRET", default=""),
        "RECEIPT_REFERENCE": env.str("SMS_RECEIPT_REFERENCE", default="reference"),
        "RECEIPT_STATUS": env.str("SMS_RECEIPT_STATUS", default="status"),
        "RECEIPT_DELIVERED": env.list("SMS_RECEIPT_DELIVERED", default=DELIVERED),
        "RECEIPT_UNDELIVERED": env.list("SMS_RECEIPT_UNDELIVERED", default=UNDELIVERED),
    }
