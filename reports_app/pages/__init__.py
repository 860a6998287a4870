"""The pages of reports and report schedules at /, in rooms by noun."""

from reports_app.pages.device_links import ask_link, reports_link
from reports_app.pages.reports import report_urls
from reports_app.pages.schedules import schedule_urls

page_urls = [*report_urls, *schedule_urls]

__all__ = ["ask_link", "page_urls", "reports_link"]
