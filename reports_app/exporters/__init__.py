"""Exporters: one module for each format, which writes a table to a file."""

from reports_app.exporters.base import Exporter
from reports_app.exporters.registry import EXPORTERS, get_exporter
from reports_app.exporters.shown import ShownColumn, shown_column, shown_columns

__all__ = [
    "EXPORTERS",
    "Exporter",
    "ShownColumn",
    "get_exporter",
    "shown_column",
    "shown_columns",
]
