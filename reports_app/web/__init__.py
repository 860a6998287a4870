"""Parts that the pages of reports at / and in the admin share: names, cells, charts, forms."""

from reports_app.web.asking import KIND_SENTENCES, PRESET_LABELS, AskedFor
from reports_app.web.cells import shown_section
from reports_app.web.chart import chart_of
from reports_app.web.comparison import compared_sections
from reports_app.web.names import days_text, period_text, report_name, subject_text
from reports_app.web.route_map import route_points
from reports_app.web.scheduling import SCHEDULE_FIELDS, ScheduledFor, formats_field, kinds_field, local_time_field

__all__ = [
    "KIND_SENTENCES",
    "PRESET_LABELS",
    "SCHEDULE_FIELDS",
    "AskedFor",
    "ScheduledFor",
    "chart_of",
    "compared_sections",
    "days_text",
    "formats_field",
    "kinds_field",
    "local_time_field",
    "period_text",
    "report_name",
    "route_points",
    "shown_section",
    "subject_text",
]
