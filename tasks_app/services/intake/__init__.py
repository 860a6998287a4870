"""Messages and files of devices on their way into the position store."""

from tasks_app.services.intake.buffer import InboxFull, add_to_inbox, drain_inbox
from tasks_app.services.intake.imports import ImportSummary, estimate_fixes, import_file
from tasks_app.services.intake.messages import take_in, take_in_all, take_in_suspects
from tasks_app.services.intake.quarantine import MAX_PER_CALL, Suspect, quarantine_entries
from tasks_app.services.intake.registration import TooManyNewDevices, register_unknown
from tasks_app.services.intake.uploads import (
    IMPORT_TASK,
    UPLOAD_FOLDER,
    InvalidUpload,
    check_file,
    create_upload,
    import_upload,
    sweep_stuck_uploads,
)

__all__ = [
    "IMPORT_TASK",
    "MAX_PER_CALL",
    "UPLOAD_FOLDER",
    "ImportSummary",
    "InboxFull",
    "InvalidUpload",
    "Suspect",
    "TooManyNewDevices",
    "add_to_inbox",
    "check_file",
    "create_upload",
    "drain_inbox",
    "estimate_fixes",
    "import_file",
    "import_upload",
    "quarantine_entries",
    "register_unknown",
    "sweep_stuck_uploads",
    "take_in",
    "take_in_all",
    "take_in_suspects",
]
