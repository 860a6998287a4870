from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _


class NotificationsAppConfig(AppConfig):
    name = "notifications_app"
    verbose_name = _("Notifications")

    def ready(self) -> None:
        from notifications_app import receivers  # noqa: F401 - importing registers them
        from notifications_app.channels import registry  # noqa: F401
        from notifications_app.messages.kinds import registry as kinds  # noqa: F401
        from tasks_app.services.cleanup import Cleanup, register_cleanup

        register_cleanup("notifications", Cleanup("cleanup_notifications", takes_days=True))
