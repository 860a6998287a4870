"""How this package speaks up to those above it, which it does not know."""

from django.dispatch import Signal

# Sent inside the transaction that wrote the events, so that receivers' rows commit with them (an outbox).
# Arguments: events (list[Event], freshly written, newest state of the device already stored).
events_recorded = Signal()

# Sent by cleanup_orphaned_data, outside of any transaction, so that every package removes what of its own belongs to
# nothing any more, in bounded batches. Arguments: now (aware datetime), dry_run (bool: count only).
# A receiver returns how much it removed, or would: {"name of the kind": count}.
orphans_cleanup_requested = Signal()

# Sent after the rows of jobs were stored that did not succeed, by any process (a worker, the scheduler, a request).
# Once for each row that was new; not if that process dies just then. Arguments: jobs (list[FinishedJob]: failed or cancelled).
jobs_not_done = Signal()

# Sent before positions go, outside of any transaction: retention leaves the UTC days alone that a receiver returns, as
# [(start, end), ...] of aware datetimes, the end exclusive. A receiver answers with times it will still read.
needed_positions_asked = Signal()

# Something the people who run the system should know. Arguments: subject (str), message (str), level (info, warning,
# error, critical), key (str: the same trouble sent again under its key is one message), now (aware datetime).
system_trouble = Signal()

# Whether a user may read a job that another user asked for: `user`, `job_id`. True from any receiver is enough.
job_reader_asked = Signal()

# Asked before a person makes a call again: `task` (its name), `args`, `kwargs`. A receiver returns the sentence why it
# cannot be made again, None where it knows of no reason.
job_repeat_asked = Signal()

# Sent in the transaction that switched a schedule off because it cannot run. Arguments: name (str), error (str).
schedule_switched_off = Signal()
