from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured


class TrackerProjectConfig(AppConfig):
    name = "trackerproject"
    verbose_name = "Tracker"

    def ready(self) -> None:
        """Register checks; let all log lines be written in one way; trace, if that is wanted."""
        from trackerproject import checks as checks
        from trackerproject.logs import configure_structlog

        configure_structlog()
        if settings.TRACING:
            try:
                from trackerproject.traces import start_tracing
            except ModuleNotFoundError as error:
                raise ImproperlyConfigured("TRACING wants the packages of requirements-otel.txt.") from error

            start_tracing()
