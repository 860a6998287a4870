"""Deletion of report files: the rows first, the files once that is committed."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from functools import partial

from django.core.files.storage import default_storage
from django.db import transaction
from django.utils.translation import gettext as _

from reports_app.exceptions import FilesOutOfReach
from reports_app.models import ReportFile

logger = logging.getLogger(__name__)


@contextmanager
def files_in_reach() -> Iterator[None]:
    """Turn errors of the storage into FilesOutOfReach, except FileNotFoundError."""
    try:
        yield
    except FileNotFoundError:
        raise
    except OSError as error:
        reason = error.strerror or str(error) or type(error).__name__
        raise FilesOutOfReach(
            _("The files of reports cannot be reached at present: %(reason)s.") % {"reason": reason}
        ) from error


def delete_files(report_ids: Collection[int]) -> int:
    """Delete the files of these reports; return how many. Part of the caller's transaction."""
    rows = ReportFile.objects.filter(report__in=report_ids)
    names = list(rows.values_list("file", flat=True))
    if names:
        rows.delete()
        transaction.on_commit(partial(_delete_stored, names), robust=True)
    return len(names)


def _delete_stored(names: list[str]) -> None:
    """Delete the files. One that cannot be deleted now is left to the clean-up of orphans."""
    for name in names:
        try:
            default_storage.delete(name)
        except OSError as error:
            logger.warning("Report file %s is left to the cleanup of orphans: %s", name, error)
