"""The error of a parser about its input as a whole; a fault of one fix is a RejectedFix value instead."""

from __future__ import annotations


class BodyError(ValueError):
    """The body or file as a whole cannot be read, or no further than to here.

    `code` is one of body_too_large, too_many_fixes (HTTP 413), not_json, too_deep, wrong_shape, empty (HTTP 400), and
    for files unknown_format, unreadable_file, wrong_header, not_gpx; `detail` is a sentence for people.
    """

    def __init__(self, code: str, detail: str) -> None:
        super().__init__(detail)
        self.code, self.detail = code, detail
