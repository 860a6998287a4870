from django.apps import AppConfig
from django.utils.translation import gettext_lazy as _

from tasks_app.library_options import absent

with absent("prometheus_client", "psutil"):  # for django_q's own cluster, which ours replaces
    import django_q.conf  # noqa: F401


class TasksAppConfig(AppConfig):
    name = "tasks_app"
    verbose_name = _("Fleet and tasks")

    def import_models(self) -> None:
        """Import the models; then replace django_q.tasks, before the models of the apps behind this one import it."""
        super().import_models()
        from tasks_app.engine.django_q import tasks as django_q_tasks

        django_q_tasks.install()

    def ready(self) -> None:
        from tasks_app import checks, engine, receivers  # noqa: F401 - importing registers them
        from tasks_app.engine.broker import use_json_packages
        from tasks_app.engine.django_tasks import import_task_modules
        from tasks_app.services import commands, positions  # noqa: F401 - importing registers them
        from tasks_app.services.audit import watch_models
        from tasks_app.web import audit, login  # noqa: F401 - importing registers them
        from tasks_app.websockets import metrics as of_sockets  # noqa: F401 - importing registers them

        watch_models()
        _register_pages()
        use_json_packages()
        engine.autodiscover()
        import_task_modules()


def _register_pages() -> None:
    """Add the pages of this app to the navigation at /."""
    from tasks_app.pages.navigation import Entry, Place, register_page
    from tasks_app.queries import access

    register_page(Entry(_("Overview"), "pages:home", 10))
    register_page(Entry(_("Map"), "pages:map", 20, access.VIEW_DEVICES))
    register_page(Entry(_("Devices"), "pages:devices", 30, access.VIEW_DEVICES))
    register_page(Entry(_("Trips"), "pages:trips", 40, access.VIEW_POSITIONS))
    register_page(Entry(_("Events"), "pages:events", 50, access.VIEW_EVENTS))
    register_page(Entry(_("Commands"), "pages:commands", 55, access.VIEW_COMMANDS))
    register_page(Entry(_("Geofences"), "pages:geofences", 60, access.VIEW_GEOFENCES))
    register_page(Entry(_("Password"), "pages:password", 30, place=Place.PERSON))
    register_page(Entry(_("Two-factor log-in"), "pages:two_factor", 35, place=Place.PERSON))
    register_page(Entry(_("Sessions and tokens"), "pages:access", 40, place=Place.PERSON))
