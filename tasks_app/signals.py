"""How this package speaks up to those above it, which it does not know."""

from django.dispatch import Signal

# Sent inside the transaction that wrote the events, so that receivers' rows commit with them (an outbox).
# Arguments: events (list[Event], freshly written, newest state of the device already stored).
events_recorded = Signal()
