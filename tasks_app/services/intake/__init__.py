"""Messages and files of devices on their way into the position store."""

from tasks_app.services.intake.batches import (
    BATCH_TASK,
    device_of,
    enqueue_batch,
    enqueue_positions,
    lane_key_of_batch,
    split_batch,
)
from tasks_app.services.intake.buffer import add_to_buffer, ask_for_drains, drain_buffer
from tasks_app.services.intake.imports import ImportSummary, estimate_fixes, import_file
from tasks_app.services.intake.messages import quarantine_messages, take_in, take_in_all
from tasks_app.services.intake.of_trackers import TrackerMessages, quarantine_of_trackers, take_in_of_trackers
from tasks_app.services.intake.quarantine import MAX_PER_CALL, QuarantineEntry, quarantine_entries
from tasks_app.services.intake.registration import TooManyNewDevices, register_unknown
from tasks_app.services.intake.uploads import (
    IMPORT_TASK,
    UPLOAD_FOLDER,
    InvalidUpload,
    check_file,
    create_upload,
    end_uploads_of,
    import_upload,
    sweep_stuck_uploads,
    why_not_imported_again,
)

__all__ = [
    "BATCH_TASK",
    "IMPORT_TASK",
    "MAX_PER_CALL",
    "UPLOAD_FOLDER",
    "ImportSummary",
    "InvalidUpload",
    "QuarantineEntry",
    "TooManyNewDevices",
    "TrackerMessages",
    "add_to_buffer",
    "ask_for_drains",
    "check_file",
    "create_upload",
    "device_of",
    "drain_buffer",
    "end_uploads_of",
    "enqueue_batch",
    "enqueue_positions",
    "estimate_fixes",
    "import_file",
    "import_upload",
    "lane_key_of_batch",
    "quarantine_entries",
    "quarantine_messages",
    "quarantine_of_trackers",
    "register_unknown",
    "split_batch",
    "sweep_stuck_uploads",
    "take_in",
    "take_in_all",
    "take_in_of_trackers",
    "why_not_imported_again",
]
