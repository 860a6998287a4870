"""Reads: rights on reports, single reports, their stored content and previews."""

from reports_app.queries.access import (
    ADD_SCHEDULES,
    ASK_FOR_REPORTS,
    CHANGE_REPORTS,
    CHANGE_SCHEDULES,
    DELETE_REPORTS,
    DELETE_SCHEDULES,
    REPORT_ON,
    VIEW_REPORTS,
    VIEW_SCHEDULES,
    may_ask_again,
    may_change_report,
    may_change_schedule,
    report_source,
    reportable_devices,
    sees_report,
    visible_report,
    visible_report_schedules,
    visible_reports,
)
from reports_app.queries.content import stored_row_count, stored_table
from reports_app.queries.message_subjects import failure_key, report_key, run_key, sees_subject
from reports_app.queries.preview import TRACK_COLUMNS, SectionPreview, Series, preview_of
from reports_app.queries.reports import find_report, report_display_settings

__all__ = [
    "ADD_SCHEDULES",
    "ASK_FOR_REPORTS",
    "CHANGE_REPORTS",
    "CHANGE_SCHEDULES",
    "DELETE_REPORTS",
    "DELETE_SCHEDULES",
    "REPORT_ON",
    "TRACK_COLUMNS",
    "VIEW_REPORTS",
    "VIEW_SCHEDULES",
    "SectionPreview",
    "Series",
    "failure_key",
    "find_report",
    "may_ask_again",
    "may_change_report",
    "may_change_schedule",
    "preview_of",
    "report_display_settings",
    "report_key",
    "report_source",
    "reportable_devices",
    "run_key",
    "sees_report",
    "sees_subject",
    "stored_row_count",
    "stored_table",
    "visible_report",
    "visible_report_schedules",
    "visible_reports",
]
