"""The first page."""

from django.urls import path

from tasks_app.pages.home.views import home

home_urls = [path("", home, name="home")]

__all__ = ["home_urls"]
