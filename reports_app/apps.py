from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class ReportsAppConfig(AppConfig):
    name = "reports_app"
    verbose_name = _("Reports")

    def ready(self) -> None:
        from reports_app import message_kinds, receivers  # noqa: F401 - importing registers them
