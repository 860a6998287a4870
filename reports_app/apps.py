from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsAppConfig(AppConfig):
    name = "reports_app"
    verbose_name = _("Reports")

    def ready(self) -> None:
        from reports_app import message_kinds, receivers  # noqa: F401 - importing registers them
        from reports_app.queries import RECIPIENT, REPORTABLE, recipient_source, report_source, reportable_source
        from tasks_app.queries.references import register_source
        from tasks_app.services.cleanup import Cleanup, register_cleanup

        register_source("report", report_source())
        register_source(REPORTABLE, reportable_source())
        register_source(RECIPIENT, recipient_source())
        register_cleanup("reports", Cleanup("cleanup_reports", takes_days=True))
        register_cleanup("expiry", Cleanup("expire_reports"))
        _register_pages()


def _register_pages() -> None:
    """Add the pages of this app to the navigation at /, and its links to the days of devices."""
    from reports_app.pages import ask_link, reports_link
    from reports_app.queries import VIEW_REPORTS
    from tasks_app.pages.device import register_device_link
    from tasks_app.pages.navigation import Entry, register_page

    register_page(Entry(_("Reports"), "pages:reports", 50, VIEW_REPORTS))
    register_device_link(ask_link)
    register_device_link(reports_link)
