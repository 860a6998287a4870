"""Signals of this package for the packages above it."""

from __future__ import annotations

from django.dispatch import Signal

# (notification: Notification): a message is about to be sent. A receiver that knows a reason why its user (or recipient on
# behalf) may not have it, or its attachments, any more returns the reason as text.
message_about_to_go = Signal()

# (delivery: Delivery, reason: str): a delivery failed for good. Sent in the transaction that notes it.
delivery_failed = Signal()

# (delivery: Delivery): one that had failed for good was tried again by a person, and sent. Likewise.
delivery_recovered = Signal()
