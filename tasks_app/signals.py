"""How this package speaks up to those above it, which it does not know."""

from django.dispatch import Signal

# Sent inside the transaction that wrote the events, so that receivers' rows commit with them (an outbox).
# Arguments: events (list[Event], freshly written, newest state of the device already stored).
events_recorded = Signal()

# Sent by cleanup_orphaned_data, outside of any transaction, so that every package removes what of its own belongs to
# nothing any more, in bounded batches. Arguments: now (aware datetime), dry_run (bool: count only).
# A receiver returns how much it removed, or would: {"name of the kind": count}.
orphans_cleanup_requested = Signal()

# Sent after the rows of jobs were stored that did not succeed, whoever stored them (a worker, the scheduler, a request).
# It may be sent again for the same jobs. Arguments: jobs (list[FinishedJob], each failed or cancelled).
jobs_not_done = Signal()
