"""A person's own notifications, destinations and preferences, at /."""

from django.urls import path

from notifications_app.pages.destinations import (
    add_destination,
    delete_destination,
    destinations,
    enable_destination,
    test_destination,
)
from notifications_app.pages.notifications import acknowledge_one, mark_all_read, mark_one_read, notifications
from notifications_app.pages.preferences import preferences

page_urls = [
    path("notifications/", notifications, name="notifications"),
    path("notifications/read/", mark_all_read, name="notifications_read"),
    path("notifications/<int:notification_id>/read/", mark_one_read, name="notification_read"),
    path("notifications/<int:notification_id>/acknowledge/", acknowledge_one, name="notification_acknowledge"),
    path("account/destinations/", destinations, name="destinations"),
    path("account/destinations/add/", add_destination, name="destination_add"),
    path("account/destinations/<int:destination_id>/test/", test_destination, name="destination_test"),
    path("account/destinations/<int:destination_id>/enable/", enable_destination, name="destination_enable"),
    path("account/destinations/<int:destination_id>/delete/", delete_destination, name="destination_delete"),
    path("account/preferences/", preferences, name="preferences"),
]

__all__ = ["page_urls"]
