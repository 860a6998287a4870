"""The list of events."""

from django.urls import path

from tasks_app.pages.events.views import events

events_urls = [path("events/", events, name="events")]

__all__ = ["events_urls"]
