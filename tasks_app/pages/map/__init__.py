"""The live map of one's fleets."""

from django.urls import path

from tasks_app.pages.map.views import live_map

map_urls = [path("map/", live_map, name="map")]

__all__ = ["map_urls"]
