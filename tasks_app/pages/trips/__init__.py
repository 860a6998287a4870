"""The trips of a device on a day."""

from django.urls import path

from tasks_app.pages.trips.views import trips

trips_urls = [path("trips/", trips, name="trips")]

__all__ = ["trips_urls"]
