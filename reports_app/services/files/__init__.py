"""Files of reports: written, published, downloaded, linked to and deleted."""

from reports_app.services.files.download import find_or_start_export
from reports_app.services.files.export import check_ready, export_report, file_name, run_export, write_report
from reports_app.services.files.formats import check_format, formats_of
from reports_app.services.files.links import SharedReport, linked_reports, read_link, report_link
from reports_app.services.files.orphans import delete_orphaned_files
from reports_app.services.files.stored import delete_files, files_in_reach

__all__ = [
    "SharedReport",
    "check_format",
    "check_ready",
    "delete_files",
    "delete_orphaned_files",
    "export_report",
    "file_name",
    "files_in_reach",
    "find_or_start_export",
    "formats_of",
    "linked_reports",
    "read_link",
    "report_link",
    "run_export",
    "write_report",
]
