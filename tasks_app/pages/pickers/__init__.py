"""Suggestions for fields that name rows."""

from django.urls import path

from tasks_app.pages.pickers.views import pick

pickers_urls = [path("pick/<str:kind>/", pick, name="pick")]

__all__ = ["pickers_urls"]
