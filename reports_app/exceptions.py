"""What can be wrong with a request for a report."""

from __future__ import annotations

from tasks_app.engine import PermanentError

# What is kept of a reason for which a report or a run failed.
MAX_ERROR_LENGTH = 1000


class InvalidReport(PermanentError, ValueError):
    """The report cannot be made as asked, and trying again cannot help.

    `code` names the reason for machines, `detail` says it to people, `field` names the parameter, "" for none.
    """

    def __init__(self, code: str, detail: object, *, field: str = "") -> None:
        self.code = code
        self.detail = str(detail)
        self.field = field
        super().__init__(self.detail)


class ReportNotReady(RuntimeError):
    """The report is still pending or running: ask again later."""


class FileNotWritten(RuntimeError):
    """The file of a report could not be stored; nothing of it was left behind. Trying again later may help."""


class FilesOutOfReach(RuntimeError):
    """The storage of files does not answer, or refuses: asking again later may help."""


class ReportExpired(InvalidReport):
    """The content and the files of the report are gone: ask for it anew."""


class ReportStateConflict(Exception):
    """The step is not allowed in the state the report is in. `state` names it, the text is for people."""

    def __init__(self, detail: object, *, state: str) -> None:
        self.state = state
        super().__init__(str(detail))
