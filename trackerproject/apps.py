from django.apps import AppConfig


class TrackerProjectConfig(AppConfig):
    name = "trackerproject"
    verbose_name = "Tracker"

    def ready(self) -> None:
        """Let all log lines be written in one way."""
        from trackerproject.logs import configure_structlog

        configure_structlog()
