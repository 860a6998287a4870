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
        _register_pages()


def _register_pages() -> None:
    """Add the pages of this app to the navigation at /."""
    from notifications_app.pages.device_rules import device_rules
    from notifications_app.queries.inbox_cache import unread_count
    from tasks_app.pages.device import register_device_part
    from tasks_app.pages.navigation import Entry, Place, register_page

    register_device_part(device_rules)
    register_page(Entry(_("Notifications"), "pages:notifications", 10, place=Place.HEADER, count=unread_count))
    register_page(Entry(_("Preferences"), "pages:preferences", 10, place=Place.PERSON))
    register_page(Entry(_("Destinations"), "pages:destinations", 20, place=Place.PERSON))
