"""Geofences of one's fleets: the list for members, and the form on which managers draw one."""

from django.urls import path

from tasks_app.pages.geofences.editing import geofence_add, geofence_delete, geofence_edit
from tasks_app.pages.geofences.views import geofences
from tasks_app.web.area_field import read_area

geofences_urls = [
    path("geofences/", geofences, name="geofences"),
    path("geofences/add/", geofence_add, name="geofence_add"),
    path("geofences/area/", read_area, name="area_text"),
    path("geofences/<int:geofence_id>/", geofence_edit, name="geofence_edit"),
    path("geofences/<int:geofence_id>/delete/", geofence_delete, name="geofence_delete"),
]

__all__ = ["geofences_urls"]
