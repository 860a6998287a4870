"""The list of devices."""

from django.urls import path

from tasks_app.pages.devices.views import devices

devices_urls = [path("devices/", devices, name="devices")]

__all__ = ["devices_urls"]
