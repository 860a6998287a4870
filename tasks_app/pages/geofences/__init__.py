"""The list of geofences."""

from django.urls import path

from tasks_app.pages.geofences.views import geofences

geofences_urls = [path("geofences/", geofences, name="geofences")]

__all__ = ["geofences_urls"]
