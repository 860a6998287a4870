"""Errors of reports."""

from __future__ import annotations

from tasks_app.engine import PermanentError

# The length to which the reason of a failed report or run is cut.
MAX_ERROR_LENGTH = 1000


class InvalidReport(PermanentError, ValueError):
    """The report cannot be made as requested, and a retry would not help.

    `code` is the reason for programs, `detail` the one for people, `field` the name of the parameter or "".
    """

    def __init__(self, code: str, detail: object, *, field: str = "") -> None:
        self.code = code
        self.detail = str(detail)
        self.field = field
        super().__init__(self.detail)


class ReportNotReady(RuntimeError):
    """The report is still pending or running."""


class FileNotWritten(RuntimeError):
    """The file of a report could not be stored, and no part of it was left behind. A retry may help."""


class FilesOutOfReach(RuntimeError):
    """The storage of files does not answer or refuses. A retry may help."""


class ReportExpired(InvalidReport):
    """The report expired: its content and files were deleted."""


class ReportStateConflict(Exception):
    """The action is not allowed in the report's `state`."""

    def __init__(self, detail: object, *, state: str) -> None:
        self.state = state
        super().__init__(str(detail))
