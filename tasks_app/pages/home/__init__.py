"""The first page, and the manifest by which it is installed."""

from django.urls import path

from tasks_app.pages.home.manifest import manifest
from tasks_app.pages.home.views import home

home_urls = [path("", home, name="home"), path("manifest.webmanifest", manifest, name="manifest")]

__all__ = ["home_urls"]
