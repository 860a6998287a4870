"""The builder of each kind of report: the module of the kind's name, with a function `build`."""

from __future__ import annotations

from importlib import import_module
from types import ModuleType

from django.utils.translation import gettext as _

from reports_app.builders.base import Builder
from reports_app.exceptions import InvalidReport
from reports_app.models import Report, ReportKind
from reports_app.table import ReportTable

# A fleet's day is built as any report of a fleet.
SHARED_BUILDERS = {ReportKind.DAILY: ReportKind.FLEET}


def _module_of(kind: ReportKind) -> ModuleType:
    return import_module(f"{__package__}.{SHARED_BUILDERS.get(kind, kind).value}")


BUILDERS: dict[str, Builder] = {kind: _module_of(kind).build for kind in ReportKind}
KINDS_WITHOUT_PLACES = frozenset(kind for kind in ReportKind if not getattr(_module_of(kind), "HAS_PLACES", True))


def build_table(report: Report) -> ReportTable:
    """Return the table of `report`. Raises InvalidReport (unknown_kind, too_many_rows, ...)."""
    if report.kind not in BUILDERS:
        raise InvalidReport("unknown_kind", _("Unknown kind “%(kind)s”.") % {"kind": report.kind}, field="kind")
    return BUILDERS[report.kind](report)
