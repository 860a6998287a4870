from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsAppConfig(AppConfig):
    name = "reports_app"
    verbose_name = _("Reports")

    def ready(self) -> None:
        from reports_app import message_kinds, receivers  # noqa: F401 - importing registers them
        from reports_app.queries import report_source
        from tasks_app.queries.references import register_source
        from tasks_app.services.cleanup import Cleanup, register_cleanup

        register_source("report", report_source())
        register_cleanup("reports", Cleanup("cleanup_reports", takes_days=True))
        register_cleanup("expiry", Cleanup("expire_reports"))
