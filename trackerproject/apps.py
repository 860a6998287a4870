from django.apps import AppConfig


class TrackerProjectConfig(AppConfig):
    name = "trackerproject"
    verbose_name = "Tracker"
